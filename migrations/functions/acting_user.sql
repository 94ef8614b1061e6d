-- Returns who acts in this transaction: the owner, unless the setting snapnote.actor names another user or 'service'.
-- Null stands for the service itself. PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION acting_user(owner uuid) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE coalesce(current_setting('snapnote.actor', true), '')
        WHEN '' THEN owner
        WHEN 'service' THEN NULL
        ELSE current_setting('snapnote.actor', true)::uuid
    END
$$;
