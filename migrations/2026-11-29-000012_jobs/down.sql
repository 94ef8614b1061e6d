DROP INDEX users_email_trigrams_idx;
DROP INDEX mails_due_idx;
CREATE INDEX mails_due_idx ON mails (next_attempt_at) WHERE died_at IS NULL;
