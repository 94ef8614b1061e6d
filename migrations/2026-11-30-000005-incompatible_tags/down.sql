DROP VIEW current_tags;
DROP TABLE document_tags, task_tags, tags;
DROP FUNCTION item_tags_changed, replace_tags, tags_log;
DELETE FROM pending_operations WHERE kind = 4;
ALTER TABLE pending_operations DROP CONSTRAINT pending_operations_operation_of_kind;
ALTER TABLE pending_operations ADD CONSTRAINT pending_operations_operation_of_kind CHECK (
    operation = 'settle' AND kind = 1 OR operation = 'remove' AND kind IN (1, 2, 3)
    OR operation = 'leave' AND kind = 0 AND item_id = user_id);
COMMENT ON COLUMN pending_operations.kind IS '0 the user, 1 course, 2 document, 3 task.';
