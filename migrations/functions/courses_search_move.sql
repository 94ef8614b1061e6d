-- As search_move(), for courses, which are in no course.
CREATE OR REPLACE FUNCTION courses_search_move() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT user_id, id, status = 'active' AS is_active, updated_at FROM changed LOOP
        UPDATE search_entries SET is_active = item.is_active, touched_at = item.updated_at
        WHERE user_id = item.user_id AND id = item.id
            AND (is_active, touched_at) IS DISTINCT FROM (item.is_active, item.updated_at);
    END LOOP;
    RETURN NULL;
END
$$;
