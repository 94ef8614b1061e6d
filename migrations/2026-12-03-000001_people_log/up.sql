-- Prepares sharding (docs/scale.md). Statements that change people, not items, write the log through this view. On a sharded
-- database, it passes the entries on to the server of the user (migrations/sharding).

CREATE VIEW people_log AS
SELECT user_id, actor_id, action, entity_type, entity_id, changes, ip_address, user_agent FROM audit_logs;
COMMENT ON VIEW people_log IS 'Where statements that change people write the change log.';

\ir ../functions/items_title_replaced.sql
\ir ../functions/documents_leave_image.sql
\ir ../functions/users_deactivated.sql
