-- Pictures of documents. Their bytes stand in an object store, under keys made of nothing but an id of ours. An object has
-- its row here before its first byte is written, and keeps it for as long as anybody could still write it: so what nobody
-- needs is found here, the store is never listed, and nothing that a row refers to is ever removed.

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
COMMENT ON TABLE image_objects IS 'What stands in the object store, or may. No foreign key to users or documents: a row outlives them until its object is removed.';
COMMENT ON COLUMN image_objects.id IS 'Random: what the object is named by in the store.';
COMMENT ON COLUMN image_objects.kind IS 'upload: bytes as they were sent; image: checked and cleaned ones.';
COMMENT ON COLUMN image_objects.state IS 'open: may be sent; pending: being written; stored: a document has it; removing: nobody needs it.';
COMMENT ON COLUMN image_objects.byte_size IS 'Of an upload as announced.';
COMMENT ON COLUMN image_objects.upload_id IS 'Of an image: the upload that it was made of.';
COMMENT ON COLUMN image_objects.expires_at IS 'Until when an upload may begin to be sent.';
COMMENT ON COLUMN image_objects.sweep_at IS 'From when on the sweep may remove object and row; null while a document has it.';
CREATE INDEX image_objects_open_idx ON image_objects (user_id, expires_at) WHERE state = 'open';
-- For the sweep: the one reader that asks for everybody's rows.
CREATE INDEX image_objects_sweep_at_idx ON image_objects (sweep_at) WHERE state <> 'stored';

-- The picture of the page that it was made from.
ALTER TABLE documents
    ADD COLUMN image_id uuid,
    ADD CONSTRAINT documents_image_id_fkey FOREIGN KEY (user_id, image_id) REFERENCES image_objects (user_id, id);
CREATE UNIQUE INDEX documents_image_idx ON documents (user_id, image_id) WHERE image_id IS NOT NULL;

-- Whatever takes a document's picture from it (another one, a removal, the document's end, a course's or a user's) leaves
-- the picture to the sweep.
CREATE FUNCTION documents_leave_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE image_objects SET state = 'removing', sweep_at = now() WHERE user_id = OLD.user_id AND id = OLD.image_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER documents_image_replaced AFTER UPDATE OF image_id ON documents FOR EACH ROW
    WHEN (OLD.image_id IS NOT NULL AND OLD.image_id IS DISTINCT FROM NEW.image_id) EXECUTE FUNCTION documents_leave_image();
CREATE TRIGGER documents_image_left AFTER DELETE ON documents FOR EACH ROW
    WHEN (OLD.image_id IS NOT NULL) EXECUTE FUNCTION documents_leave_image();

-- As before, and the picture, by its id.
CREATE OR REPLACE FUNCTION documents_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid;
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        actor := acting_user(NEW.user_id);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, actor, 'CREATED', 'Document', NEW.id, NEW.version);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        actor := acting_user(OLD.user_id);
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, actor, 'DELETED', 'Document', OLD.id, OLD.version, diff);
        RETURN NULL;
    ELSIF NEW.version = OLD.version THEN
        RETURN NULL;
    END IF;
    actor := acting_user(NEW.user_id);
    action := item_action(OLD.status, NEW.status);
    diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
        || changed('title', OLD.title, NEW.title)
        || changed_note('originalText', OLD.original_text, NEW.original_text)
        || changed_note('formattedNote', OLD.formatted_note, NEW.formatted_note)
        || changed_note('excerpt', OLD.excerpt, NEW.excerpt)
        || changed('processingTime', OLD.processing_time::text, NEW.processing_time::text)
        || changed('metadata', OLD.metadata::text, NEW.metadata::text)
        || changed('image', OLD.image_id::text, NEW.image_id::text);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
