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

-- What is long past is looked for by these. None is on expires_at of sessions: it is written with every use.
CREATE INDEX mails_died_at_idx ON mails (died_at) WHERE died_at IS NOT NULL;
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_not_ended_idx ON sessions (created_at) WHERE ended_at IS NULL;

-- What an outside issuer said of somebody when its token was last read: the user's own name follows when that changes.
ALTER TABLE accounts
    ADD COLUMN claimed_name text,
    ADD COLUMN claimed_avatar_url text,
    ADD COLUMN claims_read_at timestamptz NOT NULL DEFAULT now();

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
    WITH ended AS (
        UPDATE sessions SET ended_at = now() WHERE user_id = NEW.id AND ended_at IS NULL RETURNING id
    )
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id)
    SELECT NEW.id, acting_user(NEW.id), 'SESSION_REVOKED', 'Session', id FROM ended;
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
    key uuid NOT NULL,
    full_at timestamptz NOT NULL,
    CONSTRAINT throttles_pkey PRIMARY KEY (key)
);
COMMENT ON COLUMN throttles.key IS 'Of an HMAC of a limit and what it counts: nobody''s address stands here.';
COMMENT ON COLUMN throttles.full_at IS 'When the bucket is full again; it is, if that is past.';
CREATE INDEX throttles_full_at_idx ON throttles (full_at);

-- Takes a token from each bucket, or from none: answers how many milliseconds to wait until all have one, 0 if they were
-- taken. A bucket holds capacity tokens and gets one back every spacing, in milliseconds. It looks first without a lock:
-- whoever must wait anyway waits for nobody else, and writes nothing, whatever accounts they invent.
CREATE FUNCTION take_tokens(keys uuid[], capacities integer[], spacings integer[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    locked boolean;
    wait interval;
BEGIN
    FOREACH locked IN ARRAY ARRAY[false, true] LOOP
        IF locked THEN
            INSERT INTO throttles (key, full_at) SELECT key, '-infinity' FROM unnest(keys) AS key ORDER BY key
            ON CONFLICT DO NOTHING;
            PERFORM FROM throttles WHERE key = ANY (keys) ORDER BY key FOR UPDATE;
        END IF;
        SELECT max(greatest(full_at, clock_timestamp()) - (capacity - 1) * spacing * interval '1 ms' - clock_timestamp())
        INTO wait FROM unnest(keys, capacities, spacings) AS bucket (key, capacity, spacing) JOIN throttles USING (key);
        IF wait > interval '0' THEN
            RETURN ceil(extract(epoch FROM wait) * 1000);
        END IF;
    END LOOP;
    UPDATE throttles SET full_at = greatest(full_at, clock_timestamp()) + spacing * interval '1 ms'
    FROM unnest(keys, spacings) AS bucket (key, spacing) WHERE throttles.key = bucket.key;
    RETURN 0;
END
$$;

-- Where a change came from stands in the log by default: a writing statement names its owner through act_as, and the
-- triggers' entries in the log carry the address and the program. Declared stable, so that an index is used: it answers
-- its first argument, whatever it notes on the way.
CREATE FUNCTION set_origin(address text, program text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('snapnote.address', coalesce(address, ''), true),
        set_config('snapnote.program', coalesce(program, ''), true);
    RETURN true;
END
$$;
ALTER TABLE audit_logs
    ALTER COLUMN ip_address SET DEFAULT nullif(current_setting('snapnote.address', true), '')::inet,
    ALTER COLUMN user_agent SET DEFAULT nullif(current_setting('snapnote.program', true), '');

-- By time goes the primary key (user_id, id), whose ids ascend with time; this is by what an entry is about.
CREATE INDEX audit_logs_entity_idx ON audit_logs (user_id, entity_id, id);
-- What admins did to others, and from where: it goes with the admin.
CREATE INDEX audit_logs_actor_idx ON audit_logs (actor_id) WHERE actor_id <> user_id;
-- What pruning looks for. It keeps the bare entries of creations: they are what an id is known by for ever.
CREATE INDEX audit_logs_prunable_idx ON audit_logs (created_at)
    WHERE action <> 'CREATED' OR ip_address IS NOT NULL OR user_agent IS NOT NULL OR changes IS NOT NULL;

-- The words of a note never stand in the log, however few: only how long it is, and which.
CREATE FUNCTION changed_note(field text, old_value text, new_value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old_value IS NOT DISTINCT FROM new_value THEN
        RETURN '{}';
    END IF;
    RETURN jsonb_build_object(field, jsonb_build_object('old', digest_of(old_value), 'new', digest_of(new_value)));
END
$$;

CREATE FUNCTION digest_of(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT jsonb_build_object('length', length(value), 'sha256', encode(sha256(convert_to(value, 'UTF8')), 'hex'))
$$;

CREATE OR REPLACE FUNCTION documents_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid;
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        actor := acting_user(NEW.user_id);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, actor, 'CREATED', 'Document', NEW.id, NEW.version);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        actor := acting_user(OLD.user_id);
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, actor, 'DELETED', 'Document', OLD.id, OLD.version, diff);
        RETURN NULL;
    ELSIF NEW.version = OLD.version THEN
        RETURN NULL;
    END IF;
    actor := acting_user(NEW.user_id);
    action := item_action(OLD.status, NEW.status);
    diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
        || changed('title', OLD.title, NEW.title)
        || changed_note('originalText', OLD.original_text, NEW.original_text)
        || changed_note('formattedNote', OLD.formatted_note, NEW.formatted_note)
        || changed_note('excerpt', OLD.excerpt, NEW.excerpt)
        || changed('processingTime', OLD.processing_time::text, NEW.processing_time::text)
        || changed('metadata', OLD.metadata::text, NEW.metadata::text);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
