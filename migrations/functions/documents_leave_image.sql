-- Gives the image of a document to the clean-up job. It runs whenever a document loses its image: when the image is replaced
-- or removed, and when the document, its course or its owner is deleted. If a process may be writing the image's thumbnail, the
-- clean-up waits for it.
CREATE OR REPLACE FUNCTION documents_leave_image() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- A variable, because Citus rejects now() beside a column.
    present timestamptz := now();
BEGIN
    UPDATE image_objects SET state = 'removing', sweep_at = greatest(present, thumbnail_at)
    WHERE user_id = OLD.user_id AND id = OLD.image_id;
    RETURN NULL;
END
$$;
