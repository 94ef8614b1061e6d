DROP INDEX audit_logs_prunable_idx;
DROP INDEX audit_logs_entity_idx;
ALTER TABLE audit_logs
    ALTER COLUMN ip_address DROP DEFAULT,
    ALTER COLUMN user_agent DROP DEFAULT;
DROP FUNCTION act_as(uuid, text, text);
DROP FUNCTION take_tokens(bytea[], integer[], interval[]);
DROP TABLE throttles;
DROP INDEX users_created_at_idx;
DROP TRIGGER accounts_revoke ON accounts;
DROP FUNCTION accounts_revoke();
DROP TRIGGER users_deactivated ON users;
DROP FUNCTION users_deactivated();
DROP TRIGGER users_before_delete ON users;
DROP FUNCTION users_before_delete();
DROP FUNCTION account_hash(text, text);
DROP TABLE former_accounts;
ALTER TABLE accounts
    DROP COLUMN claimed_name,
    DROP COLUMN claimed_avatar_url,
    DROP COLUMN claims_read_at;
DROP TABLE mails;
DROP TABLE mail_tokens;
CREATE OR REPLACE FUNCTION sessions_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (session_id) VALUES (OLD.id);
    RETURN NULL;
END
$$;
COMMENT ON TABLE revocations IS NULL;
ALTER TABLE revocations RENAME COLUMN subject_id TO session_id;
