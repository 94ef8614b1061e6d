DROP INDEX users_email_trigrams_idx;
