\set n random(1, 3)
WITH query AS MATERIALIZED (SELECT websearch_to_tsquery('english', (ARRAY['matrix', 'waverproei', 'jectdenverzen'])[:n]) AS words)
SELECT id FROM documents, query WHERE user_id = md5('reader0')::uuid AND status = 'active'
    AND to_tsvector('english', title || ' ' || formatted_note || ' ' || original_text) @@ words
ORDER BY ts_rank(to_tsvector('english', title || ' ' || formatted_note || ' ' || original_text), words) DESC LIMIT 20;
