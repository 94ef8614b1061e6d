-- Writes the search entry of a task.
CREATE OR REPLACE FUNCTION tasks_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 3::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
        search_start(NEW.description));
    RETURN NULL;
END
$$;
