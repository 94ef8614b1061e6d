DROP TRIGGER courses_log_deletion ON courses;
DROP TRIGGER courses_log ON courses;
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE OR DELETE ON courses FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION courses_log();
DROP TRIGGER documents_log_deletion ON documents;
DROP TRIGGER documents_log ON documents;
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION documents_log();
DROP TRIGGER tasks_log_deletion ON tasks;
DROP TRIGGER tasks_log ON tasks;
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tasks_log();
DROP TRIGGER tags_log_deletion ON tags;
DROP TRIGGER tags_log ON tags;
CREATE TRIGGER tags_log AFTER INSERT OR UPDATE OR DELETE ON tags FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tags_log();

ALTER TABLE tags
    DROP CONSTRAINT tags_deleted_at_in_trash,
    ADD CONSTRAINT tags_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    ADD CONSTRAINT tags_status_known CHECK (status IN ('active', 'trash'));
ALTER TABLE tasks
    DROP CONSTRAINT tasks_deleted_at_in_trash,
    ADD CONSTRAINT tasks_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    ADD CONSTRAINT tasks_status_known CHECK (status IN ('active', 'trash'));
ALTER TABLE documents
    DROP CONSTRAINT documents_deleted_at_in_trash,
    ADD CONSTRAINT documents_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    ADD CONSTRAINT documents_status_known CHECK (status IN ('active', 'trash'));
ALTER TABLE courses
    DROP CONSTRAINT courses_deleted_at_in_trash,
    ADD CONSTRAINT courses_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    ADD CONSTRAINT courses_status_known CHECK (status IN ('active', 'trash'));
ALTER TABLE audit_logs
    ADD CONSTRAINT audit_logs_action_check CHECK (action ~ '^[A-Z][A-Z_]{0,49}$'),
    ADD CONSTRAINT audit_logs_entity_type_check CHECK (entity_type ~ '^[A-Za-z]{1,50}$'),
    ADD CONSTRAINT audit_logs_changes_check CHECK (jsonb_typeof(changes) = 'object');

DROP INDEX audit_logs_entity_idx;
CREATE INDEX audit_logs_entity_idx ON audit_logs (user_id, entity_id, id);

DROP INDEX tasks_open_idx, tasks_completed_at_idx, tasks_position_idx, tasks_due_idx;
CREATE INDEX tasks_due_asc_idx ON tasks (user_id, status, coalesce(due_instant(due_at, due_on), 'infinity'), id);
CREATE INDEX tasks_due_desc_idx ON tasks (user_id, status, coalesce(due_instant(due_at, due_on), '-infinity') DESC, id DESC);
CREATE INDEX tasks_completed_at_asc_idx ON tasks (user_id, status, coalesce(completed_at, 'infinity'), id);
CREATE INDEX tasks_completed_at_desc_idx ON tasks (user_id, status, coalesce(completed_at, '-infinity') DESC, id DESC);
CREATE INDEX tasks_position_asc_idx ON tasks (user_id, status, coalesce(position, E'\x7F'), id);
CREATE INDEX tasks_position_desc_idx ON tasks (user_id, status, coalesce(position, '') DESC, id DESC);
