-- Writes the search entry of a document.
CREATE OR REPLACE FUNCTION documents_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM search_enter(NEW.user_id, NEW.id, 2::smallint, NEW.course_id, NEW.status, NEW.updated_at, NEW.title,
        search_start(NEW.formatted_note), search_start(NEW.original_text));
    RETURN NULL;
END
$$;
