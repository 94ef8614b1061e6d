-- Tags, and which documents and tasks have them. The keys of both start with the owner's id, so an item cannot have another
-- owner's tag.

CREATE TABLE tags (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    name text COLLATE "und-x-icu" NOT NULL,
    color text,
    status text NOT NULL DEFAULT 'active',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    name_folded text COLLATE "C",
    CONSTRAINT tags_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT tags_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT tags_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT tags_color_format CHECK (color ~ '^#[0-9A-Fa-f]{6}$'),
    CONSTRAINT tags_status_known CHECK (status IN ('active', 'trash')),
    CONSTRAINT tags_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    CONSTRAINT tags_version_positive CHECK (version > 0)
);
COMMENT ON COLUMN tags.name_folded IS 'The folded name, which filters compare. Null until the service has folded the name.';
-- Names that differ only in case, or only in how Unicode composes their letters, count as equal.
CREATE UNIQUE INDEX tags_active_name_idx ON tags (user_id, lower(normalize(name, NFC))) WHERE status = 'active';
CREATE INDEX tags_updated_at_idx ON tags (user_id, status, updated_at DESC, id DESC);
CREATE INDEX tags_created_at_idx ON tags (user_id, status, created_at DESC, id DESC);
CREATE INDEX tags_name_idx ON tags (user_id, status, name, id);
CREATE INDEX tags_trash_idx ON tags (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
CREATE INDEX tags_deleted_at_idx ON tags (deleted_at) WHERE status = 'trash';
CREATE INDEX tags_name_folded_idx ON tags (user_id, id) INCLUDE (name_folded) WHERE name_folded IS NOT NULL;
CREATE INDEX tags_name_not_folded_idx ON tags (user_id, id) WHERE name_folded IS NULL;

-- Deleting an item or a tag deletes its rows. While a tag is in the trash, its rows stay, so that it comes back to its items.
CREATE TABLE document_tags (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    CONSTRAINT document_tags_pkey PRIMARY KEY (user_id, item_id, tag_id),
    CONSTRAINT document_tags_item_id_fkey FOREIGN KEY (user_id, item_id) REFERENCES documents (user_id, id) ON DELETE CASCADE,
    CONSTRAINT document_tags_tag_id_fkey FOREIGN KEY (user_id, tag_id) REFERENCES tags (user_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE document_tags IS 'The tags of documents.';
CREATE INDEX document_tags_tag_idx ON document_tags (user_id, tag_id, item_id);

CREATE TABLE task_tags (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    CONSTRAINT task_tags_pkey PRIMARY KEY (user_id, item_id, tag_id),
    CONSTRAINT task_tags_item_id_fkey FOREIGN KEY (user_id, item_id) REFERENCES tasks (user_id, id) ON DELETE CASCADE,
    CONSTRAINT task_tags_tag_id_fkey FOREIGN KEY (user_id, tag_id) REFERENCES tags (user_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE task_tags IS 'The tags of tasks.';
CREATE INDEX task_tags_tag_idx ON task_tags (user_id, tag_id, item_id);

\ir ../functions/tags_log.sql
CREATE TRIGGER tags_before_update BEFORE UPDATE ON tags FOR EACH ROW
    WHEN (OLD.name_folded IS NOT DISTINCT FROM NEW.name_folded OR OLD.name <> NEW.name) EXECUTE FUNCTION item_before_update();
CREATE TRIGGER tags_log AFTER INSERT OR UPDATE OR DELETE ON tags FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tags_log();
\ir ../functions/items_title_replaced.sql
CREATE TRIGGER tags_name_replaced BEFORE UPDATE OF name ON tags FOR EACH ROW
    WHEN (OLD.name <> NEW.name AND OLD.name_folded = NEW.name_folded) EXECUTE FUNCTION items_title_replaced();

-- The deletion of an item deletes rows inside of a trigger (of the foreign key). The deletion of a tag deletes them first, without
-- logging. Neither is a change of an item's tags.
\ir ../functions/item_tags_changed.sql
\ir ../functions/replace_tags.sql
CREATE TRIGGER document_tags_added AFTER INSERT ON document_tags REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (pg_trigger_depth() = 0 AND current_setting('snapnote.logging', true) IS DISTINCT FROM 'off')
    EXECUTE FUNCTION item_tags_changed('documents');
CREATE TRIGGER document_tags_removed AFTER DELETE ON document_tags REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    WHEN (pg_trigger_depth() = 0 AND current_setting('snapnote.logging', true) IS DISTINCT FROM 'off')
    EXECUTE FUNCTION item_tags_changed('documents');
CREATE TRIGGER task_tags_added AFTER INSERT ON task_tags REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (pg_trigger_depth() = 0 AND current_setting('snapnote.logging', true) IS DISTINCT FROM 'off')
    EXECUTE FUNCTION item_tags_changed('tasks');
CREATE TRIGGER task_tags_removed AFTER DELETE ON task_tags REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    WHEN (pg_trigger_depth() = 0 AND current_setting('snapnote.logging', true) IS DISTINCT FROM 'off')
    EXECUTE FUNCTION item_tags_changed('tasks');

ALTER TABLE pending_operations DROP CONSTRAINT pending_operations_operation_of_kind;
ALTER TABLE pending_operations ADD CONSTRAINT pending_operations_operation_of_kind CHECK (
    operation = 'settle' AND kind = 1 OR operation = 'remove' AND kind IN (1, 2, 3, 4)
    OR operation = 'leave' AND kind = 0 AND item_id = user_id);
COMMENT ON COLUMN pending_operations.kind IS '0 the user, 1 course, 2 document, 3 task, 4 tag.';

CREATE VIEW current_tags AS
SELECT user_id, id, name, color, status, version, created_at, updated_at, deleted_at
FROM tags
WHERE NOT EXISTS (
    SELECT FROM pending_operations AS pending
    WHERE pending.user_id = tags.user_id AND pending.item_id = tags.id AND operation = 'remove');
COMMENT ON VIEW current_tags IS 'Tags without those that are being deleted.';
