-- The extensions stay: they may have been there before.
DROP INDEX documents_metadata_idx, tasks_title_trigrams_idx, documents_title_trigrams_idx, courses_name_trigrams_idx;
DROP TRIGGER tasks_search_leave ON tasks;
DROP TRIGGER tasks_search ON tasks;
DROP TRIGGER documents_search_leave ON documents;
DROP TRIGGER documents_search ON documents;
DROP TRIGGER courses_search_leave ON courses;
DROP TRIGGER courses_search ON courses;
DROP FUNCTION tasks_search, documents_search, courses_search, search_leave, search_move, search_enter, search_learn;
DROP TABLE search_words, search_entries;
DROP FUNCTION search_owned, search_start, search_lexemes, search_look, search_scope, search_fold;
