-- Returns the words of a folded text in their owner's scope, after those of the title. Halves the text until it fits into a
-- tsvector, and keeps the start.
CREATE OR REPLACE FUNCTION search_lexemes(owner uuid, folded text, title tsvector DEFAULT '') RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN title || to_tsvector('pg_catalog.simple', replace(rtrim(folded), ' ', ' ' || search_scope(owner)));
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN search_lexemes(owner, left(folded, length(folded) / 2), title);
END
$$;
