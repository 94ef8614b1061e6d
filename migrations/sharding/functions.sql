-- Functions of a sharded database. Some replace functions of the same name in migrations/functions.

-- The id of an entry of the log: microseconds since 1970 and ten bits of the process. A sequence would be another one on each
-- server, and a log that moves to another server must not start again with lower ids.
CREATE OR REPLACE FUNCTION log_id() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1024 + (pg_backend_pid() & 1023)
$$;

-- Stamps an entry of the log where its row is: only there, the transaction id belongs to the feed's snapshots.
CREATE OR REPLACE FUNCTION audit_logs_on_shard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := log_id();
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

-- Passes an entry on to the server of the user. A statement cannot write tables of the coordinator and of other servers. Entries
-- without an origin get that of the transaction, as by the defaults of audit_logs.
CREATE OR REPLACE FUNCTION people_log_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, changes, ip_address, user_agent)
    VALUES (NEW.user_id, NEW.actor_id, NEW.action, NEW.entity_type, NEW.entity_id, NEW.changes,
        coalesce(NEW.ip_address, nullif(current_setting('snapnote.address', true), '')::inet),
        coalesce(NEW.user_agent, nullif(current_setting('snapnote.program', true), '')));
    RETURN NEW;
END
$$;

-- Keeps the ids of all users in `owners`, to which the foreign keys of distributed tables refer.
CREATE OR REPLACE FUNCTION users_own() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO owners (id) VALUES (NEW.id);
    ELSE
        DELETE FROM owners WHERE id = OLD.id;
    END IF;
    RETURN NULL;
END
$$;

-- As in migrations/functions, with the node and the shards of the log that it has: a shard that moves brings entries with the
-- transaction ids of another server.
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
        left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), current_setting('neon.timeline_id', true),
        'node ' || (SELECT groupid FROM pg_dist_local_group), (
            SELECT md5(string_agg(shardid::text, ' ' ORDER BY shardid))
            FROM pg_dist_shard JOIN pg_dist_placement USING (shardid)
            WHERE logicalrelid = 'audit_logs'::regclass AND groupid = (SELECT groupid FROM pg_dist_local_group)));
END
$$;

-- As in migrations/functions, for the server on which it runs. Its entries are in shards, whose tables writers lock.
CREATE OR REPLACE FUNCTION begin_change_epoch() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    epoch_xid xid8;
    epoch_id bigint;
    logs oid[];
    writers text[];
    this_database oid := (SELECT oid FROM pg_database WHERE datname = current_database());
    node text := (SELECT groupid FROM pg_dist_local_group);
    epoch_database text := change_database();
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('snapnote change epochs', 0));
    IF change_epoch() IS NOT NULL THEN
        RETURN;
    END IF;
    logs := ARRAY(
        SELECT to_regclass('audit_logs_' || shardid)::oid FROM pg_dist_shard
        WHERE logicalrelid = 'audit_logs'::regclass) || 'audit_logs'::regclass::oid;
    epoch_xid := pg_snapshot_xmin(pg_current_snapshot());
    epoch_id := log_id();
    writers := ARRAY(
        SELECT virtualtransaction FROM pg_locks
        WHERE relation = ANY (logs) AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid()
            AND database = this_database);
    WHILE EXISTS (
        SELECT FROM pg_locks
        WHERE relation = ANY (logs) AND mode = 'RowExclusiveLock' AND virtualtransaction = ANY (writers)
            AND database = this_database
    ) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    DELETE FROM change_epochs WHERE database ~ (' node ' || node || '( |$)');
    INSERT INTO change_epochs (id, database, began_at, first_id, first_xid)
    VALUES (gen_random_uuid(), epoch_database, clock_timestamp(), epoch_id, epoch_xid);
END
$$;

-- As in migrations/functions. Citus accepts neither transition tables beside distributed tables, nor functions that are not
-- immutable beside columns, and needs the owner in each statement. A shard's name is the table's with a number.
CREATE OR REPLACE FUNCTION item_tags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    transaction xid8 := pg_current_xact_id();
    tags_table text := regexp_replace(TG_TABLE_NAME, '_[0-9]+$', '');
    owner uuid;
    items uuid[];
    tags uuid[];
    old_tags jsonb[];
    new_tags jsonb[];
BEGIN
    FOR owner, items, tags IN SELECT user_id, array_agg(item_id), array_agg(tag_id) FROM changed GROUP BY user_id LOOP
        EXECUTE format(
            'UPDATE %I AS item SET version = item.version + 1
            WHERE item.user_id = $1 AND item.id = ANY ($2) AND NOT EXISTS (
                SELECT FROM audit_logs WHERE user_id = $1 AND xid = $3 AND entity_id = item.id)',
            TG_ARGV[0]) USING owner, items, transaction;
        EXECUTE format(
            'SELECT array_agg(item_id), array_agg(old), array_agg(new) FROM (
                SELECT item_id, coalesce(jsonb_agg(tag_id ORDER BY tag_id) FILTER (WHERE places = 1), ''[]'') AS old,
                    coalesce(jsonb_agg(tag_id ORDER BY tag_id) FILTER (WHERE is_present), ''[]'') AS new
                FROM (
                    SELECT item_id, tag_id, count(*) AS places, bool_or(is_present) AS is_present
                    FROM (
                        SELECT item_id, tag_id, false AS is_present FROM unnest($2, $3) AS changed (item_id, tag_id)
                        UNION ALL
                        SELECT item_id, tag_id, true FROM %I WHERE user_id = $1 AND item_id = ANY ($2)
                    ) AS tag GROUP BY item_id, tag_id
                ) AS tag GROUP BY item_id
            ) AS tags',
            tags_table) INTO items, old_tags, new_tags USING owner, items, tags;
        EXECUTE format(
            'UPDATE audit_logs AS entry SET changes = jsonb_set(
                jsonb_set(jsonb_set(coalesce(entry.changes, ''{}''), ''{tagIds}'', ''{}''),
                    ''{tagIds,old}'', coalesce(entry.changes #> ''{tagIds,old}'', tags.old)),
                ''{tagIds,new}'', tags.new)
            FROM unnest($2, $3, $4) AS tags (item_id, old, new), %I AS item
            WHERE item.user_id = $1 AND item.id = tags.item_id
                AND entry.user_id = $1 AND entry.xid = $5 AND entry.entity_id = item.id
                AND entry.version = item.version AND entry.action <> ''CREATED''',
            TG_ARGV[0]) USING owner, items, old_tags, new_tags, transaction;
    END LOOP;
    RETURN NULL;
END
$$;

-- As in migrations/functions, but not inlined: Citus evaluates all branches of an inlined CASE.
CREATE OR REPLACE FUNCTION acting_user(owner uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    actor text := coalesce(current_setting('snapnote.actor', true), '');
BEGIN
    IF actor = '' THEN
        RETURN owner;
    ELSIF actor = 'service' THEN
        RETURN NULL;
    END IF;
    RETURN actor::uuid;
END
$$;

-- Prunes entries of the log, each as `<user>/<id>`, and returns their number (src/audit/store.rs). Entries of one user are on one server.
CREATE OR REPLACE FUNCTION prune_log(entries text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    owner uuid;
    ids bigint[];
    step bigint;
    pruned bigint := 0;
BEGIN
    FOR owner, ids IN
        SELECT split_part(entry, '/', 1)::uuid, array_agg(split_part(entry, '/', 2)::bigint) FROM unnest(entries) AS entry
        GROUP BY 1 ORDER BY 1
    LOOP
        UPDATE audit_logs SET ip_address = NULL, user_agent = NULL, changes = NULL
        WHERE user_id = owner AND id = ANY (ids) AND action = 'CREATED';
        GET DIAGNOSTICS step = ROW_COUNT;
        pruned := pruned + step;
        DELETE FROM audit_logs WHERE user_id = owner AND id = ANY (ids) AND action <> 'CREATED';
        GET DIAGNOSTICS step = ROW_COUNT;
        pruned := pruned + step;
    END LOOP;
    RETURN pruned;
END
$$;
