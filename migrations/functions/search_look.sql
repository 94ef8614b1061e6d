-- Returns what a printed word looks like: characters that text recognition confuses become the same.
CREATE OR REPLACE FUNCTION search_look(word text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(replace(replace(replace(word, 'rn', 'm'), 'cl', 'd'), 'vv', 'w'), '01i5', 'olls')
$$;
