-- Due dates without a time, and manual order.

ALTER TABLE tasks
    ADD COLUMN due_on date,
    ADD COLUMN position text COLLATE "C",
    ADD CONSTRAINT tasks_due_once CHECK (due_at IS NULL OR due_on IS NULL),
    ADD CONSTRAINT tasks_position_printable CHECK (position ~ '^[ -~]{1,100}$');
COMMENT ON COLUMN tasks.due_on IS 'The task is due on this date, all day. Lists treat it as the start of the date in UTC.';
COMMENT ON COLUMN tasks.position IS 'The manual sort position, chosen by clients: 1-100 printable ASCII characters, compared byte by byte.';

\ir ../functions/due_instant.sql
-- As before, tasks without a due date come last in both directions.
DROP INDEX tasks_due_at_asc_idx, tasks_due_at_desc_idx;
CREATE INDEX tasks_due_asc_idx ON tasks (user_id, status, coalesce(due_instant(due_at, due_on), 'infinity'), id);
CREATE INDEX tasks_due_desc_idx ON tasks (user_id, status, coalesce(due_instant(due_at, due_on), '-infinity') DESC, id DESC);
-- Tasks without a position come last in both directions: after all printable characters, and before all texts that are not empty.
CREATE INDEX tasks_position_asc_idx ON tasks (user_id, status, coalesce(position, E'\x7F'), id);
CREATE INDEX tasks_position_desc_idx ON tasks (user_id, status, coalesce(position, '') DESC, id DESC);

CREATE OR REPLACE VIEW current_tasks AS
SELECT item.user_id, item.id, item.course_id, item.title, item.description, item.completed_at, item.due_at, item.priority,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN 'trash' ELSE coalesce(course.status, 'active') END AS status,
    item.version, item.created_at, item.updated_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN item.deleted_at ELSE course.deleted_at END AS deleted_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL OR course.status = 'active' THEN NULL ELSE course.id END
        AS trashed_with,
    item.due_on, item.position
FROM tasks AS item LEFT JOIN courses AS course ON course.user_id = item.user_id AND course.id = item.course_id
WHERE NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.id AND operation = 'remove')
    AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.course_id AND operation = 'remove');

\ir ../functions/logged_time.sql
\ir ../functions/tasks_log.sql
