-- A process that has an index in memory must notice that `snapnote reindex` or the background job has replaced the stored one.
ALTER TABLE search_indexes ADD COLUMN generation uuid;
COMMENT ON COLUMN search_indexes.generation IS
    'Identifies the complete build that the index comes from. Null if a search built it. Processes drop indexes of another generation.';

-- No index uses btree_gin any more. The extension stays if something else in the database uses it, or if another role owns it.
DO $$
BEGIN
    DROP EXTENSION IF EXISTS btree_gin;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END
$$;
