-- Logs what happens to a document. A test checks that it logs every column.
--
-- A move to the trash or back reads and decompresses the texts only if they changed in the same update, as the trigger
-- documents_text_changed records.
CREATE OR REPLACE FUNCTION documents_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, acting_user(NEW.user_id), 'CREATED', 'Document', NEW.id, NEW.version);
    ELSIF TG_OP = 'DELETE' THEN
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, acting_user(OLD.user_id), 'DELETED', 'Document', OLD.id, OLD.version, diff);
    ELSIF NEW.version <> OLD.version THEN
        action := item_action(OLD.deleted_at, NEW.deleted_at);
        diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
            || changed('title', OLD.title, NEW.title)
            || changed_note('excerpt', OLD.excerpt, NEW.excerpt)
            || changed('processingTime', OLD.processing_time::text, NEW.processing_time::text)
            || changed('metadata', OLD.metadata::text, NEW.metadata::text)
            || changed('image', OLD.image_id::text, NEW.image_id::text);
        IF action = 'UPDATED' OR current_setting('snapnote.documents_text_changed', true) = 'on' THEN
            diff := diff || changed_note('originalText', OLD.original_text, NEW.original_text)
                || changed_note('formattedNote', OLD.formatted_note, NEW.formatted_note);
        END IF;
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (NEW.user_id, acting_user(NEW.user_id), action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    END IF;
    RETURN NULL;
END
$$;
