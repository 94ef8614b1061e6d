-- Returns {field: {old, new}} for a field that changed, {} for a field that did not. It is STABLE, like the functions that it calls, so
-- that PostgreSQL inlines it. A log function calls it for each field, and few fields change.
CREATE OR REPLACE FUNCTION changed(field text, old_value text, new_value text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN old_value IS NOT DISTINCT FROM new_value THEN '{}'::jsonb
        ELSE jsonb_build_object(field, jsonb_build_object('old', logged(old_value), 'new', logged(new_value))) END
$$;
