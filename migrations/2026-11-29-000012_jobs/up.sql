-- Users are found by a part of their address.
CREATE INDEX users_email_trigrams_idx ON users USING gin (lower(email) gin_trgm_ops) WITH (fastupdate = off);
