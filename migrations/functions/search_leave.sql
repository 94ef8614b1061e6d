-- Deletes the search entries of the items that a statement deleted, and queues their words for the clean-up job.
CREATE OR REPLACE FUNCTION search_leave() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT user_id, id FROM deleted LOOP
        DELETE FROM search_entries WHERE user_id = item.user_id AND id = item.id;
    END LOOP;
    INSERT INTO search_departed (user_id, item_id) SELECT user_id, id FROM deleted ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
