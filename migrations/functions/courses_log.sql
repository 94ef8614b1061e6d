-- Logs what happens to a course. A test checks that it logs every column.
CREATE OR REPLACE FUNCTION courses_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, acting_user(NEW.user_id), 'CREATED', 'Course', NEW.id, NEW.version);
    ELSIF TG_OP = 'DELETE' THEN
        diff := changed('name', OLD.name, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, acting_user(OLD.user_id), 'DELETED', 'Course', OLD.id, OLD.version, diff);
    ELSIF NEW.version <> OLD.version THEN
        diff := changed('name', OLD.name, NEW.name)
            || changed('description', OLD.description, NEW.description)
            || changed('color', OLD.color, NEW.color)
            || changed('icon', OLD.icon, NEW.icon);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (NEW.user_id, acting_user(NEW.user_id), item_action(OLD.deleted_at, NEW.deleted_at), 'Course', NEW.id,
            NEW.version, nullif(diff, '{}'));
    END IF;
    RETURN NULL;
END
$$;
