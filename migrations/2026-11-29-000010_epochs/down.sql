-- Entries before first_id kept transaction ids that mean nothing here. Without an epoch, the next reader begins one, which rewrites
-- them; all cursors expire. The table is made anew, since a dropped column leaves a gap in it.
DROP TABLE change_epochs;
CREATE TABLE change_epochs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    database text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT change_epochs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE change_epochs IS 'One row: the epoch of the change log. Delete it to make all cursors expire.';
COMMENT ON COLUMN change_epochs.database IS 'What change_database() answers where this epoch holds.';

CREATE OR REPLACE FUNCTION begin_change_epoch() RETURNS void LANGUAGE plpgsql AS $$
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
