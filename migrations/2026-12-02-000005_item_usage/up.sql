-- What each user has, while quotas are on (src/items/quota.rs).

CREATE TABLE item_usage (
    user_id uuid NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT item_usage_pkey PRIMARY KEY (user_id),
    CONSTRAINT item_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE item_usage IS 'Upper bounds of what each user has. Locked by each write that quotas limit. Empty without quotas.';
COMMENT ON COLUMN item_usage.counted_at IS 'When the numbers were exact.';
