-- Wraps a JSON value in its owner, so that the index of documents.metadata is scoped by owner. It calls no function of this
-- schema: pg_restore, and maintenance from PostgreSQL 17 on, run index expressions with a search_path of pg_catalog alone.
CREATE OR REPLACE FUNCTION search_owned(owner uuid, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT jsonb_build_object(owner::text, value)
$$;
