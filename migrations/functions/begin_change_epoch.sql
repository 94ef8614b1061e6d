-- Begins an epoch unless this database has one. Its cost does not depend on the size of the log.
--
-- Cursors of the epoch would miss a transaction that took an id below first_id and commits after the epoch began. The function
-- therefore waits for every transaction that was writing to the log when it took first_id. It watches their locks without
-- requesting one, since a pending lock request would block all new writers. A writer locks the log before it takes an id, and
-- releases the lock after its commit is visible.
CREATE OR REPLACE FUNCTION begin_change_epoch() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    epoch_xid xid8;
    epoch_id bigint;
    writers text[];
BEGIN
    LOCK TABLE change_epochs IN EXCLUSIVE MODE;
    IF change_epoch() IS NOT NULL THEN
        RETURN;
    END IF;
    -- The transaction id comes first: a transaction that takes an id after this is running now or begins later.
    epoch_xid := pg_snapshot_xmin(pg_current_snapshot());
    epoch_id := nextval(pg_get_serial_sequence('audit_logs', 'id'));
    writers := ARRAY(
        SELECT virtualtransaction FROM pg_locks
        WHERE relation = 'audit_logs'::regclass AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));
    WHILE EXISTS (
        SELECT FROM pg_locks
        WHERE relation = 'audit_logs'::regclass AND mode = 'RowExclusiveLock' AND virtualtransaction = ANY (writers)
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    DELETE FROM change_epochs;
    INSERT INTO change_epochs (database, first_id, first_xid) VALUES (change_database(), epoch_id, epoch_xid);
END
$$;
