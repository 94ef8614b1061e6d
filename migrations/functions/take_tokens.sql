-- Takes a token from each bucket, or from none. Returns 0 if it took them, otherwise the milliseconds until every bucket has
-- a token. A bucket holds `capacity` tokens and regains one every `spacing` milliseconds. The first pass takes no lock: a
-- caller who must wait anyway delays nobody else and writes nothing, whatever accounts the caller invents.
CREATE OR REPLACE FUNCTION take_tokens(keys uuid[], capacities integer[], spacings integer[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    locked boolean;
    wait interval;
BEGIN
    FOREACH locked IN ARRAY ARRAY[false, true] LOOP
        IF locked THEN
            INSERT INTO rate_limits (key, full_at) SELECT key, '-infinity' FROM unnest(keys) AS key ORDER BY key
            ON CONFLICT DO NOTHING;
            PERFORM FROM rate_limits WHERE key = ANY (keys) ORDER BY key FOR UPDATE;
        END IF;
        SELECT max(greatest(full_at, clock_timestamp()) - (capacity - 1) * spacing * interval '1 ms' - clock_timestamp())
        INTO wait FROM unnest(keys, capacities, spacings) AS bucket (key, capacity, spacing) JOIN rate_limits USING (key);
        IF wait > interval '0' THEN
            RETURN ceil(extract(epoch FROM wait) * 1000);
        END IF;
    END LOOP;
    UPDATE rate_limits SET full_at = greatest(full_at, clock_timestamp()) + spacing * interval '1 ms'
    FROM unnest(keys, spacings) AS bucket (key, spacing) WHERE rate_limits.key = bucket.key;
    RETURN 0;
END
$$;
