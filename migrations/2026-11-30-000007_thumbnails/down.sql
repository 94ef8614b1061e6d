-- The thumbnails' objects stay in the store, under `thumbnails/`, where they can be deleted.
ALTER TABLE image_objects
    DROP COLUMN thumbnail_type,
    DROP COLUMN thumbnail_width,
    DROP COLUMN thumbnail_height,
    DROP COLUMN thumbnail_at,
    DROP COLUMN thumbnail_attempts;

CREATE OR REPLACE FUNCTION documents_leave_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE image_objects SET state = 'removing', sweep_at = now() WHERE user_id = OLD.user_id AND id = OLD.image_id;
    RETURN NULL;
END
$$;
