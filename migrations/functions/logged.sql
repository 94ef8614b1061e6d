-- Returns a value as the change log shows it: the text itself, or its length and SHA-256 if it is longer than 500 characters.
CREATE OR REPLACE FUNCTION logged(value text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(value) > 500 THEN digest_of(value) ELSE to_jsonb(value) END
$$;
