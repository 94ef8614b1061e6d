-- The outbox sends by urgency: for each kind, the mail that has been due for longest.
DROP INDEX mails_due_idx;
CREATE INDEX mails_due_idx ON mails (kind, next_attempt_at) WHERE died_at IS NULL;

-- Users are found by a part of their address.
CREATE INDEX users_email_trigrams_idx ON users USING gin (lower(email) gin_trgm_ops) WITH (fastupdate = off);
