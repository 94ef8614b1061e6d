-- Indexes for parts of email addresses and for JSON containment. The words of texts are not indexed here: each process keeps an index
-- of each user's items in memory (src/search).

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE INDEX users_email_trigrams_idx ON users USING gin (lower(email) gin_trgm_ops) WITH (fastupdate = off);

-- JSON containment.
\ir ../functions/search_owned.sql
CREATE INDEX documents_metadata_idx ON documents
    USING gin (search_owned(user_id, metadata) jsonb_path_ops) WITH (fastupdate = off);
