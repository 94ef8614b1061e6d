-- As changed(), for the texts of a note: the log never contains their words, however few, only lengths and SHA-256.
CREATE OR REPLACE FUNCTION changed_note(field text, old_value text, new_value text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN old_value IS NOT DISTINCT FROM new_value THEN '{}'::jsonb
        ELSE jsonb_build_object(field, jsonb_build_object('old', digest_of(old_value), 'new', digest_of(new_value))) END
$$;
