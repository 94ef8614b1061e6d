-- Images of documents. An object store has their bytes, under keys that contain nothing but a random id.
--
-- A row exists before the first byte of its object is written, and stays as long as a process could still write the object. So
-- the clean-up job finds unneeded objects here, without listing the store, and never removes one that a document refers to.

-- No foreign key to users or documents: a row outlives both until its object is removed.
CREATE TABLE image_objects (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    content_type text NOT NULL,
    byte_size integer NOT NULL,
    width integer,
    height integer,
    upload_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    sweep_at timestamptz,
    CONSTRAINT image_objects_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT image_objects_id_key UNIQUE (id),
    CONSTRAINT image_objects_kind_known CHECK (kind IN ('upload', 'image')),
    CONSTRAINT image_objects_state_known CHECK (state = 'removing'
        OR (kind = 'upload' AND state = 'open') OR (kind = 'image' AND state IN ('pending', 'stored'))),
    CONSTRAINT image_objects_content_type_known CHECK (content_type IN ('image/jpeg', 'image/png', 'image/webp', 'image/gif')),
    CONSTRAINT image_objects_byte_size_range CHECK (byte_size BETWEEN 1 AND 20971520),
    CONSTRAINT image_objects_dimensions_of_images CHECK (
        kind = 'upload' AND width IS NULL AND height IS NULL OR kind = 'image' AND width > 0 AND height > 0),
    CONSTRAINT image_objects_expires_at_of_uploads CHECK ((kind = 'upload') = (expires_at IS NOT NULL)),
    CONSTRAINT image_objects_sweep_at_unless_stored CHECK ((state = 'stored') = (sweep_at IS NULL))
);
COMMENT ON TABLE image_objects IS 'Objects that are in the object store, or may be.';
COMMENT ON COLUMN image_objects.id IS 'Random. The key of the object contains it.';
COMMENT ON COLUMN image_objects.kind IS 'upload: the bytes as the client sent them. image: checked and cleaned bytes.';
COMMENT ON COLUMN image_objects.state IS
    'open: the client may upload. pending: being written. stored: a document has it. removing: unneeded.';
COMMENT ON COLUMN image_objects.byte_size IS 'For an upload, the size that the client announced.';
COMMENT ON COLUMN image_objects.upload_id IS 'For an image, the upload that it was made from.';
COMMENT ON COLUMN image_objects.expires_at IS 'For an upload, the latest time at which it may begin.';
COMMENT ON COLUMN image_objects.sweep_at IS
    'The earliest time at which the clean-up job may remove object and row. Null while a document has it.';
CREATE INDEX image_objects_open_idx ON image_objects (user_id, expires_at) WHERE state = 'open';
-- For the clean-up job, the only reader of all owners' rows.
CREATE INDEX image_objects_sweep_at_idx ON image_objects (sweep_at) WHERE state <> 'stored';
