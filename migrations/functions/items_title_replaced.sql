-- Discards the folded title of an item when another program replaces the title. The service folds the new title later.
-- On a sharded database, the name of the table has a number at its end.
CREATE OR REPLACE FUNCTION items_title_replaced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME ~ '^(courses|tags)(_[0-9]+)?$' THEN
        NEW.name_folded := NULL;
    ELSE
        NEW.title_folded := NULL;
    END IF;
    RETURN NEW;
END
$$;
