DROP VIEW current_tasks;
DROP INDEX tasks_due_asc_idx, tasks_due_desc_idx;
ALTER TABLE tasks DROP COLUMN due_on, DROP COLUMN position;
CREATE INDEX tasks_due_at_asc_idx ON tasks (user_id, status, coalesce(due_at, 'infinity'), id);
CREATE INDEX tasks_due_at_desc_idx ON tasks (user_id, status, coalesce(due_at, '-infinity') DESC, id DESC);
CREATE VIEW current_tasks AS
SELECT item.user_id, item.id, item.course_id, item.title, item.description, item.completed_at, item.due_at, item.priority,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN 'trash' ELSE coalesce(course.status, 'active') END AS status,
    item.version, item.created_at, item.updated_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN item.deleted_at ELSE course.deleted_at END AS deleted_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL OR course.status = 'active' THEN NULL ELSE course.id END
        AS trashed_with
FROM tasks AS item LEFT JOIN courses AS course ON course.user_id = item.user_id AND course.id = item.course_id
WHERE NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.id AND operation = 'remove')
    AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.course_id AND operation = 'remove');
COMMENT ON VIEW current_tasks IS 'Tasks as readers see them while operations are pending.';
-- Logs what happens to a task. A test checks that it logs every column. Times are logged as JSON writes them.
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
            || changed('completedAt', to_json(OLD.completed_at) #>> '{}', to_json(NEW.completed_at) #>> '{}')
            || changed('dueAt', to_json(OLD.due_at) #>> '{}', to_json(NEW.due_at) #>> '{}')
            || changed('priority', OLD.priority::text, NEW.priority::text);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (NEW.user_id, acting_user(NEW.user_id), item_action(OLD.deleted_at, NEW.deleted_at), 'Task', NEW.id,
            NEW.version, nullif(diff, '{}'));
    END IF;
    RETURN NULL;
END
$$;
DROP FUNCTION due_instant, logged_time;
