-- Returns the epoch of this database. Null if there is none.
CREATE OR REPLACE FUNCTION change_epoch() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM change_epochs WHERE database = change_database()
$$;
