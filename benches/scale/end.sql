-- Writes the change log of what rows.sql inserted, and creates the indexes that begin.sql dropped. Run by benches/scale/run.
\set ON_ERROR_STOP 1
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
SELECT user_id, user_id, 'CREATED', 'Course', id, 1 FROM courses
UNION ALL SELECT user_id, user_id, 'CREATED', 'Document', id, 1 FROM documents
UNION ALL SELECT user_id, user_id, 'CREATED', 'Task', id, 1 FROM tasks;
SELECT definition FROM scale_indexes ORDER BY name \gexec
DROP TABLE scale_indexes, scale_words, scale_sentences;
VACUUM (ANALYZE);
