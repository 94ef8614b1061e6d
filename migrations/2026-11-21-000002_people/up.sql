-- People, how they sign in, and where they are signed in.
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
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_length CHECK (length(email) BETWEEN 3 AND 255),
    CONSTRAINT users_name_length CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT users_avatar_url_length CHECK (length(avatar_url) BETWEEN 1 AND 512),
    CONSTRAINT users_role_known CHECK (role IN ('user', 'admin'))
);
COMMENT ON COLUMN users.password_hash IS 'PHC string; null for who signs in through an outside issuer alone.';
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

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
    CONSTRAINT accounts_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT accounts_provider_key UNIQUE (provider, provider_account_id),
    CONSTRAINT accounts_provider_length CHECK (length(provider) BETWEEN 1 AND 255),
    CONSTRAINT accounts_provider_account_id_length CHECK (length(provider_account_id) BETWEEN 1 AND 255)
);
COMMENT ON TABLE accounts IS 'The outside identities that a person signs in with.';

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
    CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT sessions_id_key UNIQUE (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_generation_positive CHECK (generation > 0),
    CONSTRAINT sessions_refresh_token_hash_length CHECK (octet_length(refresh_token_hash) = 32),
    CONSTRAINT sessions_user_agent_length CHECK (length(user_agent) <= 512)
);
COMMENT ON COLUMN sessions.generation IS 'Counts the refresh tokens of this session; the newest is the one with this number.';
COMMENT ON COLUMN sessions.refresh_token_hash IS 'SHA-256 of the newest refresh token.';
COMMENT ON COLUMN sessions.ended_at IS 'When it was signed out or revoked; null while it is open.';

-- Sessions that ended lately: what every process asks once a second, so that a token that was signed out dies everywhere.
CREATE TABLE revocations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    session_id uuid NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT revocations_pkey PRIMARY KEY (id)
);
CREATE INDEX revocations_revoked_at_idx ON revocations (revoked_at);

CREATE FUNCTION users_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.email, OLD.name, OLD.avatar_url, OLD.email_verified, OLD.is_active, OLD.role)
        IS DISTINCT FROM (NEW.email, NEW.name, NEW.avatar_url, NEW.email_verified, NEW.is_active, NEW.role) THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_before_update BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_before_update();

CREATE FUNCTION users_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid := acting_user(NEW.id);
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id)
        VALUES (NEW.id, actor, 'CREATED', 'User', NEW.id);
        RETURN NULL;
    END IF;
    diff := changed('email', OLD.email, NEW.email)
        || changed('name', OLD.name, NEW.name)
        || changed('avatarUrl', OLD.avatar_url, NEW.avatar_url)
        || changed('emailVerified', OLD.email_verified::text, NEW.email_verified::text)
        || changed('active', OLD.is_active::text, NEW.is_active::text)
        || changed('role', upper(OLD.role), upper(NEW.role));
    IF diff <> '{}' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, changes)
        VALUES (NEW.id, actor, 'UPDATED', 'User', NEW.id, diff);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_log AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_log();

CREATE FUNCTION user_profiles_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD IS DISTINCT FROM NEW THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER user_profiles_before_update BEFORE UPDATE ON user_profiles
    FOR EACH ROW EXECUTE FUNCTION user_profiles_before_update();

CREATE FUNCTION user_profiles_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid := acting_user(NEW.user_id);
    diff jsonb := changed('proficiency', upper(OLD.proficiency), upper(NEW.proficiency))
        || changed('technicalBackground', OLD.technical_background, NEW.technical_background)
        || changed('hardwareAccess', OLD.hardware_access, NEW.hardware_access)
        || changed('learningGoals', OLD.learning_goals, NEW.learning_goals)
        || changed('preferences', OLD.preferences, NEW.preferences);
BEGIN
    IF diff <> '{}' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, changes)
        VALUES (NEW.user_id, actor, 'UPDATED', 'Profile', NEW.user_id, diff);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER user_profiles_log AFTER UPDATE ON user_profiles FOR EACH ROW EXECUTE FUNCTION user_profiles_log();

CREATE FUNCTION sessions_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (session_id) VALUES (OLD.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER sessions_revoke_ended AFTER UPDATE OF ended_at ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION sessions_revoke();
CREATE TRIGGER sessions_revoke_deleted AFTER DELETE ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION sessions_revoke();
