-- Sets updated_at if a field of the user changed. Signing in is not such a change.
CREATE OR REPLACE FUNCTION users_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.email, OLD.name, OLD.avatar_url, OLD.email_verified, OLD.is_active, OLD.role)
        IS DISTINCT FROM (NEW.email, NEW.name, NEW.avatar_url, NEW.email_verified, NEW.is_active, NEW.role) THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
