-- Courses, documents and tasks, and the operations on them that a background job finishes.
--
-- Every row's primary key starts with its owner's id, and so does every foreign key. A document therefore cannot be in another
-- owner's course, whatever the code does, and every index keeps the rows of one owner together.
--
-- Names and titles sort by one ICU collation on every server. There is one index for each order of the API's lists.

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
-- For the clean-up of the trash, the only reader of all owners' rows.
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
    image_id uuid,
    CONSTRAINT documents_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT documents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT documents_course_id_fkey FOREIGN KEY (user_id, course_id)
        REFERENCES courses (user_id, id) ON DELETE CASCADE,
    CONSTRAINT documents_image_id_fkey FOREIGN KEY (user_id, image_id) REFERENCES image_objects (user_id, id),
    CONSTRAINT documents_title_length CHECK (length(title) BETWEEN 1 AND 500),
    CONSTRAINT documents_excerpt_length CHECK (length(excerpt) <= 200),
    CONSTRAINT documents_processing_time_range CHECK (processing_time >= 0 AND processing_time < 'infinity'),
    CONSTRAINT documents_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT documents_trashed_with_its_course CHECK (trashed_with IS NULL OR (trashed_with = course_id AND status = 'trash')),
    CONSTRAINT documents_status_known CHECK (status IN ('active', 'trash')),
    CONSTRAINT documents_deleted_at_in_trash CHECK ((status = 'trash') = (deleted_at IS NOT NULL)),
    CONSTRAINT documents_version_positive CHECK (version > 0)
);
COMMENT ON COLUMN documents.excerpt_is_own IS
    'Whether the client set the excerpt. If not, the service makes it from the note, and again when the note changes.';
COMMENT ON COLUMN documents.trashed_with IS
    'The course that took the document to the trash. Null if the document went by itself, and while it is active.';
COMMENT ON COLUMN documents.image_id IS 'The image of the page that the document was made from.';
CREATE INDEX documents_created_at_idx ON documents (user_id, status, created_at DESC, id DESC);
CREATE INDEX documents_updated_at_idx ON documents (user_id, status, updated_at DESC, id DESC);
CREATE INDEX documents_title_idx ON documents (user_id, status, title, id);
CREATE INDEX documents_course_idx ON documents (user_id, course_id, status, created_at DESC, id DESC);
CREATE INDEX documents_trash_idx ON documents (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
CREATE UNIQUE INDEX documents_image_idx ON documents (user_id, image_id) WHERE image_id IS NOT NULL;
-- For the clean-up of the trash. It looks for documents that went to the trash by themselves; the others go with their course.
CREATE INDEX documents_deleted_at_idx ON documents (deleted_at) WHERE status = 'trash' AND trashed_with IS NULL;

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
COMMENT ON COLUMN tasks.completed_at IS 'When the task was completed. Null while it is open.';
COMMENT ON COLUMN tasks.priority IS '0 low, 1 normal, 2 high.';
COMMENT ON COLUMN tasks.trashed_with IS
    'The course that took the task to the trash. Null if the task went by itself, and while it is active.';
CREATE INDEX tasks_created_at_idx ON tasks (user_id, status, created_at DESC, id DESC);
CREATE INDEX tasks_updated_at_idx ON tasks (user_id, status, updated_at DESC, id DESC);
CREATE INDEX tasks_title_idx ON tasks (user_id, status, title, id);
CREATE INDEX tasks_priority_idx ON tasks (user_id, status, priority DESC, id DESC);
-- Tasks without a due date come last in both directions.
CREATE INDEX tasks_due_at_asc_idx ON tasks (user_id, status, coalesce(due_at, 'infinity'), id);
CREATE INDEX tasks_due_at_desc_idx ON tasks (user_id, status, coalesce(due_at, '-infinity') DESC, id DESC);
CREATE INDEX tasks_course_idx ON tasks (user_id, course_id, status, created_at DESC, id DESC);
CREATE INDEX tasks_trash_idx ON tasks (user_id, deleted_at DESC, id DESC) WHERE status = 'trash';
-- As documents_deleted_at_idx.
CREATE INDEX tasks_deleted_at_idx ON tasks (deleted_at) WHERE status = 'trash' AND trashed_with IS NULL;

\ir ../functions/item_before_update.sql
\ir ../functions/item_action.sql
\ir ../functions/courses_log.sql
\ir ../functions/documents_log.sql
\ir ../functions/documents_text_changed.sql
\ir ../functions/tasks_log.sql
\ir ../functions/documents_leave_image.sql

-- The deletion of a user turns the log off by the setting snapnote.logging, since it deletes the user's log as well.
CREATE TRIGGER courses_before_update BEFORE UPDATE ON courses FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER courses_log AFTER INSERT OR UPDATE OR DELETE ON courses FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION courses_log();

CREATE TRIGGER documents_before_update BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER documents_log AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION documents_log();
-- An update that does not name a text cannot have changed it, so it compares none.
CREATE TRIGGER documents_text_changed BEFORE UPDATE OF original_text, formatted_note ON documents FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
        AND (OLD.original_text, OLD.formatted_note) IS DISTINCT FROM (NEW.original_text, NEW.formatted_note))
    EXECUTE FUNCTION documents_text_changed();
CREATE TRIGGER documents_image_replaced AFTER UPDATE OF image_id ON documents FOR EACH ROW
    WHEN (OLD.image_id IS NOT NULL AND OLD.image_id IS DISTINCT FROM NEW.image_id) EXECUTE FUNCTION documents_leave_image();
CREATE TRIGGER documents_image_left AFTER DELETE ON documents FOR EACH ROW
    WHEN (OLD.image_id IS NOT NULL) EXECUTE FUNCTION documents_leave_image();

CREATE TRIGGER tasks_before_update BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION item_before_update();
CREATE TRIGGER tasks_log AFTER INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW
    WHEN (current_setting('snapnote.logging', true) IS DISTINCT FROM 'off') EXECUTE FUNCTION tasks_log();

-- Operations of any size. A request commits what the caller asked for in a few rows; a background job then moves or deletes the
-- many rows that follow from it, in steps. The views `current_…` show items as every reader must see them meanwhile. Readers
-- need the views only if the owner has a pending operation. Otherwise tables and views agree.
CREATE TABLE pending_operations (
    user_id uuid NOT NULL,
    item_id uuid NOT NULL,
    kind smallint NOT NULL,
    operation text NOT NULL,
    actor_id uuid,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT pending_operations_pkey PRIMARY KEY (user_id, item_id),
    CONSTRAINT pending_operations_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT pending_operations_operation_of_kind CHECK (
        operation = 'settle' AND kind = 1 OR operation = 'remove' AND kind IN (1, 2, 3)
        OR operation = 'leave' AND kind = 0 AND item_id = user_id)
);
COMMENT ON TABLE pending_operations IS 'Operations that requests have committed and a background job still has to finish.';
COMMENT ON COLUMN pending_operations.kind IS '0 the user, 1 course, 2 document, 3 task.';
COMMENT ON COLUMN pending_operations.operation IS
    'settle: give a course''s documents and tasks its status; remove: delete an item, a course with its contents; leave: delete the user.';
COMMENT ON COLUMN pending_operations.actor_id IS
    'The user who requested the operation, for the change log. Null for the service itself.';
COMMENT ON COLUMN pending_operations.retry_at IS
    'Set to a later time after a failure. The job skips the operation until then.';

CREATE VIEW current_courses AS
SELECT user_id, id, name, description, color, icon, status, version, created_at, updated_at, deleted_at
FROM courses
WHERE NOT EXISTS (
    SELECT FROM pending_operations AS pending
    WHERE pending.user_id = courses.user_id AND pending.item_id = courses.id AND operation = 'remove');

-- An item is active if it was not moved to the trash by itself and its course, if it has one, is active.
CREATE VIEW current_documents AS
SELECT item.user_id, item.id, item.course_id, item.title, item.original_text, item.formatted_note, item.excerpt,
    item.excerpt_is_own, item.processing_time, item.metadata,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN 'trash' ELSE course.status END AS status,
    item.version, item.created_at, item.updated_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN item.deleted_at ELSE course.deleted_at END AS deleted_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL OR course.status = 'active' THEN NULL ELSE course.id END
        AS trashed_with,
    item.image_id
FROM documents AS item JOIN courses AS course ON course.user_id = item.user_id AND course.id = item.course_id
WHERE NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.id AND operation = 'remove')
    AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.course_id AND operation = 'remove');

CREATE VIEW current_tasks AS
SELECT item.user_id, item.id, item.course_id, item.title, item.description, item.completed_at, item.due_at, item.priority,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN 'trash' ELSE coalesce(course.status, 'active') END AS status,
    item.version, item.created_at, item.updated_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL THEN item.deleted_at ELSE course.deleted_at END AS deleted_at,
    CASE WHEN item.status = 'trash' AND item.trashed_with IS NULL OR course.status = 'active' THEN NULL ELSE course.id END
        AS trashed_with
FROM tasks AS item LEFT JOIN courses AS course ON course.user_id = item.user_id AND course.id = item.course_id
WHERE NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.id AND operation = 'remove')
    AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = item.user_id AND pending.item_id = item.course_id AND operation = 'remove');

COMMENT ON VIEW current_courses IS 'Courses without those that are being deleted.';
COMMENT ON VIEW current_documents IS 'Documents as readers see them while operations are pending.';
COMMENT ON VIEW current_tasks IS 'Tasks as readers see them while operations are pending.';
