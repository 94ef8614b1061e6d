DROP VIEW current_tasks, current_documents, current_courses;
DROP TABLE pending_operations, tasks, documents, courses;
DROP FUNCTION documents_leave_image, tasks_log, documents_text_changed, documents_log, courses_log, item_action,
    item_before_update;
