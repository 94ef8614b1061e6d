-- Cheaper writes: fewer indexes and checks for each written row. docs/benchmarks.md has the measurements.

-- Tasks without a due date, a completion or a position come last in both directions. Among the tasks with one, and among those
-- without, an index has both directions, so lists read them one after the other (src/db/keyset/order.rs).
DROP INDEX tasks_due_asc_idx, tasks_due_desc_idx, tasks_completed_at_asc_idx, tasks_completed_at_desc_idx,
    tasks_position_asc_idx, tasks_position_desc_idx;
CREATE INDEX tasks_due_idx ON tasks (user_id, status, due_instant(due_at, due_on), id);
CREATE INDEX tasks_completed_at_idx ON tasks (user_id, status, completed_at, id);
CREATE INDEX tasks_position_idx ON tasks (user_id, status, position, id);
-- The list and the number of open tasks, however many completed ones there are.
CREATE INDEX tasks_open_idx ON tasks (user_id, created_at DESC, id DESC) WHERE status = 'active' AND completed_at IS NULL;

-- The search looks up changes of an item since a version. audit_logs_created_once has the entry of its creation.
DROP INDEX audit_logs_entity_idx;
CREATE INDEX audit_logs_entity_idx ON audit_logs (user_id, entity_id, version) WHERE action <> 'CREATED';

-- PostgreSQL reads each CHECK from its text, and plans it, in every statement. Only triggers and constant statements write the log.
ALTER TABLE audit_logs
    DROP CONSTRAINT audit_logs_action_check,
    DROP CONSTRAINT audit_logs_entity_type_check,
    DROP CONSTRAINT audit_logs_changes_check;
ALTER TABLE courses
    DROP CONSTRAINT courses_status_known,
    DROP CONSTRAINT courses_deleted_at_in_trash,
    ADD CONSTRAINT courses_deleted_at_in_trash CHECK (status = CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END);
ALTER TABLE documents
    DROP CONSTRAINT documents_status_known,
    DROP CONSTRAINT documents_deleted_at_in_trash,
    ADD CONSTRAINT documents_deleted_at_in_trash CHECK (status = CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END);
ALTER TABLE tasks
    DROP CONSTRAINT tasks_status_known,
    DROP CONSTRAINT tasks_deleted_at_in_trash,
    ADD CONSTRAINT tasks_deleted_at_in_trash CHECK (status = CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END);
ALTER TABLE tags
    DROP CONSTRAINT tags_status_known,
    DROP CONSTRAINT tags_deleted_at_in_trash,
    ADD CONSTRAINT tags_deleted_at_in_trash CHECK (status = CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END);

-- The same holds for the condition of a trigger. Only the deletion of a user turns the log off, so only deletions check it.
DROP TRIGGER courses_log ON courses;
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION courses_log();
CREATE TRIGGER courses_log_deletion AFTER DELETE ON courses FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION courses_log();
DROP TRIGGER documents_log ON documents;
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION documents_log();
CREATE TRIGGER documents_log_deletion AFTER DELETE ON documents FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION documents_log();
DROP TRIGGER tasks_log ON tasks;
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_log();
CREATE TRIGGER tasks_log_deletion AFTER DELETE ON tasks FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tasks_log();
DROP TRIGGER tags_log ON tags;
CREATE TRIGGER tags_log AFTER INSERT OR UPDATE ON tags FOR EACH ROW EXECUTE FUNCTION tags_log();
CREATE TRIGGER tags_log_deletion AFTER DELETE ON tags FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tags_log();

-- PostgreSQL inlines these now.
\ir ../functions/set_origin.sql
\ir ../functions/acting_user.sql
\ir ../functions/logged.sql
\ir ../functions/changed.sql
\ir ../functions/changed_note.sql
\ir ../functions/item_action.sql
