-- Lists a session that ended, so that every process rejects its access tokens.
CREATE OR REPLACE FUNCTION sessions_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (subject_id) VALUES (OLD.id);
    RETURN NULL;
END
$$;
