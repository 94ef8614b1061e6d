-- When a task is due. A date counts as its start in UTC. Indexes contain the result, so a changed text needs a REINDEX.
CREATE OR REPLACE FUNCTION due_instant(due_at timestamptz, due_on date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(due_at, due_on::timestamp AT TIME ZONE 'UTC')
$$;
