-- The change log: what changed, when, by whom, from where, and in which transaction. The audit log, the change feed and
-- subscriptions read it. Triggers write it, so that no code path can forget to.

-- No foreign key to users: the log outlives the users that it describes.
CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    user_id uuid NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid,
    version integer,
    changes jsonb,
    -- set_origin() sets both in the transaction.
    ip_address inet DEFAULT nullif(current_setting('snapnote.address', true), '')::inet,
    user_agent text DEFAULT nullif(current_setting('snapnote.program', true), ''),
    -- The top-level transaction. The row's own xmin can be that of a subtransaction.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT audit_logs_action_check CHECK (action ~ '^[A-Z][A-Z_]{0,49}$'),
    CONSTRAINT audit_logs_entity_type_check CHECK (entity_type ~ '^[A-Za-z]{1,50}$'),
    CONSTRAINT audit_logs_changes_check CHECK (jsonb_typeof(changes) = 'object')
);
COMMENT ON TABLE audit_logs IS 'The change log, written by triggers.';
COMMENT ON COLUMN audit_logs.user_id IS 'The owner of what changed.';
COMMENT ON COLUMN audit_logs.actor_id IS 'The user who made the change. Null for the service itself.';
COMMENT ON COLUMN audit_logs.version IS 'The version of the item after the change. Null for what has no version.';
COMMENT ON COLUMN audit_logs.changes IS
    'Field name to {old, new}, with length and SHA-256 in place of long texts. Null if the entry shows no fields.';

CREATE INDEX audit_logs_user_id_xid_idx ON audit_logs (user_id, xid);
-- The entries of one item. Entries in the order of time come from the primary key, whose ids ascend with time.
CREATE INDEX audit_logs_entity_idx ON audit_logs (user_id, entity_id, id);
-- Changes that an admin made to others: their origin is deleted together with the admin.
CREATE INDEX audit_logs_actor_idx ON audit_logs (actor_id) WHERE actor_id <> user_id;
-- An id is created once among all objects of an owner, whatever their type, and never again after its deletion. The second of
-- two transactions that create the same id waits here for the first to commit.
CREATE UNIQUE INDEX audit_logs_created_once ON audit_logs (user_id, entity_id) WHERE action = 'CREATED';
-- The entries that pruning deletes or empties. It keeps the bare entries of creations, which reserve their ids forever.
CREATE INDEX audit_logs_prunable_idx ON audit_logs (created_at)
    WHERE action <> 'CREATED' OR ip_address IS NOT NULL OR user_agent IS NOT NULL OR changes IS NOT NULL;

\ir ../functions/set_origin.sql
\ir ../functions/acting_user.sql
\ir ../functions/digest_of.sql
\ir ../functions/logged.sql
\ir ../functions/changed.sql
\ir ../functions/changed_note.sql
