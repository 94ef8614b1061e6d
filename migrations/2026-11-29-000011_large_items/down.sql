-- Operations that are pending must be finished first: without the views their items would come back.
LOCK TABLE pending_operations IN ACCESS EXCLUSIVE MODE;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pending_operations) THEN
        RAISE EXCEPTION 'operations are pending: run the service until pending_operations is empty, then migrate down';
    END IF;
END
$$;

DROP INDEX documents_deleted_at_idx;
DROP INDEX tasks_deleted_at_idx;
CREATE INDEX documents_deleted_at_idx ON documents (deleted_at) WHERE status = 'trash';
CREATE INDEX tasks_deleted_at_idx ON tasks (deleted_at) WHERE status = 'trash';

DROP TRIGGER users_log ON users;
CREATE TRIGGER users_log AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_log();
DROP TRIGGER courses_log ON courses;
DROP TRIGGER documents_log ON documents;
DROP TRIGGER tasks_log ON tasks;
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE OR DELETE ON courses FOR EACH ROW EXECUTE FUNCTION courses_log();
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION documents_log();
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_log();

DROP VIEW current_tasks;
DROP VIEW current_documents;
DROP VIEW current_courses;
ALTER TABLE users DROP CONSTRAINT users_deleted_are_inactive;
ALTER TABLE users DROP COLUMN deleted_at;
DROP TABLE pending_operations;
