-- Returns what an update of an item did, by its deleted_at before and after (see item_before_update).
CREATE OR REPLACE FUNCTION item_action(old_deleted_at timestamptz, new_deleted_at timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old_deleted_at IS NOT DISTINCT FROM new_deleted_at THEN
        RETURN 'UPDATED';
    ELSIF new_deleted_at IS NOT NULL THEN
        RETURN 'TRASHED';
    END IF;
    RETURN 'RESTORED';
END
$$;
