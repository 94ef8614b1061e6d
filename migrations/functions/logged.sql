-- Returns a value as the change log shows it: the text itself, or its length and SHA-256 if it is longer than 500 characters.
CREATE OR REPLACE FUNCTION logged(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF length(value) > 500 THEN
        RETURN digest_of(value);
    END IF;
    RETURN to_jsonb(value);
END
$$;
