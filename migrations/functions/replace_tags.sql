-- Replaces the active tags of an owner's items, in the table of these items' tags. `tag_items` and `tag_ids` are pairs of an item and
-- a tag that it then has. Returns the items whose tags have changed, possibly more than once. It is one round trip, and not one
-- statement, because item_tags_changed must see what was removed before other tags are added.
CREATE OR REPLACE FUNCTION replace_tags(tags_table text, owner uuid, items uuid[], tag_items uuid[], tag_ids uuid[])
RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM %I AS assigned USING tags
        WHERE assigned.user_id = $1 AND item_id = ANY($2)
            AND tags.user_id = $1 AND id = tag_id AND status = ''active''
            AND (item_id, tag_id) NOT IN (SELECT * FROM unnest($3, $4))
        RETURNING item_id',
        tags_table) USING owner, items, tag_items, tag_ids;
    RETURN QUERY EXECUTE format(
        'INSERT INTO %I (user_id, item_id, tag_id)
        SELECT $1, item_id, tag_id FROM unnest($2, $3) AS pair (item_id, tag_id)
        ON CONFLICT DO NOTHING
        RETURNING item_id',
        tags_table) USING owner, tag_items, tag_ids;
END
$$;
