DROP TRIGGER documents_image_left ON documents;
DROP TRIGGER documents_image_replaced ON documents;
DROP FUNCTION documents_leave_image();
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
        || changed('metadata', OLD.metadata::text, NEW.metadata::text);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
ALTER TABLE documents DROP COLUMN image_id;
DROP TABLE image_objects;
