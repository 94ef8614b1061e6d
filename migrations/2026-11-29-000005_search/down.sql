-- The extension stays: it may be older than this migration.
DROP INDEX documents_metadata_idx, users_email_trigrams_idx;
DROP FUNCTION search_owned;
