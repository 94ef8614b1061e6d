DROP TABLE audit_logs;
DROP FUNCTION changed(text, text, text);
DROP FUNCTION logged(text);
DROP FUNCTION acting_user(uuid);
