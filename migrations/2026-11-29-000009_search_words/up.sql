-- The search's triggers become fit for bulk work, and lost words cost nothing while they wait for the sweep.

-- The sweep reads the oldest lost words off this index; it had to sort all of them for each step. The older index of lost words goes:
-- writers look words up in the index of all words. With both, the planner took either for the other's purpose.
DROP INDEX search_words_lost_idx;
CREATE INDEX search_words_lost_at_idx ON search_words (lost_at, id) WHERE lost_at IS NOT NULL;

-- A deleted item leaves its words to the sweep: a long note has 100,000 of them. No foreign key: a transaction that deletes items would
-- have to lock the user, for whom a deletion of the user and its cascade may wait in turn. The sweep removes the rows of all items.
CREATE TABLE search_departed (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    CONSTRAINT search_departed_pkey PRIMARY KEY (user_id, item_id)
);
COMMENT ON TABLE search_departed IS 'Deleted items. The sweep marks the words that these brought as lost, in steps, and then removes the row.';

-- As before, but lost words are looked up by the item's words, so that their number does not matter.
CREATE OR REPLACE FUNCTION search_learn(owner uuid, item uuid, lexemes tsvector) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    scope CONSTANT text := search_scope(owner);
    lost bigint[];
BEGIN
    UPDATE search_words SET item_id = NULL, lost_at = now()
    WHERE item_id = item AND user_id = owner AND NOT lexemes @@ quote_literal(scope || word)::tsquery;
    -- The sweep must not forget what this transaction has and it cannot see yet. OFFSET 0 keeps this one look-up for each word by the
    -- index of words, whatever the planner knows of lost words.
    lost := ARRAY(
        SELECT known.id FROM unnest(tsvector_to_array(lexemes)) AS lexeme
        CROSS JOIN LATERAL (
            SELECT id, lost_at FROM search_words WHERE user_id = owner AND word = substr(lexeme, 6) OFFSET 0
        ) AS known
        WHERE length(lexeme) BETWEEN 8 AND 69 AND known.lost_at IS NOT NULL);
    IF cardinality(lost) > 0 THEN
        UPDATE search_words SET item_id = item, lost_at = NULL WHERE id = ANY (ARRAY(
            SELECT id FROM search_words WHERE id = ANY (lost) AND CASE WHEN lost_at IS NULL THEN false ELSE true END ORDER BY id FOR UPDATE));
    END IF;
    INSERT INTO search_words (user_id, word, stem, look, item_id)
    SELECT owner, new.word, coalesce((ts_lexize('pg_catalog.english_stem', new.word))[1], new.word), search_look(new.word), item
    FROM (
        SELECT substr(lexeme, 6) AS word FROM unnest(tsvector_to_array(lexemes)) AS lexeme WHERE length(lexeme) BETWEEN 8 AND 69
    ) AS new
    LEFT JOIN LATERAL (SELECT true AS there FROM search_words WHERE user_id = owner AND search_words.word = new.word LIMIT 1) AS known ON true
    WHERE known.there IS NULL;
END
$$;

DROP TRIGGER courses_search ON courses;
DROP TRIGGER courses_search_leave ON courses;
DROP TRIGGER documents_search ON documents;
DROP TRIGGER documents_search_leave ON documents;
DROP TRIGGER tasks_search ON tasks;
DROP TRIGGER tasks_search_leave ON tasks;
DROP FUNCTION search_move(uuid, uuid, uuid, text, timestamptz);

-- Text enters the search item by item, when an item is created or its text has changed.
CREATE OR REPLACE FUNCTION courses_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 1::smallint, NULL, NEW.status, NEW.updated_at, NEW.name, search_start(NEW.description));
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION documents_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 2::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
        search_start(NEW.formatted_note), search_start(NEW.original_text));
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tasks_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 3::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
        search_start(NEW.description));
    RETURN NULL;
END
$$;

-- Everything else about the items that a statement changed, item by item: each is one look-up by the primary key, whatever the
-- statistics say. One joined statement was planned by them, and with outdated ones read all entries of the owner for each item (2.1 s
-- instead of 0.1 s per 1,000 items). Where an item's text changed, its entry is right already. Only the columns that are needed are
-- read: a whole row would be carried along with its texts, read and decompressed.
CREATE FUNCTION courses_search_move() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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

CREATE FUNCTION search_move() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT user_id, id, course_id, status = 'active' AS is_active, updated_at FROM changed LOOP
        UPDATE search_entries SET course_id = item.course_id, is_active = item.is_active, touched_at = item.updated_at
        WHERE user_id = item.user_id AND id = item.id
            AND (course_id, is_active, touched_at) IS DISTINCT FROM (item.course_id, item.is_active, item.updated_at);
    END LOOP;
    RETURN NULL;
END
$$;

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

-- An UPDATE that does not name a text does not compare it: comparing would read and decompress the text.
CREATE TRIGGER courses_search_insert AFTER INSERT ON courses FOR EACH ROW EXECUTE FUNCTION courses_search();
CREATE TRIGGER courses_search_update AFTER UPDATE OF name, description ON courses FOR EACH ROW
    WHEN ((OLD.name, OLD.description) IS DISTINCT FROM (NEW.name, NEW.description)) EXECUTE FUNCTION courses_search();
CREATE TRIGGER courses_search_move AFTER UPDATE ON courses REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION courses_search_move();
CREATE TRIGGER courses_search_leave AFTER DELETE ON courses REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION search_leave();

CREATE TRIGGER documents_search_insert AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION documents_search();
CREATE TRIGGER documents_search_update AFTER UPDATE OF title, formatted_note, original_text ON documents FOR EACH ROW
    WHEN ((OLD.title, OLD.formatted_note, OLD.original_text) IS DISTINCT FROM (NEW.title, NEW.formatted_note, NEW.original_text))
    EXECUTE FUNCTION documents_search();
CREATE TRIGGER documents_search_move AFTER UPDATE ON documents REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_move();
CREATE TRIGGER documents_search_leave AFTER DELETE ON documents REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION search_leave();

CREATE TRIGGER tasks_search_insert AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_search();
CREATE TRIGGER tasks_search_update AFTER UPDATE OF title, description ON tasks FOR EACH ROW
    WHEN ((OLD.title, OLD.description) IS DISTINCT FROM (NEW.title, NEW.description)) EXECUTE FUNCTION tasks_search();
CREATE TRIGGER tasks_search_move AFTER UPDATE ON tasks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION search_move();
CREATE TRIGGER tasks_search_leave AFTER DELETE ON tasks REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION search_leave();

-- As before, but a change of status is told by the status alone: comparing whole rows decompresses their texts.
CREATE OR REPLACE FUNCTION item_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = NEW.status THEN
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
        NEW.updated_at := now();
    END IF;
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;

-- Notes, for documents_log and until the transaction ends, that an update changed a document's status and its text at the same time. The
-- service never does. An update that does not name a text cannot have changed it, so it compares none.
CREATE FUNCTION documents_text_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('snapnote.documents_text_changed', 'on', true);
    RETURN NEW;
END
$$;
CREATE TRIGGER documents_text_changed BEFORE UPDATE OF original_text, formatted_note ON documents FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.original_text, OLD.formatted_note) IS DISTINCT FROM (NEW.original_text, NEW.formatted_note))
    EXECUTE FUNCTION documents_text_changed();

-- As before, but a move to the trash or back does not read and decompress the texts, unless they changed, too.
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
        || changed_note('excerpt', OLD.excerpt, NEW.excerpt)
        || changed('processingTime', OLD.processing_time::text, NEW.processing_time::text)
        || changed('metadata', OLD.metadata::text, NEW.metadata::text)
        || changed('image', OLD.image_id::text, NEW.image_id::text);
    IF OLD.status = NEW.status OR current_setting('snapnote.documents_text_changed', true) = 'on' THEN
        diff := diff || changed_note('originalText', OLD.original_text, NEW.original_text)
            || changed_note('formattedNote', OLD.formatted_note, NEW.formatted_note);
    END IF;
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
