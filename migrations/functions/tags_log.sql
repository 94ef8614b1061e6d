-- Logs what happens to a tag. A test checks that it logs every column.
CREATE OR REPLACE FUNCTION tags_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, acting_user(NEW.user_id), 'CREATED', 'Tag', NEW.id, NEW.version);
    ELSIF TG_OP = 'DELETE' THEN
        diff := changed('name', OLD.name, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, acting_user(OLD.user_id), 'DELETED', 'Tag', OLD.id, OLD.version, diff);
    ELSIF NEW.version <> OLD.version THEN
        diff := changed('name', OLD.name, NEW.name) || changed('color', OLD.color, NEW.color);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (NEW.user_id, acting_user(NEW.user_id), item_action(OLD.deleted_at, NEW.deleted_at), 'Tag', NEW.id,
            NEW.version, nullif(diff, '{}'));
    END IF;
    RETURN NULL;
END
$$;
