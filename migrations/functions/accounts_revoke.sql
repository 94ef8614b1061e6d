-- Lists the user of an external account that was removed: a token of that account has no session that could end.
CREATE OR REPLACE FUNCTION accounts_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (subject_id) VALUES (OLD.user_id);
    RETURN NULL;
END
$$;
