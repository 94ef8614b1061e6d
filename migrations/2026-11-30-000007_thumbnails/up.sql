-- Thumbnails of images (src/images/thumbnails.rs). The row of an image stands for its thumbnail too: both objects are removed together.
--
-- The default of thumbnail_at makes thumbnails due for images that exist, and for those that programs of the previous release set.

ALTER TABLE image_objects
    ADD COLUMN thumbnail_type text,
    ADD COLUMN thumbnail_width integer,
    ADD COLUMN thumbnail_height integer,
    ADD COLUMN thumbnail_at timestamptz DEFAULT now(),
    ADD COLUMN thumbnail_attempts smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT image_objects_thumbnail_complete CHECK (num_nulls(thumbnail_type, thumbnail_width, thumbnail_height) IN (0, 3)),
    ADD CONSTRAINT image_objects_thumbnail_type_known CHECK (thumbnail_type IN ('image/jpeg', 'image/png')),
    ADD CONSTRAINT image_objects_thumbnail_dimensions_range CHECK (
        thumbnail_width BETWEEN 1 AND 512 AND thumbnail_height BETWEEN 1 AND 512);
COMMENT ON COLUMN image_objects.thumbnail_type IS 'For an image with a thumbnail, the thumbnail''s media type.';
COMMENT ON COLUMN image_objects.thumbnail_at IS
    'The earliest time at which a process may make the thumbnail. Null if it is made, or cannot be made.';
COMMENT ON COLUMN image_objects.thumbnail_attempts IS 'The number of attempts that began and have not ended.';
-- For the background job. After five processes died, no other one tries.
CREATE INDEX image_objects_thumbnail_at_idx ON image_objects (thumbnail_at)
    WHERE state = 'stored' AND thumbnail_at IS NOT NULL AND thumbnail_attempts < 5;

\ir ../functions/documents_leave_image.sql
