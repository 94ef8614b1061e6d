-- Identity: who may no longer sign in is told to every process, tokens that are mailed, the outbox, outside accounts,
-- throttles, and where a change came from.

-- A session or a user: an outside token has no session, so what ends it is that its user is listed.
ALTER TABLE revocations RENAME COLUMN session_id TO subject_id;
COMMENT ON TABLE revocations IS 'Sessions that ended and users who may no longer sign in, lately: every process reads it.';

CREATE OR REPLACE FUNCTION sessions_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (subject_id) VALUES (OLD.id);
    RETURN NULL;
END
$$;

-- Tokens that were mailed. A row is one good token: using it or voiding it deletes it.
CREATE TABLE mail_tokens (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    purpose text NOT NULL,
    email text NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT mail_tokens_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT mail_tokens_id_key UNIQUE (id),
    CONSTRAINT mail_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT mail_tokens_purpose_key UNIQUE (user_id, purpose),
    CONSTRAINT mail_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT mail_tokens_purpose_known CHECK (purpose IN ('password_reset', 'email_verification', 'email_change')),
    CONSTRAINT mail_tokens_email_length CHECK (length(email) BETWEEN 3 AND 255),
    CONSTRAINT mail_tokens_token_hash_length CHECK (octet_length(token_hash) = 32)
);
COMMENT ON COLUMN mail_tokens.email IS 'The address that it was sent to; whoever has the token can read its mail.';
COMMENT ON COLUMN mail_tokens.token_hash IS 'SHA-256 of the token, which is an HMAC of the id and stored nowhere.';

-- The outbox. No foreign key: a farewell outlives its user. A mail that was sent is deleted.
CREATE TABLE mails (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    user_id uuid,
    recipient text NOT NULL,
    token_id uuid,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    died_at timestamptz,
    CONSTRAINT mails_pkey PRIMARY KEY (id),
    CONSTRAINT mails_kind_known CHECK (kind IN (
        'password_reset', 'email_verification', 'email_change', 'email_change_requested', 'email_changed',
        'password_changed', 'new_device', 'sign_up_attempted', 'account_linked', 'account_deleted')),
    CONSTRAINT mails_recipient_length CHECK (length(recipient) BETWEEN 3 AND 255)
);
COMMENT ON COLUMN mails.token_id IS 'Of mail_tokens: the token is made of it when the mail is written.';
COMMENT ON COLUMN mails.died_at IS 'When it was given up; null while it waits to be sent.';
CREATE INDEX mails_due_idx ON mails (next_attempt_at) WHERE died_at IS NULL;
CREATE INDEX mails_user_id_idx ON mails (user_id);

-- What an outside issuer said of somebody when its token was last read.
ALTER TABLE accounts
    ADD COLUMN claimed_name text,
    ADD COLUMN claimed_avatar_url text,
    ADD COLUMN claims_read_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN accounts.claimed_name IS 'The name that the issuer last told; the user''s own follows when it changes.';

-- Outside accounts of users who were deleted, as hashes: a token that is still good must not make them anew.
CREATE TABLE former_accounts (
    account_hash bytea NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT former_accounts_pkey PRIMARY KEY (account_hash),
    CONSTRAINT former_accounts_account_hash_length CHECK (octet_length(account_hash) = 32)
);

CREATE FUNCTION account_hash(provider text, provider_account_id text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(provider || E'\n' || provider_account_id, 'UTF8'))
$$;

CREATE FUNCTION users_before_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO former_accounts (account_hash)
    SELECT account_hash(provider, provider_account_id) FROM accounts WHERE user_id = OLD.id
    ON CONFLICT DO NOTHING;
    INSERT INTO revocations (subject_id) VALUES (OLD.id);
    RETURN OLD;
END
$$;
CREATE TRIGGER users_before_delete BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_before_delete();

-- Whoever may no longer sign in is signed out: processes trust what they have seen until they are told.
CREATE FUNCTION users_deactivated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions SET ended_at = now() WHERE user_id = NEW.id AND ended_at IS NULL;
    DELETE FROM mail_tokens WHERE user_id = NEW.id;
    INSERT INTO revocations (subject_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER users_deactivated AFTER UPDATE OF is_active ON users
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION users_deactivated();

CREATE FUNCTION accounts_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (subject_id) VALUES (OLD.user_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER accounts_revoke AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_revoke();

CREATE INDEX users_created_at_idx ON users (created_at, id);

-- Token buckets. Unlogged: what a crash forgets is how often somebody tried of late.
CREATE UNLOGGED TABLE throttles (
    key bytea NOT NULL,
    full_at timestamptz NOT NULL,
    CONSTRAINT throttles_pkey PRIMARY KEY (key)
);
COMMENT ON COLUMN throttles.key IS 'HMAC of a limit and what it counts: no address stands here.';
COMMENT ON COLUMN throttles.full_at IS 'When the bucket is full again; it is, if that is past.';
CREATE INDEX throttles_full_at_idx ON throttles (full_at);

-- Takes a token from each bucket, or from none: answers how long to wait until all have one, 0 if they were taken.
-- A bucket holds capacity tokens and gets one back every spacing.
CREATE FUNCTION take_tokens(keys bytea[], capacities integer[], spacings interval[]) RETURNS interval
LANGUAGE plpgsql AS $$
DECLARE
    wait interval;
BEGIN
    INSERT INTO throttles (key, full_at) SELECT key, '-infinity' FROM unnest(keys) AS key ORDER BY key
    ON CONFLICT DO NOTHING;
    PERFORM FROM throttles WHERE key = ANY (keys) ORDER BY key FOR UPDATE;
    SELECT max(greatest(full_at, clock_timestamp()) + spacing - capacity * spacing - clock_timestamp()) INTO wait
    FROM unnest(keys, capacities, spacings) AS bucket (key, capacity, spacing) JOIN throttles USING (key);
    IF wait > interval '0' THEN
        RETURN wait;
    END IF;
    UPDATE throttles SET full_at = greatest(full_at, clock_timestamp()) + spacing
    FROM unnest(keys, spacings) AS bucket (key, spacing) WHERE throttles.key = bucket.key;
    RETURN interval '0';
END
$$;

-- Where a change came from stands in the log by default: a writing statement names its owner through act_as, and the
-- triggers' entries in the log carry the address and the program. Declared stable, so that an index is used: it answers
-- its first argument, whatever it notes on the way.
CREATE FUNCTION act_as(owner uuid, address text, program text) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM set_config('snapnote.address', coalesce(address, ''), true),
        set_config('snapnote.program', coalesce(program, ''), true);
    RETURN owner;
END
$$;
ALTER TABLE audit_logs
    ALTER COLUMN ip_address SET DEFAULT nullif(current_setting('snapnote.address', true), '')::inet,
    ALTER COLUMN user_agent SET DEFAULT nullif(current_setting('snapnote.program', true), '');

-- By time goes the primary key (user_id, id), whose ids ascend with time; this is by what an entry is about.
CREATE INDEX audit_logs_entity_idx ON audit_logs (user_id, entity_id, id);
-- What pruning looks for. It keeps the bare entries of creations: they are what an id is known by for ever.
CREATE INDEX audit_logs_prunable_idx ON audit_logs (created_at)
    WHERE action <> 'CREATED' OR ip_address IS NOT NULL OR user_agent IS NOT NULL OR changes IS NOT NULL;
