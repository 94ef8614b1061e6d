-- Returns who acts in this transaction: the owner, unless the setting snapnote.actor names another user or 'service'.
-- Null stands for the service itself.
CREATE OR REPLACE FUNCTION acting_user(owner uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    setting text := current_setting('snapnote.actor', true);
BEGIN
    IF setting IS NULL OR setting = '' THEN
        RETURN owner;
    ELSIF setting = 'service' THEN
        RETURN NULL;
    END IF;
    RETURN setting::uuid;
END
$$;
