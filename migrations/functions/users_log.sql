-- Logs the creation of a user and the changes of their fields.
CREATE OR REPLACE FUNCTION users_log() RETURNS trigger LANGUAGE plpgsql AS $$
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
