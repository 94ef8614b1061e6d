-- The extensions stay: they may be older than this migration.
DROP INDEX documents_metadata_idx, users_email_trigrams_idx, tasks_title_trigrams_idx, documents_title_trigrams_idx,
    courses_name_trigrams_idx;
DROP FUNCTION courses_search, documents_search, tasks_search, courses_search_move, search_move, search_leave CASCADE;
DROP TABLE search_departed, search_words, search_entries;
DROP FUNCTION search_owned, search_enter, search_learn, search_lexemes, search_start, search_look, search_scope, search_fold;
