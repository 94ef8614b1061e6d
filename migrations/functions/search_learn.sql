-- Adds an item's words to its owner's dictionary, and marks as lost the words that the item brought and no longer contains.
-- Two transactions may add the same word twice, so that neither waits for the other.
--
-- A long note has 100,000 words, and a cached plan may date from a time with ten. Every word therefore costs one search in the
-- vector or one index look-up, whatever the plan is.
CREATE OR REPLACE FUNCTION search_learn(owner uuid, item uuid, lexemes tsvector) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    scope CONSTANT text := search_scope(owner);
    lost bigint[];
BEGIN
    UPDATE search_words SET item_id = NULL, lost_at = now()
    WHERE item_id = item AND user_id = owner AND NOT lexemes @@ quote_literal(scope || word)::tsquery;
    -- The item takes over lost words that it contains. Otherwise the clean-up job would delete them, since it cannot see what
    -- this transaction writes. OFFSET 0 keeps one index look-up per word, whatever the planner knows of lost words.
    lost := ARRAY(
        SELECT known.id FROM unnest(tsvector_to_array(lexemes)) AS lexeme
        CROSS JOIN LATERAL (
            SELECT id, lost_at FROM search_words WHERE user_id = owner AND word = substr(lexeme, 6) OFFSET 0
        ) AS known
        WHERE length(lexeme) BETWEEN 8 AND 69 AND known.lost_at IS NOT NULL);
    IF cardinality(lost) > 0 THEN
        UPDATE search_words SET item_id = item, lost_at = NULL WHERE id = ANY (ARRAY(
            SELECT id FROM search_words WHERE id = ANY (lost) AND CASE WHEN lost_at IS NULL THEN false ELSE true END ORDER BY id FOR UPDATE));
    END IF;
    INSERT INTO search_words (user_id, word, stem, look, item_id)
    SELECT owner, new.word, coalesce((ts_lexize('pg_catalog.english_stem', new.word))[1], new.word), search_look(new.word), item
    FROM (
        SELECT substr(lexeme, 6) AS word FROM unnest(tsvector_to_array(lexemes)) AS lexeme WHERE length(lexeme) BETWEEN 8 AND 69
    ) AS new
    LEFT JOIN LATERAL (SELECT true AS there FROM search_words WHERE user_id = owner AND search_words.word = new.word LIMIT 1) AS known ON true
    WHERE known.there IS NULL;
END
$$;
