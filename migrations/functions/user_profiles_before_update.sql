-- Sets updated_at if the profile changed.
CREATE OR REPLACE FUNCTION user_profiles_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD IS DISTINCT FROM NEW THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
