-- Returns the length and the SHA-256 of a text.
CREATE OR REPLACE FUNCTION digest_of(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT jsonb_build_object('length', length(value), 'sha256', encode(sha256(convert_to(value, 'UTF8')), 'hex'))
$$;
