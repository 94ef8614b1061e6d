-- Records where the changes of this transaction come from, and returns true. Every part of a statement that changes logged rows
-- has the condition `(SELECT set_origin(…))`, which PostgreSQL evaluates once, before the first row. The defaults of
-- audit_logs.ip_address and audit_logs.user_agent read both settings.
CREATE OR REPLACE FUNCTION set_origin(address text, program text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('snapnote.address', coalesce(address, ''), true),
        set_config('snapnote.program', coalesce(program, ''), true);
    RETURN true;
END
$$;
