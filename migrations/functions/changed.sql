-- Returns {field: {old, new}} for a field that changed, {} for a field that did not.
CREATE OR REPLACE FUNCTION changed(field text, old_value text, new_value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old_value IS NOT DISTINCT FROM new_value THEN
        RETURN '{}';
    END IF;
    RETURN jsonb_build_object(field, jsonb_build_object('old', logged(old_value), 'new', logged(new_value)));
END
$$;
