DROP TRIGGER documents_text_changed ON documents;
DROP TRIGGER courses_search_insert ON courses;
DROP TRIGGER courses_search_update ON courses;
DROP TRIGGER courses_search_move ON courses;
DROP TRIGGER courses_search_leave ON courses;
DROP TRIGGER documents_search_insert ON documents;
DROP TRIGGER documents_search_update ON documents;
DROP TRIGGER documents_search_move ON documents;
DROP TRIGGER documents_search_leave ON documents;
DROP TRIGGER tasks_search_insert ON tasks;
DROP TRIGGER tasks_search_update ON tasks;
DROP TRIGGER tasks_search_move ON tasks;
DROP TRIGGER tasks_search_leave ON tasks;
DROP FUNCTION documents_text_changed, search_leave, search_move, courses_search_move;

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

CREATE OR REPLACE FUNCTION search_learn(owner uuid, item uuid, lexemes tsvector) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    scope CONSTANT text := search_scope(owner);
BEGIN
    UPDATE search_words SET item_id = NULL, lost_at = now()
    WHERE item_id = item AND user_id = owner AND NOT lexemes @@ quote_literal(scope || word)::tsquery;
    -- The sweep must not forget what this transaction has and it cannot see yet.
    UPDATE search_words SET item_id = item, lost_at = NULL WHERE id IN (
        SELECT id FROM search_words
        WHERE user_id = owner AND lost_at IS NOT NULL AND lexemes @@ quote_literal(scope || word)::tsquery
        ORDER BY id FOR UPDATE);
    INSERT INTO search_words (user_id, word, stem, look, item_id)
    SELECT owner, new.word, coalesce((ts_lexize('pg_catalog.english_stem', new.word))[1], new.word), search_look(new.word), item
    FROM (
        SELECT substr(lexeme, 6) AS word FROM unnest(tsvector_to_array(lexemes)) AS lexeme WHERE length(lexeme) BETWEEN 8 AND 69
    ) AS new
    LEFT JOIN LATERAL (SELECT true AS there FROM search_words WHERE user_id = owner AND search_words.word = new.word LIMIT 1) AS known ON true
    WHERE known.there IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION courses_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.name, OLD.description) IS DISTINCT FROM (NEW.name, NEW.description) THEN
        PERFORM search_enter(NEW.user_id, NEW.id, 1::smallint, NULL, NEW.status, NEW.updated_at, NEW.name,
            search_start(NEW.description));
    ELSE
        PERFORM search_move(NEW.user_id, NEW.id, NULL, NEW.status, NEW.updated_at);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION documents_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.title, OLD.formatted_note, OLD.original_text)
            IS DISTINCT FROM (NEW.title, NEW.formatted_note, NEW.original_text) THEN
        PERFORM search_enter(NEW.user_id, NEW.id, 2::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
            search_start(NEW.formatted_note), search_start(NEW.original_text));
    ELSE
        PERFORM search_move(NEW.user_id, NEW.id, NEW.course_id, NEW.status, NEW.updated_at);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tasks_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (OLD.title, OLD.description) IS DISTINCT FROM (NEW.title, NEW.description) THEN
        PERFORM search_enter(NEW.user_id, NEW.id, 3::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
            search_start(NEW.description));
    ELSE
        PERFORM search_move(NEW.user_id, NEW.id, NEW.course_id, NEW.status, NEW.updated_at);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION item_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    IF OLD.status = NEW.status THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION search_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_entries WHERE user_id = OLD.user_id AND id = OLD.id;
    UPDATE search_words SET item_id = NULL, lost_at = now() WHERE user_id = OLD.user_id AND item_id = OLD.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION search_move(owner uuid, item uuid, course uuid, status text, touched timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE search_entries SET course_id = course, is_active = status = 'active', touched_at = touched
    WHERE user_id = owner AND id = item
$$;

CREATE TRIGGER courses_search AFTER INSERT OR UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION courses_search();
CREATE TRIGGER courses_search_leave AFTER DELETE ON courses FOR EACH ROW EXECUTE FUNCTION search_leave();
CREATE TRIGGER documents_search AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION documents_search();
CREATE TRIGGER documents_search_leave AFTER DELETE ON documents FOR EACH ROW EXECUTE FUNCTION search_leave();
CREATE TRIGGER tasks_search AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_search();
CREATE TRIGGER tasks_search_leave AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION search_leave();

-- The words of deleted items that the sweep has not reached are lost from now on.
UPDATE search_words SET item_id = NULL, lost_at = now() FROM search_departed
WHERE search_words.user_id = search_departed.user_id AND search_words.item_id = search_departed.item_id;
DROP TABLE search_departed;
DROP INDEX search_words_lost_at_idx;
CREATE INDEX search_words_lost_idx ON search_words (user_id, word) WHERE lost_at IS NOT NULL;
