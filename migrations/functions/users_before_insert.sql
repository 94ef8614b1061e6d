-- Derives the key of an ASCII address for programs that insert users without it. Other addresses need their key (IDNA).
CREATE OR REPLACE FUNCTION users_before_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email_key := lower(NEW.email COLLATE "C");
    RETURN NEW;
END
$$;
