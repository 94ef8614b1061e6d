-- Users :from to :to, each with :documents documents of :sentences sentences out of 20,000. On a migrated database:
-- psql -d DATABASE -v from=0 -v to=10 -v documents=1000 -v sentences=6 -f benches/search/seed.sql
\set ON_ERROR_STOP 1
SELECT setseed(0.5);
-- 30,000 words made of syllables. The n-th word has a frequency of 1/n, as in natural languages.
CREATE TABLE IF NOT EXISTS bench_words AS
SELECT n, (SELECT string_agg((ARRAY['ba','cor','den','fi','gra','hol','in','jus','ka','lem','mor','nu','or','per','qua','ri',
    'sta','tion','ul','ver','wa','xi','yo','zen','ma','trix','ei','gen','val','ue','pro','ject'])[1 + get_byte(hash, at)  % 32], '')
    FROM generate_series(0, 1 + n % 3) AS at) AS word
FROM generate_series(1, 30000) AS n, LATERAL sha256(n::text::bytea) AS hash;
CREATE UNIQUE INDEX IF NOT EXISTS bench_words_n ON bench_words (n);
CREATE TABLE IF NOT EXISTS bench_sentences AS
SELECT number AS n, string_agg(word, ' ') || '.' AS sentence
FROM generate_series(0, 19999) AS number, generate_series(1, 14) AS at,
    LATERAL (SELECT greatest(1, floor(exp(('x' || substr(md5(number || ':' || at), 1, 7))::bit(28)::int / 268435456.0 * ln(30000))))::int AS wanted) AS w
    JOIN bench_words ON bench_words.n = w.wanted
GROUP BY number;
CREATE UNIQUE INDEX IF NOT EXISTS bench_sentences_n ON bench_sentences (n);
INSERT INTO users (id, email, email_key, name)
SELECT md5('reader' || u)::uuid, 'reader' || u || '@example.test', 'reader' || u || '@example.test', 'Reader ' || u FROM generate_series(:from, :to) u;
INSERT INTO user_profiles (user_id) SELECT md5('reader' || u)::uuid FROM generate_series(:from, :to) u;
INSERT INTO sessions (user_id, id, refresh_token_hash, expires_at)
SELECT md5('reader' || u)::uuid, md5('reading' || u)::uuid, sha256('none'), now() + interval '30 days' FROM generate_series(:from, :to) u;
INSERT INTO courses (user_id, id, name) SELECT md5('reader' || u)::uuid, md5('read' || u)::uuid, 'Course' FROM generate_series(:from, :to) u;
-- Bulk load: disables the triggers, and creates the indexes afterwards.
ALTER TABLE documents DISABLE TRIGGER USER;
DROP INDEX documents_title_folded_idx, documents_metadata_idx;
-- Interleaves the documents of all users.
INSERT INTO documents (user_id, id, course_id, title, title_folded, original_text, formatted_note, excerpt, created_at, updated_at)
SELECT md5('reader' || u)::uuid, md5('page' || u || ':' || d)::uuid, md5('read' || u)::uuid, left(split_part(s[1], '.', 1), 60),
    lower(left(split_part(s[1], '.', 1), 60)), '', array_to_string(s, ' '), '', t, t
FROM generate_series(1, :documents) d, generate_series(:from, :to) u,
    LATERAL (SELECT now() - (u % 7 + d) * interval '1 hour' AS t) AS x,
    LATERAL (SELECT array_agg(sentence) AS s FROM bench_sentences WHERE n = ANY (ARRAY(
        SELECT (('x' || substr(md5(u || ':' || d || ':' || k), 1, 7))::bit(28)::int) % 20000 FROM generate_series(1, :sentences) k))) AS y;
ALTER TABLE documents ENABLE TRIGGER USER;
SET maintenance_work_mem = '512MB';
CREATE INDEX documents_title_folded_idx ON documents (user_id, id) INCLUDE (title_folded) WHERE title_folded IS NOT NULL;
CREATE INDEX documents_metadata_idx ON documents USING gin (search_owned(user_id, metadata) jsonb_path_ops) WITH (fastupdate = off);
VACUUM (ANALYZE) documents;
