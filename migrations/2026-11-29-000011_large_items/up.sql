-- Operations of any size. A request commits what the caller asked for in a few rows; a background job then moves or deletes
-- the many rows that follow from it, in steps. The views `current_…` show items as every reader must see them meanwhile.
-- Only an owner with a pending operation needs them: otherwise the tables and the views agree.

CREATE TABLE pending_operations (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    kind smallint NOT NULL,
    operation text NOT NULL,
    actor_id uuid,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT pending_operations_pkey PRIMARY KEY (user_id, item_id),
    CONSTRAINT pending_operations_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT pending_operations_operation_of_kind CHECK (
        operation = 'settle' AND kind = 1 OR operation = 'remove' AND kind IN (1, 2, 3)
        OR operation = 'leave' AND kind = 0 AND item_id = user_id)
);
COMMENT ON TABLE pending_operations IS 'What requests have committed to and a background job still has to do.';
COMMENT ON COLUMN pending_operations.kind IS '0 the user, 1 course, 2 document, 3 task.';
COMMENT ON COLUMN pending_operations.operation IS
    'settle: give a course''s documents and tasks its status; remove: delete an item, a course with its contents; leave: delete the user.';
COMMENT ON COLUMN pending_operations.actor_id IS 'Who asked for it, for the change log; null: the service itself.';
COMMENT ON COLUMN pending_operations.retry_at IS 'Set to a later time after a failure; until then the job leaves the operation alone.';

-- A user who is being deleted: signed out, without an address, and invisible to everybody.
ALTER TABLE users ADD COLUMN deleted_at timestamptz;
ALTER TABLE users ADD CONSTRAINT users_deleted_are_inactive CHECK (deleted_at IS NULL OR NOT is_active);
COMMENT ON COLUMN users.deleted_at IS 'When the user deleted their account; the row goes once everything they owned is deleted.';

CREATE VIEW current_courses AS
SELECT user_id, id, name, description, color, icon, status, version, created_at, updated_at, deleted_at
FROM courses
WHERE NOT EXISTS (
    SELECT FROM pending_operations AS pending
    WHERE pending.user_id = courses.user_id AND pending.item_id = courses.id AND operation = 'remove');

-- An item is active if it was not moved to the trash itself and its course, if it has one, is active.
CREATE VIEW current_documents AS
SELECT item.user_id, item.id, item.course_id, item.title, item.original_text, item.formatted_note, item.excerpt,
    item.excerpt_is_own, item.processing_time, item.metadata,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN 'trash' ELSE course.status END AS status,
    item.version, item.created_at, item.updated_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN item.deleted_at ELSE course.deleted_at END AS deleted_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL OR course.status = 'active' THEN NULL ELSE course.id END
        AS trashed_with,
    item.image_id
FROM documents AS item JOIN courses AS course ON course.user_id = item.user_id AND course.id = item.course_id
WHERE NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.id AND operation = 'remove')
    AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.course_id AND operation = 'remove');

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

COMMENT ON VIEW current_courses IS 'Courses without those that are being deleted.';
COMMENT ON VIEW current_documents IS 'Documents as readers see them while operations are pending.';
COMMENT ON VIEW current_tasks IS 'Tasks as readers see them while operations are pending.';

-- What is deleted together with its owner's log is not logged first.
DROP TRIGGER courses_log ON courses;
DROP TRIGGER documents_log ON documents;
DROP TRIGGER tasks_log ON tasks;
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE OR DELETE ON courses FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION courses_log();
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION documents_log();
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tasks_log();
DROP TRIGGER users_log ON users;
CREATE TRIGGER users_log AFTER INSERT OR UPDATE ON users FOR EACH ROW
    WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION users_log();

-- For the clean-up of the trash: it looks for what went to the trash by itself, since the rest goes with its course.
DROP INDEX documents_deleted_at_idx;
DROP INDEX tasks_deleted_at_idx;
CREATE INDEX documents_deleted_at_idx ON documents (deleted_at) WHERE status = 'trash' AND trashed_with IS NULL;
CREATE INDEX tasks_deleted_at_idx ON tasks (deleted_at) WHERE status = 'trash' AND trashed_with IS NULL;
