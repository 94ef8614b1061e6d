-- Users, how they sign in, where they are signed in, the emails that the service sends them, and rate limits.

CREATE TABLE users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    avatar_url text,
    password_hash text,
    email_verified boolean NOT NULL DEFAULT false,
    is_active boolean NOT NULL DEFAULT true,
    role text NOT NULL DEFAULT 'user',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    -- The service derives it (src/email_address.rs): lower() depends on the collation and maps some different addresses, such
    -- as those with İ or the Kelvin sign, to the same key. Collation C compares bytes, so the index does not depend on the
    -- version of a library.
    email_key text COLLATE "C" NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email_key),
    CONSTRAINT users_email_length CHECK (length(email) BETWEEN 3 AND 255),
    CONSTRAINT users_email_key_of_email CHECK (email_key = lower(email COLLATE "C") OR email ~ '[^\x01-\x7f]'),
    CONSTRAINT users_name_length CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT users_avatar_url_length CHECK (length(avatar_url) BETWEEN 1 AND 512),
    CONSTRAINT users_role_known CHECK (role IN ('user', 'admin')),
    CONSTRAINT users_deleted_are_inactive CHECK (deleted_at IS NULL OR NOT is_active)
);
COMMENT ON COLUMN users.password_hash IS 'PHC string. Null for users who sign in only through external identity providers.';
COMMENT ON COLUMN users.email_key IS 'The canonical form of email: equal keys are the same account.';
COMMENT ON COLUMN users.deleted_at IS
    'When the user deleted their account. The row is deleted after everything that the user owned.';
CREATE INDEX users_created_at_idx ON users (created_at, id);

CREATE TABLE user_profiles (
    user_id uuid NOT NULL,
    proficiency text NOT NULL DEFAULT 'pro',
    technical_background text,
    hardware_access text,
    learning_goals text,
    preferences text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_profiles_pkey PRIMARY KEY (user_id),
    CONSTRAINT user_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_profiles_proficiency_known CHECK (proficiency IN ('beginner', 'intermediate', 'pro')),
    CONSTRAINT user_profiles_technical_background_length CHECK (length(technical_background) <= 10000),
    CONSTRAINT user_profiles_hardware_access_length CHECK (length(hardware_access) <= 10000),
    CONSTRAINT user_profiles_learning_goals_length CHECK (length(learning_goals) <= 10000),
    CONSTRAINT user_profiles_preferences_length CHECK (length(preferences) <= 10000)
);

CREATE TABLE accounts (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    provider_account_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    claimed_name text,
    claimed_avatar_url text,
    claims_read_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT accounts_provider_key UNIQUE (provider, provider_account_id),
    CONSTRAINT accounts_provider_length CHECK (length(provider) BETWEEN 1 AND 255),
    CONSTRAINT accounts_provider_account_id_length CHECK (length(provider_account_id) BETWEEN 1 AND 255)
);
COMMENT ON TABLE accounts IS 'The accounts at external identity providers that a user signs in with.';
COMMENT ON COLUMN accounts.claimed_name IS
    'The name in the token that was read last. The name of the user follows when this one changes.';
COMMENT ON COLUMN accounts.claimed_avatar_url IS 'As claimed_name, for the picture.';

-- Accounts at external identity providers whose users were deleted. Their tokens may still be valid, and must not create the
-- users again. It holds hashes, so that no identity is kept.
CREATE TABLE former_accounts (
    account_hash bytea NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT former_accounts_pkey PRIMARY KEY (account_hash),
    CONSTRAINT former_accounts_account_hash_length CHECK (octet_length(account_hash) = 32)
);

CREATE TABLE sessions (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    refresh_token_hash bytea NOT NULL,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    rotated_at timestamptz NOT NULL DEFAULT now(),
    rotated_ip_address inet,
    rotated_user_agent text,
    CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT sessions_id_key UNIQUE (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_generation_positive CHECK (generation > 0),
    CONSTRAINT sessions_refresh_token_hash_length CHECK (octet_length(refresh_token_hash) = 32),
    CONSTRAINT sessions_user_agent_length CHECK (length(user_agent) <= 512),
    CONSTRAINT sessions_rotated_user_agent_length CHECK (length(rotated_user_agent) <= 512)
);
COMMENT ON COLUMN sessions.generation IS 'The number of the newest refresh token of this session.';
COMMENT ON COLUMN sessions.refresh_token_hash IS 'SHA-256 of the newest refresh token.';
COMMENT ON COLUMN sessions.ended_at IS 'When the session was signed out or revoked. Null while it is open.';
-- The previous refresh token stays valid for a minute after this. If another client uses it, the log gets an entry.
COMMENT ON COLUMN sessions.rotated_at IS 'When the newest refresh token was made.';
COMMENT ON COLUMN sessions.rotated_ip_address IS
    'The client that exchanged the previous refresh token for the newest one. Null before the first exchange.';
COMMENT ON COLUMN sessions.rotated_user_agent IS 'As rotated_ip_address.';
-- For the clean-up job. There is no index on expires_at, because every use of a session writes that column.
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_not_ended_idx ON sessions (created_at) WHERE ended_at IS NULL;

-- Every process reads this list once a second, so that a token that was signed out is rejected everywhere. It contains users,
-- too, because a token of an external identity provider has no session.
CREATE TABLE revocations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject_id uuid NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT revocations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE revocations IS 'Sessions that ended recently, and users who may no longer sign in.';
CREATE INDEX revocations_revoked_at_idx ON revocations (revoked_at);

CREATE TABLE mail_tokens (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    purpose text NOT NULL,
    email text NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    CONSTRAINT mail_tokens_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT mail_tokens_id_key UNIQUE (id),
    CONSTRAINT mail_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT mail_tokens_purpose_key UNIQUE (user_id, purpose),
    CONSTRAINT mail_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT mail_tokens_purpose_known CHECK (purpose IN ('password_reset', 'email_verification', 'email_change')),
    CONSTRAINT mail_tokens_email_length CHECK (length(email) BETWEEN 3 AND 255),
    CONSTRAINT mail_tokens_token_hash_length CHECK (octet_length(token_hash) = 32)
);
COMMENT ON TABLE mail_tokens IS 'Valid tokens that were sent by email. Using or revoking a token deletes its row.';
COMMENT ON COLUMN mail_tokens.email IS 'The address that the token was sent to. Its bearer can read the mail of that address.';
COMMENT ON COLUMN mail_tokens.token_hash IS 'SHA-256 of the token. The token is an HMAC of the id and stored nowhere.';
COMMENT ON COLUMN mail_tokens.email_key IS 'The canonical form of email.';
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);

-- No foreign key: the email about a deleted account outlives its user.
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
    -- A test compares this list with src/mail/templates.rs.
    CONSTRAINT mails_kind_known CHECK (kind IN (
        'password_reset', 'email_verification', 'email_change', 'email_change_requested', 'email_changed',
        'password_changed', 'new_device', 'sign_up_attempted', 'account_linked', 'account_deleted', 'refresh_token_reused')),
    CONSTRAINT mails_recipient_length CHECK (length(recipient) BETWEEN 3 AND 255)
);
COMMENT ON TABLE mails IS 'Emails that wait to be sent, or were given up. Sending an email deletes its row.';
COMMENT ON COLUMN mails.token_id IS 'The id in mail_tokens. The service derives the token from it when it writes the email.';
COMMENT ON COLUMN mails.died_at IS 'When the service gave the email up. Null while it waits to be sent.';
-- The service sends by urgency: for each kind, the email that has been due for longest.
CREATE INDEX mails_due_idx ON mails (kind, next_attempt_at) WHERE died_at IS NULL;
CREATE INDEX mails_user_id_idx ON mails (user_id);
CREATE INDEX mails_died_at_idx ON mails (died_at) WHERE died_at IS NOT NULL;

-- The token buckets of the rate limits. Unlogged: losing the recent attempts in a crash is acceptable.
CREATE UNLOGGED TABLE rate_limits (
    key uuid NOT NULL,
    full_at timestamptz NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);
COMMENT ON COLUMN rate_limits.key IS 'Derived by HMAC from a limit and what it counts, so that the table contains no addresses.';
COMMENT ON COLUMN rate_limits.full_at IS 'When the bucket is full again. A time in the past means that it is full.';
CREATE INDEX rate_limits_full_at_idx ON rate_limits (full_at);
\ir ../functions/take_tokens.sql

\ir ../functions/users_before_insert.sql
\ir ../functions/users_before_update.sql
\ir ../functions/users_log.sql
\ir ../functions/users_deactivated.sql
\ir ../functions/account_hash.sql
\ir ../functions/users_before_delete.sql
CREATE TRIGGER users_before_insert BEFORE INSERT ON users
    FOR EACH ROW WHEN (NEW.email_key IS NULL AND NEW.email !~ '[^\x01-\x7f]') EXECUTE FUNCTION users_before_insert();
CREATE TRIGGER users_before_update BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_before_update();
-- Not for users who delete their account, since their log is deleted, too.
CREATE TRIGGER users_log AFTER INSERT OR UPDATE ON users
    FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION users_log();
CREATE TRIGGER users_deactivated AFTER UPDATE OF is_active ON users
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION users_deactivated();
CREATE TRIGGER users_before_delete BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_before_delete();

\ir ../functions/user_profiles_before_update.sql
\ir ../functions/user_profiles_log.sql
CREATE TRIGGER user_profiles_before_update BEFORE UPDATE ON user_profiles
    FOR EACH ROW EXECUTE FUNCTION user_profiles_before_update();
CREATE TRIGGER user_profiles_log AFTER UPDATE ON user_profiles FOR EACH ROW EXECUTE FUNCTION user_profiles_log();

\ir ../functions/accounts_revoke.sql
CREATE TRIGGER accounts_revoke AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_revoke();

\ir ../functions/sessions_revoke.sql
CREATE TRIGGER sessions_revoke_ended AFTER UPDATE OF ended_at ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION sessions_revoke();
CREATE TRIGGER sessions_revoke_deleted AFTER DELETE ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION sessions_revoke();
