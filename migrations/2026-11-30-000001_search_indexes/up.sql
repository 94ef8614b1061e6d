-- Stored search indexes. The service builds each from a user's items and the change log. A stored index may be outdated, and can
-- be deleted at any time. Writes of items do not change it.

-- Development versions kept words in tables, by triggers.
DROP TABLE IF EXISTS search_departed, search_words, search_entries;
DROP FUNCTION IF EXISTS courses_search, documents_search, tasks_search, courses_search_move, search_move, search_leave CASCADE;
DROP FUNCTION IF EXISTS search_enter, search_learn, search_lexemes, search_start, search_look, search_scope, search_fold;

CREATE TABLE search_indexes (
    user_id uuid NOT NULL,
    part integer NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT search_indexes_pkey PRIMARY KEY (user_id, part),
    CONSTRAINT search_indexes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT search_indexes_part_from_zero CHECK (part >= 0)
);
COMMENT ON TABLE search_indexes IS 'The stored index of each user''s items. To have it rebuilt, delete the user''s rows.';
COMMENT ON COLUMN search_indexes.part IS 'Long indexes are stored in parts of 1 MiB, numbered from 0.';
COMMENT ON COLUMN search_indexes.data IS 'The part, in the encoding of src/search/stored.rs.';
-- The data is compact already.
ALTER TABLE search_indexes ALTER COLUMN data SET STORAGE EXTERNAL;
