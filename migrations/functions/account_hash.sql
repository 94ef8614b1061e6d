-- Returns the hash by which former_accounts knows an external account.
CREATE OR REPLACE FUNCTION account_hash(provider text, provider_account_id text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(provider || E'\n' || provider_account_id, 'UTF8'))
$$;
