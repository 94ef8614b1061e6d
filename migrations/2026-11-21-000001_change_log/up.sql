-- The change log: what was done to what, by whom, when, and in which transaction. The triggers of the later migrations
-- write it, so that no code path can forget to. It carries no foreign key to users: it outlives what it tells of.
CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    user_id uuid NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid,
    version integer,
    changes jsonb,
    ip_address inet,
    user_agent text,
    -- The top-level transaction, not xmin, which can be a subtransaction's.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT audit_logs_action_check CHECK (action ~ '^[A-Z][A-Z_]{0,49}$'),
    CONSTRAINT audit_logs_entity_type_check CHECK (entity_type ~ '^[A-Za-z]{1,50}$'),
    CONSTRAINT audit_logs_changes_check CHECK (jsonb_typeof(changes) = 'object')
);

COMMENT ON TABLE audit_logs IS 'The change log, written by triggers.';
COMMENT ON COLUMN audit_logs.user_id IS 'Whose log this is: the owner of what changed.';
COMMENT ON COLUMN audit_logs.actor_id IS 'Who did it; null: the service itself.';
COMMENT ON COLUMN audit_logs.version IS 'The version that the item has since this change; null for what has none.';
COMMENT ON COLUMN audit_logs.changes IS 'Field name to {old, new}; a long text by its length and SHA-256. Null where nothing is to be told.';

CREATE INDEX audit_logs_user_id_xid_idx ON audit_logs (user_id, xid);

-- An id is created once among all of a person's objects, whatever their type, and never again after it was deleted:
-- two creations that race for one id meet here, since the second waits for the first to commit.
CREATE UNIQUE INDEX audit_logs_created_once ON audit_logs (user_id, entity_id) WHERE action = 'CREATED';

-- Who acts in this transaction: the owner, unless the setting says otherwise ('service': the service itself).
CREATE FUNCTION acting_user(owner uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    setting text := current_setting('snapnote.actor', true);
BEGIN
    IF setting IS NULL OR setting = '' THEN
        RETURN owner;
    ELSIF setting = 'service' THEN
        RETURN NULL;
    END IF;
    RETURN setting::uuid;
END
$$;

-- {field: {old, new}} for a field that changed, {} for one that did not; what is longer than 500 characters by its
-- length and SHA-256.
CREATE FUNCTION changed(field text, old_value text, new_value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old_value IS NOT DISTINCT FROM new_value THEN
        RETURN '{}';
    END IF;
    RETURN jsonb_build_object(field, jsonb_build_object('old', logged(old_value), 'new', logged(new_value)));
END
$$;

CREATE FUNCTION logged(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF length(value) > 500 THEN
        RETURN jsonb_build_object(
            'length', length(value), 'sha256', encode(sha256(convert_to(value, 'UTF8')), 'hex'));
    END IF;
    RETURN to_jsonb(value);
END
$$;
