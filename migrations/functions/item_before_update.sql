-- Increments the version with every change. Sets updated_at with every change except a move to the trash or back.
--
-- An update that changes deleted_at is such a move, even if it changes other columns: documents and tasks of a course take
-- the course's status later (pending_operations), and one that leaves the course before that comes back in the same update.
-- deleted_at alone shows the move, since it is set exactly while status is 'trash' (constraint …_deleted_at_in_trash), and
-- differs if an item goes to the trash, comes back and goes again in one step. Comparing whole rows would decompress their
-- texts, so a move does not compare them.
CREATE OR REPLACE FUNCTION item_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.deleted_at IS NOT DISTINCT FROM NEW.deleted_at THEN
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
        NEW.updated_at := now();
    END IF;
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
