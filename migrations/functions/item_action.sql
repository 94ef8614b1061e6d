-- Returns what an update of an item did, by its deleted_at before and after (see item_before_update). PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION item_action(old_deleted_at timestamptz, new_deleted_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN old_deleted_at IS NOT DISTINCT FROM new_deleted_at THEN 'UPDATED'
        WHEN new_deleted_at IS NOT NULL THEN 'TRASHED'
        ELSE 'RESTORED'
    END
$$;
