-- Writes the search entry of an item that is new or whose text changed. No phrase matches across the parts of an item.
CREATE OR REPLACE FUNCTION search_enter(owner uuid, item uuid, kind smallint, course uuid, status text, touched timestamptz,
    title text, body text, more text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    title_folded CONSTANT text := search_fold(title);
    body_folded CONSTANT text := search_fold(body);
    more_folded CONSTANT text := search_fold(more);
    title_lexemes CONSTANT tsvector := setweight(search_lexemes(owner, title_folded), 'A');
    lexemes CONSTANT tsvector := search_lexemes(owner, rtrim(body_folded) || more_folded, title_lexemes);
BEGIN
    INSERT INTO search_entries (user_id, id, kind, course_id, is_active, touched_at, folded, title_words, words)
    VALUES (owner, item, kind, course, status = 'active', touched, concat_ws('|', title_folded, body_folded, more_folded),
        title_lexemes, lexemes)
    ON CONFLICT (user_id, id) DO UPDATE SET course_id = excluded.course_id, is_active = excluded.is_active,
        touched_at = excluded.touched_at, folded = excluded.folded, title_words = excluded.title_words, words = excluded.words;
    PERFORM search_learn(owner, item, lexemes);
END
$$;
