-- What the search reads: an entry for each item, with its words, and a dictionary of each owner's words. Triggers keep both
-- up to date, whichever program writes.
--
-- Every lexeme begins with its owner's scope. So each owner's words are apart from all others in the one index, and the cost of
-- a search does not depend on how much others keep.

CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

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
COMMENT ON COLUMN search_entries.folded IS 'The folded title and texts, separated by bars. Phrases are searched here.';
COMMENT ON COLUMN search_entries.title_words IS
    'The words of the title in the owner''s scope. Few enough to be stored in the row itself.';
COMMENT ON COLUMN search_entries.words IS
    'The words of title and texts in the owner''s scope. Words of the title have weight A.';
-- Searches read this column often, so it is not compressed.
ALTER TABLE search_entries ALTER COLUMN words SET STORAGE EXTERNAL;
-- Without a pending list: its size, and so the time of a search, would grow with what others write.
CREATE INDEX search_entries_words_idx ON search_entries USING gin (words) WITH (fastupdate = off);

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
COMMENT ON TABLE search_words IS
    'The dictionary: each owner''s words of three letters and more, for misspelt, partial and badly recognised words.';
COMMENT ON COLUMN search_words.item_id IS 'The item that brought the word. Null after that item has lost it.';
COMMENT ON COLUMN search_words.lost_at IS
    'When the item lost the word. The clean-up job looks later for another item that has it.';
CREATE INDEX search_words_word_idx ON search_words (user_id, word) INCLUDE (stem, look);
CREATE INDEX search_words_item_id_idx ON search_words (item_id);
-- For the clean-up job alone: it reads the oldest lost words. Writers look words up by search_words_word_idx; an index of lost
-- words that begins like that one would make the planner mix the two up.
CREATE INDEX search_words_lost_at_idx ON search_words (lost_at, id) WHERE lost_at IS NOT NULL;

-- Deleting an item leaves its words to the clean-up job: a long note has 100,000 of them. No foreign key: it would make a
-- transaction that deletes items lock the user, and deadlock with a deletion of the user.
CREATE TABLE search_departed (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    CONSTRAINT search_departed_pkey PRIMARY KEY (user_id, item_id)
);
COMMENT ON TABLE search_departed IS
    'Deleted items. The clean-up job marks their words as lost, in steps, and then deletes the row.';

\ir ../functions/search_fold.sql
\ir ../functions/search_scope.sql
\ir ../functions/search_look.sql
\ir ../functions/search_start.sql
\ir ../functions/search_lexemes.sql
\ir ../functions/search_learn.sql
\ir ../functions/search_enter.sql
\ir ../functions/courses_search.sql
\ir ../functions/documents_search.sql
\ir ../functions/tasks_search.sql
\ir ../functions/courses_search_move.sql
\ir ../functions/search_move.sql
\ir ../functions/search_leave.sql

-- A new or changed text is indexed row by row, everything else by statement. The `UPDATE OF` lists matter: an update that does
-- not name a text must not compare it, since that reads and decompresses it.
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

-- Items that exist already, after this migration was reverted and is applied again.
SELECT search_enter(user_id, id, 1::smallint, NULL, status, updated_at, name, search_start(description)) FROM courses;
SELECT search_enter(user_id, id, 2::smallint, course_id, status, updated_at, title,
    search_start(formatted_note), search_start(original_text)) FROM documents;
SELECT search_enter(user_id, id, 3::smallint, course_id, status, updated_at, title, search_start(description)) FROM tasks;

-- Parts of titles and email addresses. The planner uses these or the owner's rows, whichever are fewer.
CREATE INDEX courses_name_trigrams_idx ON courses USING gin (user_id, name gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX documents_title_trigrams_idx ON documents USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX tasks_title_trigrams_idx ON tasks USING gin (user_id, title gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX users_email_trigrams_idx ON users USING gin (lower(email) gin_trgm_ops) WITH (fastupdate = off);

-- JSON containment.
\ir ../functions/search_owned.sql
CREATE INDEX documents_metadata_idx ON documents
    USING gin (search_owned(user_id, metadata) jsonb_path_ops) WITH (fastupdate = off);
