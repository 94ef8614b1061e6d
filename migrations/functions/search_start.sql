-- Returns the part of a text that is searched: its first 200,000 characters.
CREATE OR REPLACE FUNCTION search_start(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(coalesce(value, ''), 200000)
$$;
