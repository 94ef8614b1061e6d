-- The text of a time in the log: as the API writes it, whatever the time zone of the connection is.
CREATE OR REPLACE FUNCTION logged_time(value timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(value AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
