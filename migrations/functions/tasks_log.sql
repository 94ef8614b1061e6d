-- Logs what happens to a task. A test checks that it logs every column. Dates are logged as JSON writes them.
CREATE OR REPLACE FUNCTION tasks_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, acting_user(NEW.user_id), 'CREATED', 'Task', NEW.id, NEW.version);
    ELSIF TG_OP = 'DELETE' THEN
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, acting_user(OLD.user_id), 'DELETED', 'Task', OLD.id, OLD.version, diff);
    ELSIF NEW.version <> OLD.version THEN
        diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
            || changed('title', OLD.title, NEW.title)
            || changed('description', OLD.description, NEW.description)
            || changed('completedAt', logged_time(OLD.completed_at), logged_time(NEW.completed_at))
            || changed('dueAt', logged_time(OLD.due_at), logged_time(NEW.due_at))
            || changed('dueOn', to_json(OLD.due_on) #>> '{}', to_json(NEW.due_on) #>> '{}')
            || changed('priority', OLD.priority::text, NEW.priority::text)
            || changed('position', OLD.position, NEW.position);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (NEW.user_id, acting_user(NEW.user_id), item_action(OLD.deleted_at, NEW.deleted_at), 'Task', NEW.id,
            NEW.version, nullif(diff, '{}'));
    END IF;
    RETURN NULL;
END
$$;
