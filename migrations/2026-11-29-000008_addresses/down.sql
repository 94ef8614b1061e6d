ALTER TABLE mail_tokens DROP COLUMN email_key;
ALTER TABLE users
    DROP CONSTRAINT users_email_key_of_email,
    DROP CONSTRAINT users_email_key,
    DROP COLUMN email_key;
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
