-- The order of tasks by when they were completed. Open tasks come last in both directions, as tasks without a due date do.
CREATE INDEX tasks_completed_at_asc_idx ON tasks (user_id, status, coalesce(completed_at, 'infinity'), id);
CREATE INDEX tasks_completed_at_desc_idx ON tasks (user_id, status, coalesce(completed_at, '-infinity') DESC, id DESC);
