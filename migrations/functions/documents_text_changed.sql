-- Records, until the transaction ends, that an update moved a document to the trash or back and changed its text, for
-- documents_log. The service does so only if it changes a document and its course while an operation is pending on the
-- previous course.
CREATE OR REPLACE FUNCTION documents_text_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('snapnote.documents_text_changed', 'on', true);
    RETURN NEW;
END
$$;
