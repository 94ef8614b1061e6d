-- Identifies the history of transaction ids: the cluster, the database, the timeline (a promotion or a recovery to a point in
-- time begins a new one), and Neon's timeline, which a branch begins. Fails on a standby, where the feed must not be read.
CREATE OR REPLACE FUNCTION change_database() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    cluster text := '';
BEGIN
    BEGIN
        SELECT system_identifier::text INTO cluster FROM pg_control_system();
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    RETURN concat_ws(' ', cluster, (SELECT oid FROM pg_database WHERE datname = current_database()),
        left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), current_setting('neon.timeline_id', true));
END
$$;
