-- Prepares sharding (docs/scale.md). Statements that change people, not items, write the log through this view. On a sharded
-- database, it passes the entries on to the server of the user (migrations/sharding).

CREATE VIEW people_log AS
SELECT user_id, actor_id, action, entity_type, entity_id, changes, ip_address, user_agent FROM audit_logs;
COMMENT ON VIEW people_log IS 'Where statements that change people write the change log.';

-- Roles that may write the log may write it through the view, too.
DO $$
DECLARE granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT grantee, privilege_type FROM information_schema.role_table_grants
        WHERE table_schema = current_schema() AND table_name = 'audit_logs'
            AND privilege_type IN ('INSERT', 'SELECT') AND grantee <> current_user
    LOOP
        EXECUTE format('GRANT %s ON people_log TO %s', granted.privilege_type,
            CASE granted.grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(granted.grantee) END);
    END LOOP;
END
$$;

\ir ../functions/items_title_replaced.sql
\ir ../functions/documents_leave_image.sql
\ir ../functions/users_deactivated.sql
