-- The epochs of the change feed. A cursor of the feed holds transaction ids, which mean nothing in another database: one that
-- was restored, promoted or branched off. So every epoch belongs to the database in which it began. In another database a new
-- epoch begins, and all cursors of the old one expire.
--
-- An epoch records the id of the log and the transaction id at which it begins. Readers treat all earlier entries as older than
-- everything else, whatever their transaction ids are, so that a new epoch does not rewrite the log.

CREATE TABLE change_epochs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    database text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    first_id bigint NOT NULL,
    first_xid xid8 NOT NULL,
    CONSTRAINT change_epochs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE change_epochs IS 'One row: the epoch of the change log. Delete it to make all cursors expire.';
COMMENT ON COLUMN change_epochs.database IS 'The result of change_database() where this epoch applies.';
COMMENT ON COLUMN change_epochs.first_id IS
    'Entries of the log with smaller ids are older than the epoch. Their transaction ids mean nothing here.';
COMMENT ON COLUMN change_epochs.first_xid IS 'No entry of the epoch has a smaller transaction id.';

\ir ../functions/change_database.sql
\ir ../functions/change_epoch.sql
\ir ../functions/begin_change_epoch.sql
