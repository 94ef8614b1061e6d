-- Prepares a migrated, empty database for inserting many rows: no triggers, no checks of foreign keys, and no indexes except those
-- of constraints. end.sql creates the indexes. Run by benches/scale/run.
\set ON_ERROR_STOP 1
SET synchronous_commit = off;
CREATE TABLE scale_indexes AS
SELECT pg_get_indexdef(indexrelid) AS definition, indexrelid::regclass::text AS name
FROM pg_index
WHERE indrelid::regclass::text IN ('courses', 'documents', 'tasks', 'audit_logs')
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid);
SELECT format('DROP INDEX %I', name) FROM scale_indexes \gexec

-- Sentences of ten words, from which titles and texts are made: 200 words, of which 180 are rare.
CREATE TABLE scale_words AS
SELECT n, prefix || root || ending AS word
FROM (SELECT row_number() OVER () - 1 AS n, prefix, root, ending
    FROM unnest(array['neuro', 'photo', 'macro', 'micro', 'hydro']) AS prefix,
        unnest(array['dynam', 'synth', 'graph', 'morph', 'genet', 'chrom', 'metr', 'log']) AS root,
        unnest(array['ics', 'esis', 'ical', 'ology', 'ism']) AS ending) AS parts;
CREATE TABLE scale_sentences AS
SELECT s AS n, 'The ' || string_agg(word || CASE WHEN place % 2 = 0 THEN ' of' ELSE ' and' END, ' ' ORDER BY place) || ' exam.' AS body
FROM generate_series(0, 4999) AS s, generate_series(1, 5) AS place, scale_words
WHERE scale_words.n = abs(hashint4(s * 5 + place)) % 200
GROUP BY s;
CREATE UNIQUE INDEX ON scale_words (n) INCLUDE (word);
CREATE UNIQUE INDEX ON scale_sentences (n) INCLUDE (body);
ANALYZE scale_words, scale_sentences;
