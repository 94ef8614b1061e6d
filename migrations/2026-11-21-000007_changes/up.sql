-- The change feed. A cursor holds transaction ids, and these mean nothing in another database: one that was restored, promoted or
-- branched off. So the log has an epoch, which belongs to the database that it began in; elsewhere a new one begins, and
-- cursors of the old one have expired.
CREATE TABLE change_epochs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    database text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT change_epochs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE change_epochs IS 'One row: the epoch of the change log. Delete it to make all cursors expire.';
COMMENT ON COLUMN change_epochs.database IS 'What change_database() answers where this epoch holds.';

-- Names the history of transaction ids that this is: the cluster, the database, the timeline (a promotion and a recovery
-- to a point in time begin a new one), and Neon's own, which a branch begins. Fails on a standby, where the feed must not be read.
CREATE FUNCTION change_database() RETURNS text LANGUAGE plpgsql STABLE AS $$
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

-- The epoch that holds here; null if none does.
CREATE FUNCTION change_epoch() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM change_epochs WHERE database = change_database()
$$;

-- Begins an epoch, unless one holds. Entries that came with a dump may have transaction ids that are under way here, or still to
-- be given out: they become the oldest there is. Nobody has a cursor of the new epoch yet.
CREATE FUNCTION begin_change_epoch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE change_epochs IN EXCLUSIVE MODE;
    IF change_epoch() IS NOT NULL THEN
        RETURN;
    END IF;
    UPDATE audit_logs SET xid = '3' WHERE xid >= pg_snapshot_xmin(pg_current_snapshot());
    DELETE FROM change_epochs;
    INSERT INTO change_epochs (database) VALUES (change_database());
END
$$;
