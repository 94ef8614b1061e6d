-- Keeps the hashes of a deleted user's external accounts, and lists the user as revoked.
CREATE OR REPLACE FUNCTION users_before_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO former_accounts (account_hash)
    SELECT account_hash(provider, provider_account_id) FROM accounts WHERE user_id = OLD.id
    ON CONFLICT DO NOTHING;
    INSERT INTO revocations (subject_id) VALUES (OLD.id);
    RETURN OLD;
END
$$;
