-- A new epoch no longer rewrites the log. The epoch records where it begins, in ids and in transaction ids, and readers treat
-- all entries before its first id as older than everything else, whatever transaction ids these carry.
ALTER TABLE change_epochs
    ADD COLUMN first_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_xid xid8 NOT NULL DEFAULT '3';
-- The epoch that is there rewrote its older entries, so it begins before all of them.
ALTER TABLE change_epochs ALTER COLUMN first_id DROP DEFAULT, ALTER COLUMN first_xid DROP DEFAULT;
COMMENT ON COLUMN change_epochs.first_id IS 'Entries of the log with smaller ids are older than the epoch. Their transaction ids mean nothing here.';
COMMENT ON COLUMN change_epochs.first_xid IS 'No entry of the epoch has a smaller transaction id.';

-- Begins an epoch, unless one holds. Its cost does not depend on the size of the log.
--
-- A transaction that took an id below first_id and commits after the epoch began would be missed by cursors of the epoch. So the
-- function waits until every transaction that was writing to the log when first_id was taken has ended. It waits for their locks
-- without requesting one: a pending lock request would hold up all new writers. A writer locks the log before it takes an id, and
-- gives the lock up after its commit is visible.
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
    -- The transaction id first: whatever takes an id after this runs now or begins later.
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
