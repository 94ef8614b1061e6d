-- Discards the folded title of an item when another program replaces the title. The service folds the new title later.
CREATE OR REPLACE FUNCTION items_title_replaced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME IN ('courses', 'tags') THEN
        NEW.name_folded := NULL;
    ELSE
        NEW.title_folded := NULL;
    END IF;
    RETURN NEW;
END
$$;
