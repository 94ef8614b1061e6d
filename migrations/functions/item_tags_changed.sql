-- Counts the change of an item's tags as a change of the item, and logs it. `changed` has the rows that a statement inserted into
-- or deleted from the table of tags. The argument is the table of the items.
--
-- All changes of an item in one transaction are one change, for example a new title and two statements on its tags. The first of
-- them increments the version and writes the entry of the log. Those of tags are added to that entry. The entry of a creation
-- shows no fields, so it stays as it is.
CREATE OR REPLACE FUNCTION item_tags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'UPDATE %I AS item SET version = item.version + 1
        WHERE (item.user_id, item.id) IN (SELECT user_id, item_id FROM changed) AND NOT EXISTS (
            SELECT FROM audit_logs WHERE user_id = item.user_id AND xid = pg_current_xact_id() AND entity_id = item.id)',
        TG_ARGV[0]);
    -- A row is in `changed` and in the table if it was inserted. It is in only one of them if the item had the tag before.
    EXECUTE format(
        'UPDATE audit_logs AS entry SET changes = coalesce(entry.changes, ''{}'') || jsonb_build_object(
            ''tagIds'', jsonb_build_object(''old'', coalesce(entry.changes #> ''{tagIds,old}'', tags.old), ''new'', tags.new))
        FROM (
            SELECT user_id, item_id,
                coalesce(jsonb_agg(tag_id ORDER BY tag_id) FILTER (WHERE places = 1), ''[]'') AS old,
                coalesce(jsonb_agg(tag_id ORDER BY tag_id) FILTER (WHERE is_present), ''[]'') AS new
            FROM (
                SELECT user_id, item_id, tag_id, count(*) AS places, bool_or(is_present) AS is_present
                FROM (
                    SELECT user_id, item_id, tag_id, false AS is_present FROM changed
                    UNION ALL
                    SELECT user_id, item_id, tag_id, true FROM %I
                    WHERE (user_id, item_id) IN (SELECT user_id, item_id FROM changed)
                ) AS tag GROUP BY user_id, item_id, tag_id
            ) AS tag GROUP BY user_id, item_id
        ) AS tags JOIN %I AS item ON item.user_id = tags.user_id AND item.id = tags.item_id
        WHERE entry.user_id = item.user_id AND entry.xid = pg_current_xact_id() AND entry.entity_id = item.id
            AND entry.version = item.version AND entry.action <> ''CREATED''',
        TG_TABLE_NAME, TG_ARGV[0]);
    RETURN NULL;
END
$$;
