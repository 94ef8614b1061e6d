-- Folded titles, for filters by a part of a title (src/items/titles.rs). The service writes them with the titles. If another program
-- writes a title, its folded title is null. Filters then compare the title itself, until a background job folds it.
--
-- Each kind has an index that holds the ids and folded titles of an owner next to each other, in the order of the ids. A filter
-- reads them all, without the rows. The index of titles that are not folded yet is small, because the background job empties it.

-- Development versions had indexes of trigrams.
DROP INDEX IF EXISTS courses_name_trigrams_idx, documents_title_trigrams_idx, tasks_title_trigrams_idx;

ALTER TABLE courses ADD COLUMN name_folded text COLLATE "C";
COMMENT ON COLUMN courses.name_folded IS 'The folded name, which filters compare. Null until the service has folded the name.';
CREATE INDEX courses_name_folded_idx ON courses (user_id, id) INCLUDE (name_folded) WHERE name_folded IS NOT NULL;
CREATE INDEX courses_name_not_folded_idx ON courses (user_id, id) WHERE name_folded IS NULL;

ALTER TABLE documents ADD COLUMN title_folded text COLLATE "C";
COMMENT ON COLUMN documents.title_folded IS 'The folded title, which filters compare. Null until the service has folded the title.';
CREATE INDEX documents_title_folded_idx ON documents (user_id, id) INCLUDE (title_folded) WHERE title_folded IS NOT NULL;
CREATE INDEX documents_title_not_folded_idx ON documents (user_id, id) WHERE title_folded IS NULL;

ALTER TABLE tasks ADD COLUMN title_folded text COLLATE "C";
COMMENT ON COLUMN tasks.title_folded IS 'The folded title, which filters compare. Null until the service has folded the title.';
CREATE INDEX tasks_title_folded_idx ON tasks (user_id, id) INCLUDE (title_folded) WHERE title_folded IS NOT NULL;
CREATE INDEX tasks_title_not_folded_idx ON tasks (user_id, id) WHERE title_folded IS NULL;

-- An update that only sets the folded title is not a change of the item: the version stays the same.
DROP TRIGGER courses_before_update ON courses;
CREATE TRIGGER courses_before_update BEFORE UPDATE ON courses FOR EACH ROW
    WHEN (OLD.name_folded IS NOT DISTINCT FROM NEW.name_folded OR OLD.name <> NEW.name) EXECUTE FUNCTION item_before_update();
DROP TRIGGER documents_before_update ON documents;
CREATE TRIGGER documents_before_update BEFORE UPDATE ON documents FOR EACH ROW
    WHEN (OLD.title_folded IS NOT DISTINCT FROM NEW.title_folded OR OLD.title <> NEW.title) EXECUTE FUNCTION item_before_update();
DROP TRIGGER tasks_before_update ON tasks;
CREATE TRIGGER tasks_before_update BEFORE UPDATE ON tasks FOR EACH ROW
    WHEN (OLD.title_folded IS NOT DISTINCT FROM NEW.title_folded OR OLD.title <> NEW.title) EXECUTE FUNCTION item_before_update();

-- The service always changes the folded title together with the title. If it stays the same, another program changed the title.
\ir ../functions/items_title_replaced.sql
CREATE TRIGGER courses_name_replaced BEFORE UPDATE OF name ON courses FOR EACH ROW
    WHEN (OLD.name <> NEW.name AND OLD.name_folded = NEW.name_folded) EXECUTE FUNCTION items_title_replaced();
CREATE TRIGGER documents_title_replaced BEFORE UPDATE OF title ON documents FOR EACH ROW
    WHEN (OLD.title <> NEW.title AND OLD.title_folded = NEW.title_folded) EXECUTE FUNCTION items_title_replaced();
CREATE TRIGGER tasks_title_replaced BEFORE UPDATE OF title ON tasks FOR EACH ROW
    WHEN (OLD.title <> NEW.title AND OLD.title_folded = NEW.title_folded) EXECUTE FUNCTION items_title_replaced();
