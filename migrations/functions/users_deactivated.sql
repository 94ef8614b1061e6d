-- Signs a deactivated user out everywhere: ends their sessions, deletes their mailed tokens, and lists them as revoked.
-- Processes trust the sessions that they know until they read that list.
CREATE OR REPLACE FUNCTION users_deactivated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH ended AS (
        UPDATE sessions SET ended_at = now() WHERE user_id = NEW.id AND ended_at IS NULL RETURNING id
    )
    INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id)
    SELECT NEW.id, acting_user(NEW.id), 'SESSION_REVOKED', 'Session', id FROM ended;
    DELETE FROM mail_tokens WHERE user_id = NEW.id;
    INSERT INTO revocations (subject_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;
