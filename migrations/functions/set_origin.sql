-- Records where the changes of this transaction come from, and returns true. Every part of a statement that changes logged rows
-- has the condition `(SELECT set_origin(…))`, which PostgreSQL inlines and evaluates once, before the first row. The defaults of
-- audit_logs.ip_address and audit_logs.user_agent read both settings.
CREATE OR REPLACE FUNCTION set_origin(address text, program text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT set_config('snapnote.address', coalesce(address, ''), true) IS NOT NULL
        AND set_config('snapnote.program', coalesce(program, ''), true) IS NOT NULL
$$;
