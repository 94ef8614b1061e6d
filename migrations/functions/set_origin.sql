-- Records where the changes of this transaction come from, and returns the owner. A writing statement names its owner by
-- `(SELECT set_origin($1, $2, $3))`, which PostgreSQL evaluates once, before the first row. The defaults of
-- audit_logs.ip_address and audit_logs.user_agent read both settings.
CREATE OR REPLACE FUNCTION set_origin(owner uuid, address text, program text) RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('snapnote.address', coalesce(address, ''), true),
        set_config('snapnote.program', coalesce(program, ''), true);
    RETURN owner;
END
$$;
