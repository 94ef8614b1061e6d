-- Canonical email addresses. lower() depends on the database's collation and takes different addresses for the same one
-- (İ and the Kelvin sign become ASCII letters); the service derives the key of each address instead (src/email_address.rs).
-- Collation C: keys are compared byte by byte, and the index does not depend on a library's version.
ALTER TABLE users ADD COLUMN email_key text COLLATE "C";
ALTER TABLE mail_tokens ADD COLUMN email_key text COLLATE "C";
COMMENT ON COLUMN users.email_key IS 'The canonical form of email: equal keys are the same account.';
COMMENT ON COLUMN mail_tokens.email_key IS 'The canonical form of email.';

-- RFC 3492, for labels that contain characters beyond ASCII.
CREATE FUNCTION punycode(label text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    points integer[] := ARRAY(SELECT ascii(letter) FROM unnest(string_to_array(label, NULL))
        WITH ORDINALITY AS part (letter, place) ORDER BY place);
    encoded text := regexp_replace(label, '[^\x01-\x7f]', '', 'g');
    basic integer := length(encoded);
    handled integer := basic;
    point integer;
    next_point integer := 128;
    delta bigint := 0;
    bias integer := 72;
    rest bigint;
    k integer;
    threshold integer;
BEGIN
    IF basic > 0 THEN
        encoded := encoded || '-';
    END IF;
    WHILE handled < cardinality(points) LOOP
        SELECT min(p) INTO point FROM unnest(points) AS p WHERE p >= next_point;
        delta := delta + (point - next_point)::bigint * (handled + 1);
        next_point := point;
        FOREACH point IN ARRAY points LOOP
            IF point < next_point THEN
                delta := delta + 1;
            ELSIF point = next_point THEN
                rest := delta;
                k := 36;
                LOOP
                    threshold := greatest(1, least(26, k - bias));
                    EXIT WHEN rest < threshold;
                    encoded := encoded || substr('abcdefghijklmnopqrstuvwxyz0123456789',
                        (threshold + (rest - threshold) % (36 - threshold))::integer + 1, 1);
                    rest := (rest - threshold) / (36 - threshold);
                    k := k + 36;
                END LOOP;
                encoded := encoded || substr('abcdefghijklmnopqrstuvwxyz0123456789', rest::integer + 1, 1);
                rest := CASE WHEN handled = basic THEN delta / 700 ELSE delta / 2 END;
                rest := rest + rest / (handled + 1);
                k := 0;
                WHILE rest > 455 LOOP
                    rest := rest / 35;
                    k := k + 36;
                END LOOP;
                bias := k + (36 * rest / (rest + 38))::integer;
                delta := 0;
                handled := handled + 1;
            END IF;
        END LOOP;
        delta := delta + 1;
        next_point := next_point + 1;
    END LOOP;
    RETURN encoded;
END
$$;

-- What the service derives, for every address that it accepts. SQL cannot map domains as IDNA does, and need not: an address
-- that the service no longer accepts gets a key that no accepted address has. Mapping it instead could hand the account of
-- one owner to another.
CREATE FUNCTION email_key_of(email text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN email ~ '^[^@]+@[^@]+$' AND email ~ '[^\x01-\x7f]' THEN
        lower(split_part(email, '@', 1) COLLATE "C") || '@' || (
            SELECT string_agg(CASE WHEN label ~ '[^\x01-\x7f]' THEN 'xn--' || punycode(label) ELSE label END, '.' ORDER BY place)
            FROM unnest(string_to_array(lower(split_part(email, '@', 2) COLLATE "C"), '.')) WITH ORDINALITY AS part (label, place))
    ELSE lower(email COLLATE "C") END
$$;

UPDATE users SET email_key = email_key_of(email);
-- Their new addresses were not checked by the present rule; each is asked for again.
DELETE FROM mail_tokens WHERE purpose = 'email_change';
UPDATE mail_tokens SET email_key = email_key_of(email);
DROP FUNCTION email_key_of(text);
DROP FUNCTION punycode(text);

DO $$
DECLARE
    same text;
BEGIN
    SELECT string_agg(ids, '; ') INTO same FROM (
        SELECT string_agg(id::text, ' and ' ORDER BY id) AS ids FROM users
        GROUP BY email_key HAVING count(*) > 1 ORDER BY 1 LIMIT 20) AS users_of_key;
    IF same IS NOT NULL THEN
        RAISE EXCEPTION 'users with the same email address in different forms: %. Accounts are not merged. Change or delete all but one user of each address in the table users, then migrate again.', same;
    END IF;
END
$$;

DROP INDEX users_email_key;
ALTER TABLE users
    ALTER COLUMN email_key SET NOT NULL,
    ADD CONSTRAINT users_email_key UNIQUE (email_key),
    ADD CONSTRAINT users_email_key_of_email CHECK (email_key = lower(email COLLATE "C") OR email ~ '[^\x01-\x7f]');
ALTER TABLE mail_tokens ALTER COLUMN email_key SET NOT NULL;
