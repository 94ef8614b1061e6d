-- Indexes for parts of titles and email addresses, and for JSON containment. The words of texts are not indexed here: each process
-- keeps an index of each user's items in memory (src/search).

CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Parts of titles and email addresses. The planner uses these indexes, or reads the owner's rows if they are fewer. The migration
-- of folded titles replaces the indexes of titles.
CREATE INDEX courses_name_trigrams_idx ON courses USING gin (user_id, name gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX documents_title_trigrams_idx ON documents USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX tasks_title_trigrams_idx ON tasks USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX users_email_trigrams_idx ON users USING gin (lower(email) gin_trgm_ops) WITH (fastupdate = off);

-- JSON containment.
\ir ../functions/search_owned.sql
CREATE INDEX documents_metadata_idx ON documents
    USING gin (search_owned(user_id, metadata) jsonb_path_ops) WITH (fastupdate = off);
