-- What a person keeps. Everything hangs on its owner in the key itself, so that a document cannot stand in another
-- person's course whatever the code does, and one person's rows lie together in every index.
--
-- Names and titles sort by one collation on every server. The indexes: one for each order of the API's lists.

-- Counts the version with every change, and moves updated_at with every change but a move to the trash or back.
CREATE FUNCTION item_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    IF OLD.status = NEW.status THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION item_action(old_status text, new_status text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old_status = new_status THEN
        RETURN 'UPDATED';
    ELSIF new_status = 'trash' THEN
        RETURN 'TRASHED';
    END IF;
    RETURN 'RESTORED';
END
$$;

CREATE TABLE courses (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    name text COLLATE "und-x-icu" NOT NULL,
    description text,
    color text,
    icon text,
    status text NOT NULL DEFAULT 'active',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT courses_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT courses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT courses_name_length CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT courses_description_length CHECK (length(description) <= 10000),
    CONSTRAINT courses_color_format CHECK (color ~ '^#[0-9A-Fa-f]{6}$'),
    CONSTRAINT courses_icon_length CHECK (length(icon) <= 50),
    CONSTRAINT courses_status_known CHECK (status IN ('active', 'trash')),
    CONSTRAINT courses_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    CONSTRAINT courses_version_positive CHECK (version > 0)
);
CREATE INDEX courses_updated_at_idx ON courses (user_id, status, updated_at DESC, id DESC);
CREATE INDEX courses_created_at_idx ON courses (user_id, status, created_at DESC, id DESC);
CREATE INDEX courses_name_idx ON courses (user_id, status, name, id);
CREATE INDEX courses_trash_idx ON courses (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
-- For the sweep of what has lain in the trash too long: the one reader that asks for everybody's rows.
CREATE INDEX courses_deleted_at_idx ON courses (deleted_at) WHERE status = 'trash';

CREATE TABLE documents (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    course_id uuid NOT NULL,
    title text COLLATE "und-x-icu" NOT NULL,
    original_text text NOT NULL,
    formatted_note text NOT NULL,
    excerpt text NOT NULL,
    excerpt_is_own boolean NOT NULL DEFAULT false,
    processing_time double precision,
    metadata jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    trashed_with uuid,
    CONSTRAINT documents_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT documents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT documents_course_id_fkey FOREIGN KEY (user_id, course_id)
        REFERENCES courses (user_id, id) ON DELETE CASCADE,
    CONSTRAINT documents_title_length CHECK (length(title) BETWEEN 1 AND 500),
    CONSTRAINT documents_excerpt_length CHECK (length(excerpt) <= 200),
    CONSTRAINT documents_processing_time_range CHECK (processing_time >= 0 AND processing_time < 'infinity'),
    CONSTRAINT documents_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT documents_trashed_with_its_course CHECK (trashed_with IS NULL OR (trashed_with = course_id AND status = 'trash')),
    CONSTRAINT documents_status_known CHECK (status IN ('active', 'trash')),
    CONSTRAINT documents_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    CONSTRAINT documents_version_positive CHECK (version > 0)
);
COMMENT ON COLUMN documents.excerpt_is_own IS 'Whether the excerpt was given; if not, it is made of the note, and again whenever the note changes.';
COMMENT ON COLUMN documents.trashed_with IS 'The course that took it to the trash; null if it went alone, and while active.';
CREATE INDEX documents_created_at_idx ON documents (user_id, status, created_at DESC, id DESC);
CREATE INDEX documents_updated_at_idx ON documents (user_id, status, updated_at DESC, id DESC);
CREATE INDEX documents_title_idx ON documents (user_id, status, title, id);
CREATE INDEX documents_course_idx ON documents (user_id, course_id, status, created_at DESC, id DESC);
CREATE INDEX documents_trash_idx ON documents (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
-- For the sweep of what has lain in the trash too long: the one reader that asks for everybody's rows.
CREATE INDEX documents_deleted_at_idx ON documents (deleted_at) WHERE status = 'trash';

CREATE TABLE tasks (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    course_id uuid,
    title text COLLATE "und-x-icu" NOT NULL,
    description text,
    completed_at timestamptz,
    due_at timestamptz,
    priority smallint NOT NULL DEFAULT 1,
    status text NOT NULL DEFAULT 'active',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    trashed_with uuid,
    CONSTRAINT tasks_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT tasks_course_id_fkey FOREIGN KEY (user_id, course_id)
        REFERENCES courses (user_id, id) ON DELETE CASCADE,
    CONSTRAINT tasks_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT tasks_description_length CHECK (length(description) <= 1000),
    CONSTRAINT tasks_priority_known CHECK (priority BETWEEN 0 AND 2),
    CONSTRAINT tasks_trashed_with_its_course CHECK (trashed_with IS NULL OR (trashed_with = course_id AND status = 'trash')),
    CONSTRAINT tasks_status_known CHECK (status IN ('active', 'trash')),
    CONSTRAINT tasks_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    CONSTRAINT tasks_version_positive CHECK (version > 0)
);
COMMENT ON COLUMN tasks.completed_at IS 'When it was completed; null while it is open.';
COMMENT ON COLUMN tasks.priority IS '0 low, 1 normal, 2 high.';
COMMENT ON COLUMN tasks.trashed_with IS 'The course that took it to the trash; null if it went alone, and while active.';
CREATE INDEX tasks_created_at_idx ON tasks (user_id, status, created_at DESC, id DESC);
CREATE INDEX tasks_updated_at_idx ON tasks (user_id, status, updated_at DESC, id DESC);
CREATE INDEX tasks_title_idx ON tasks (user_id, status, title, id);
CREATE INDEX tasks_priority_idx ON tasks (user_id, status, priority DESC, id DESC);
-- Tasks without a due date come last in either direction.
CREATE INDEX tasks_due_at_asc_idx ON tasks (user_id, status, coalesce(due_at, 'infinity'), id);
CREATE INDEX tasks_due_at_desc_idx ON tasks (user_id, status, coalesce(due_at, '-infinity') DESC, id DESC);
CREATE INDEX tasks_course_idx ON tasks (user_id, course_id, status, created_at DESC, id DESC);
CREATE INDEX tasks_trash_idx ON tasks (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
-- For the sweep of what has lain in the trash too long: the one reader that asks for everybody's rows.
CREATE INDEX tasks_deleted_at_idx ON tasks (deleted_at) WHERE status = 'trash';

CREATE FUNCTION courses_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid;
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        actor := acting_user(NEW.user_id);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, actor, 'CREATED', 'Course', NEW.id, NEW.version);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        actor := acting_user(OLD.user_id);
        diff := changed('name', OLD.name, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, actor, 'DELETED', 'Course', OLD.id, OLD.version, diff);
        RETURN NULL;
    ELSIF NEW.version = OLD.version THEN
        RETURN NULL;
    END IF;
    actor := acting_user(NEW.user_id);
    action := item_action(OLD.status, NEW.status);
    diff := changed('name', OLD.name, NEW.name)
        || changed('description', OLD.description, NEW.description)
        || changed('color', OLD.color, NEW.color)
        || changed('icon', OLD.icon, NEW.icon);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Course', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
CREATE TRIGGER courses_before_update BEFORE UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE OR DELETE ON courses FOR EACH ROW EXECUTE FUNCTION courses_log();

CREATE FUNCTION documents_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid;
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        actor := acting_user(NEW.user_id);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, actor, 'CREATED', 'Document', NEW.id, NEW.version);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        actor := acting_user(OLD.user_id);
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, actor, 'DELETED', 'Document', OLD.id, OLD.version, diff);
        RETURN NULL;
    ELSIF NEW.version = OLD.version THEN
        RETURN NULL;
    END IF;
    actor := acting_user(NEW.user_id);
    action := item_action(OLD.status, NEW.status);
    diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
        || changed('title', OLD.title, NEW.title)
        || changed('originalText', OLD.original_text, NEW.original_text)
        || changed('formattedNote', OLD.formatted_note, NEW.formatted_note)
        || changed('excerpt', OLD.excerpt, NEW.excerpt)
        || changed('processingTime', OLD.processing_time::text, NEW.processing_time::text)
        || changed('metadata', OLD.metadata::text, NEW.metadata::text);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Document', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
CREATE TRIGGER documents_before_update BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION documents_log();

CREATE FUNCTION tasks_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid;
    action text;
    diff jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        actor := acting_user(NEW.user_id);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version)
        VALUES (NEW.user_id, actor, 'CREATED', 'Task', NEW.id, NEW.version);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        actor := acting_user(OLD.user_id);
        diff := changed('title', OLD.title, NULL);
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
        VALUES (OLD.user_id, actor, 'DELETED', 'Task', OLD.id, OLD.version, diff);
        RETURN NULL;
    ELSIF NEW.version = OLD.version THEN
        RETURN NULL;
    END IF;
    actor := acting_user(NEW.user_id);
    action := item_action(OLD.status, NEW.status);
    diff := changed('courseId', OLD.course_id::text, NEW.course_id::text)
        || changed('title', OLD.title, NEW.title)
        || changed('description', OLD.description, NEW.description)
        || changed('completedAt', to_json(OLD.completed_at) #>> '{}', to_json(NEW.completed_at) #>> '{}')
        || changed('dueAt', to_json(OLD.due_at) #>> '{}', to_json(NEW.due_at) #>> '{}')
        || changed('priority', OLD.priority::text, NEW.priority::text);
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, version, changes)
    VALUES (NEW.user_id, actor, action, 'Task', NEW.id, NEW.version, nullif(diff, '{}'));
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_before_update BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_log();
