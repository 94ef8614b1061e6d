-- The extensions stay: they may be older than this migration.
DROP INDEX documents_metadata_idx, users_email_trigrams_idx, tasks_title_trigrams_idx, documents_title_trigrams_idx,
    courses_name_trigrams_idx;
DROP FUNCTION search_owned;
