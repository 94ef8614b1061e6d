DROP FUNCTION changed_note, changed, logged, digest_of, acting_user, set_origin;
DROP TABLE audit_logs;
