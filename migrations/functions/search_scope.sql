-- Returns the five letters that all lexemes of an owner begin with. Two owners can share them, so readers must also compare
-- the owner.
CREATE OR REPLACE FUNCTION search_scope(owner uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(substr(md5(owner::text), 1, 5), '0123456789abcdef', 'ghijklmnopqrstuv')
$$;
