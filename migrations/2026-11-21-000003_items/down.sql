DROP TABLE tasks;
DROP TABLE documents;
DROP TABLE courses;
DROP FUNCTION tasks_log();
DROP FUNCTION documents_log();
DROP FUNCTION courses_log();
DROP FUNCTION item_action(text, text);
DROP FUNCTION item_before_update();
