-- What the search reads: an entry for each item, with its words, and a dictionary of each person's words.
--
-- Every lexeme begins with its owner's scope, so one person's words stand apart from everybody else's in the one index, and
-- what a search costs does not depend on how much others keep. Triggers keep it all, whoever writes.

CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Text as it is searched: words in lower case between single spaces, accents, ligatures and widths gone, what a hyphen broke
-- at a line's end joined, x^2, x_2 and x² alike, and every Chinese, Japanese and Korean character a word of its own.
CREATE FUNCTION search_fold(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    folded text := lower(value COLLATE "und-x-icu");
    wide CONSTANT boolean := octet_length(value) <> length(value);
BEGIN
    IF wide THEN
        -- One character may become eighteen.
        folded := regexp_replace(left(normalize(folded, NFKD), 500000), '[\u0300-\u036f\u00ad\u200b-\u200d\ufeff]', '', 'g');
        -- Once more: ℝ and ™ have no lower case, and the letters that they stand for do.
        folded := translate(lower(normalize(folded, NFC) COLLATE "und-x-icu"), 'ςøłđı‐‑', 'σoldi--');
        folded := replace(replace(replace(folded, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
    END IF;
    IF position(E'\n' IN folded) > 0 AND position('-' IN folded) > 0 THEN
        folded := regexp_replace(folded, '([[:alpha:]])-[ \t\r]*\n[ \t]*([[:alpha:]])', '\1\2', 'g');
    END IF;
    IF folded ~ '[#+^_]' THEN
        folded := regexp_replace(folded, '\m([a-z])#', '\1sharp', 'g');
        folded := regexp_replace(folded, '\m([a-z])\+\+', '\1plusplus', 'g');
        folded := regexp_replace(folded, '[\^_]\{?([0-9])', '\1', 'g');
    END IF;
    folded := regexp_replace(folded COLLATE "und-x-icu", '[^[:alnum:]]+', ' ', 'g');
    IF wide THEN
        folded := regexp_replace(folded,
            '([\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff])',
            ' \1 ', 'g');
        folded := regexp_replace(folded, '  +', ' ', 'g');
    END IF;
    RETURN ' ' || btrim(folded) || ' ';
END
$$;

-- Five letters that a person's lexemes begin with. Others may have the same: whoever reads asks for the owner, too.
CREATE FUNCTION search_scope(owner uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(substr(md5(owner::text), 1, 5), '0123456789abcdef', 'ghijklmnopqrstuv')
$$;

-- What characters look like to a reader of print: what a scanner confuses is alike.
CREATE FUNCTION search_look(word text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate(replace(replace(replace(word, 'rn', 'm'), 'cl', 'd'), 'vv', 'w'), '01i5', 'olls')
$$;

-- The words of folded text in their owner's scope, behind those of a title. Of what overflows a tsvector, the start.
CREATE FUNCTION search_lexemes(owner uuid, folded text, title tsvector DEFAULT '') RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN title || to_tsvector('pg_catalog.simple', replace(rtrim(folded), ' ', ' ' || search_scope(owner)));
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN search_lexemes(owner, left(folded, length(folded) / 2), title);
END
$$;

CREATE TABLE search_entries (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    kind smallint NOT NULL,
    course_id uuid,
    is_active boolean NOT NULL,
    touched_at timestamptz NOT NULL,
    folded text NOT NULL,
    title_words tsvector NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT search_entries_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT search_entries_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT search_entries_kind_known CHECK (kind IN (1, 2, 3))
);
COMMENT ON COLUMN search_entries.kind IS '1 course, 2 document, 3 task.';
COMMENT ON COLUMN search_entries.folded IS 'The title and the rest, each folded, with bars between: what phrases are looked for in.';
COMMENT ON COLUMN search_entries.title_words IS 'The words of the title in the owner''s scope: a few, and so at hand.';
COMMENT ON COLUMN search_entries.words IS 'The words of both in the owner''s scope; those of the title weigh A.';
-- What is read of an entry is read often: not compressed. An index without a list of what is pending: that grows with what others write.
ALTER TABLE search_entries ALTER COLUMN words SET STORAGE EXTERNAL;
CREATE INDEX search_entries_words_idx ON search_entries USING gin (words) WITH (fastupdate = off);

-- A person's words of three letters and more: what is misspelt, partial or badly recognised is looked up here.
CREATE TABLE search_words (
    user_id uuid NOT NULL,
    word text COLLATE "C" NOT NULL,
    stem text COLLATE "C" NOT NULL,
    look text COLLATE "C" NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    item_id uuid,
    lost_at timestamptz,
    CONSTRAINT search_words_pkey PRIMARY KEY (id),
    CONSTRAINT search_words_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
COMMENT ON COLUMN search_words.item_id IS 'The item that brought it; null once that has lost it.';
COMMENT ON COLUMN search_words.lost_at IS 'When that was. A sweep looks later whether another item has it.';
CREATE INDEX search_words_word_idx ON search_words (user_id, word) INCLUDE (stem, look);
CREATE INDEX search_words_item_id_idx ON search_words (item_id);
CREATE INDEX search_words_lost_idx ON search_words (user_id, word) WHERE lost_at IS NOT NULL;

-- Adds what an item brings to its owner's dictionary, and gives up what it brought and has no more. Two at once may bring a
-- word twice; so nobody waits. A long note has a hundred thousand words, and a plan may be of a time when there were ten: each
-- word costs one search in the vector, or one look into the index, whatever the plan is.
CREATE FUNCTION search_learn(owner uuid, item uuid, lexemes tsvector) RETURNS void LANGUAGE plpgsql AS $$
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

-- Writes the entry of an item whose text is new. Nothing is a phrase across its parts.
CREATE FUNCTION search_enter(owner uuid, item uuid, kind smallint, course uuid, status text, touched timestamptz, title text,
    body text, more text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    title_folded CONSTANT text := search_fold(title);
    body_folded CONSTANT text := search_fold(body);
    more_folded CONSTANT text := search_fold(more);
    title_lexemes CONSTANT tsvector := setweight(search_lexemes(owner, title_folded), 'A');
    lexemes CONSTANT tsvector := search_lexemes(owner, rtrim(body_folded) || more_folded, title_lexemes);
BEGIN
    INSERT INTO search_entries (user_id, id, kind, course_id, is_active, touched_at, folded, title_words, words)
    VALUES (owner, item, kind, course, status = 'active', touched, concat_ws('|', title_folded, body_folded, more_folded),
        title_lexemes, lexemes)
    ON CONFLICT (user_id, id) DO UPDATE SET course_id = excluded.course_id, is_active = excluded.is_active,
        touched_at = excluded.touched_at, folded = excluded.folded, title_words = excluded.title_words, words = excluded.words;
    PERFORM search_learn(owner, item, lexemes);
END
$$;

-- Writes the entry of an item whose text is what it was.
CREATE FUNCTION search_move(owner uuid, item uuid, course uuid, status text, touched timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE search_entries SET course_id = course, is_active = status = 'active', touched_at = touched
    WHERE user_id = owner AND id = item
$$;

CREATE FUNCTION search_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_entries WHERE user_id = OLD.user_id AND id = OLD.id;
    UPDATE search_words SET item_id = NULL, lost_at = now() WHERE user_id = OLD.user_id AND item_id = OLD.id;
    RETURN NULL;
END
$$;

-- How much of a text is searched: its start.
CREATE FUNCTION search_start(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(coalesce(value, ''), 200000)
$$;

CREATE FUNCTION courses_search() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION documents_search() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION tasks_search() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER courses_search AFTER INSERT OR UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION courses_search();
CREATE TRIGGER courses_search_leave AFTER DELETE ON courses FOR EACH ROW EXECUTE FUNCTION search_leave();
CREATE TRIGGER documents_search AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION documents_search();
CREATE TRIGGER documents_search_leave AFTER DELETE ON documents FOR EACH ROW EXECUTE FUNCTION search_leave();
CREATE TRIGGER tasks_search AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_search();
CREATE TRIGGER tasks_search_leave AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION search_leave();

-- What is there already.
SELECT search_enter(user_id, id, 1::smallint, NULL, status, updated_at, name, search_start(description)) FROM courses;
SELECT search_enter(user_id, id, 2::smallint, course_id, status, updated_at, title,
    search_start(formatted_note), search_start(original_text)) FROM documents;
SELECT search_enter(user_id, id, 3::smallint, course_id, status, updated_at, title, search_start(description)) FROM tasks;

-- Parts of titles: the planner takes these, or the owner's rows, whichever are fewer.
CREATE INDEX courses_name_trigrams_idx ON courses USING gin (user_id, name gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX documents_title_trigrams_idx ON documents USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX tasks_title_trigrams_idx ON tasks USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);

-- JSON containment, in its owner's scope. What an index calls calls nothing of ours: a restored dump, and maintenance from
-- PostgreSQL 17 on, look for functions in pg_catalog alone.
CREATE FUNCTION search_owned(owner uuid, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT jsonb_build_object(owner::text, value)
$$;
CREATE INDEX documents_metadata_idx ON documents USING gin (search_owned(user_id, metadata) jsonb_path_ops) WITH (fastupdate = off);
