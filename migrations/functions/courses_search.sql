-- Writes the search entry of a course.
CREATE OR REPLACE FUNCTION courses_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 1::smallint, NULL, NEW.status, NEW.updated_at, NEW.name, search_start(NEW.description));
    RETURN NULL;
END
$$;
