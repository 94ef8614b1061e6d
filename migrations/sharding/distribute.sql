-- Distributes the tables of users' data, and everything that is not distributed yet. `snapnote migrate shard` runs it, and
-- `snapnote migrate up` runs it again on a sharded database after the migrations. So it changes only what is left to change.
-- docs/scale.md describes the result. functions.sql comes before it, and both run in a DO block.

CREATE TABLE IF NOT EXISTS owners (
    id uuid NOT NULL,
    CONSTRAINT owners_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE owners IS 'The ids of all users, on every server.';

-- The names of distributed tables, in the order in which foreign keys refer to them.
CREATE OR REPLACE FUNCTION distributed_tables() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['audit_logs', 'image_objects', 'courses', 'tags', 'documents', 'tasks', 'document_tags', 'task_tags',
        'pending_operations', 'item_usage', 'search_indexes']
$$;

-- A distributed table can only have unique indexes with the owner. The service makes these ids from random bits.
ALTER TABLE image_objects DROP CONSTRAINT IF EXISTS image_objects_id_key;
CREATE INDEX IF NOT EXISTS image_objects_id_idx ON image_objects (id);

DO $$
DECLARE
    name text;
    part record;
    parts text[] := '{}';
BEGIN
    IF (SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = 'owners'::regclass) = 0 THEN
        INSERT INTO owners SELECT id FROM users;
        PERFORM create_reference_table('owners');
        DELETE FROM change_epochs;
        PERFORM create_reference_table('change_epochs');
        -- The ids of the log come from the clock (log_id).
        ALTER TABLE audit_logs ALTER id DROP IDENTITY;
        ALTER TABLE audit_logs ALTER id SET DEFAULT 0;
    END IF;
    -- Foreign keys and triggers are added again at the end: Citus wants both tables of a foreign key distributed, and rows that are
    -- copied to other servers would fire triggers.
    FOR part IN
        WITH new AS (
            SELECT to_regclass(distributed)::oid AS oid FROM unnest(distributed_tables()) AS distributed
            EXCEPT SELECT logicalrelid::oid FROM pg_dist_partition
        )
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS removal,
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                replace(pg_get_constraintdef(pg_constraint.oid), ' REFERENCES users(', ' REFERENCES owners(')) AS addition
        FROM pg_constraint JOIN new ON conrelid = new.oid WHERE contype = 'f'
        UNION ALL
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass), pg_get_triggerdef(pg_trigger.oid)
        FROM pg_trigger JOIN new ON tgrelid = new.oid WHERE NOT tgisinternal
    LOOP
        EXECUTE part.removal;
        parts := parts || part.addition;
    END LOOP;
    FOREACH name IN ARRAY distributed_tables() LOOP
        IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass(name)) THEN
            IF name = 'audit_logs' THEN
                PERFORM create_distributed_table(name, 'user_id', colocate_with => 'none');
            ELSE
                PERFORM create_distributed_table(name, 'user_id', colocate_with => 'audit_logs');
            END IF;
        END IF;
    END LOOP;
    FOREACH name IN ARRAY parts LOOP
        EXECUTE name;
    END LOOP;
END
$$;

-- Triggers call functions on every server.
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT pg_proc.oid::regprocedure FROM pg_proc
        WHERE pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'owners'::regclass) AND prokind = 'f'
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND classid = 'pg_proc'::regclass AND deptype = 'e')
            AND NOT EXISTS (SELECT FROM pg_dist_object WHERE objid = pg_proc.oid AND classid = 'pg_proc'::regclass)
    LOOP
        PERFORM create_distributed_function(function);
    END LOOP;
END
$$;

DROP TRIGGER IF EXISTS audit_logs_on_shard ON audit_logs;
CREATE TRIGGER audit_logs_on_shard BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_logs_on_shard();
DROP TRIGGER IF EXISTS users_own ON users;
CREATE TRIGGER users_own AFTER INSERT OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_own();

DROP VIEW people_log;
CREATE VIEW people_log AS
SELECT NULL::uuid AS user_id, NULL::uuid AS actor_id, NULL::text AS action, NULL::text AS entity_type, NULL::uuid AS entity_id,
    NULL::jsonb AS changes, NULL::inet AS ip_address, NULL::text AS user_agent WHERE false;
COMMENT ON VIEW people_log IS 'Where statements that change people write the change log.';
CREATE TRIGGER people_log_insert INSTEAD OF INSERT ON people_log FOR EACH ROW EXECUTE FUNCTION people_log_insert();

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
