-- The extension btree_gin stays dropped: no earlier migration needs it.
ALTER TABLE search_indexes DROP COLUMN generation;
