-- Logs the changes of a profile.
CREATE OR REPLACE FUNCTION user_profiles_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor uuid := acting_user(NEW.user_id);
    diff jsonb := changed('proficiency', upper(OLD.proficiency), upper(NEW.proficiency))
        || changed('technicalBackground', OLD.technical_background, NEW.technical_background)
        || changed('hardwareAccess', OLD.hardware_access, NEW.hardware_access)
        || changed('learningGoals', OLD.learning_goals, NEW.learning_goals)
        || changed('preferences', OLD.preferences, NEW.preferences);
BEGIN
    IF diff <> '{}' THEN
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, changes)
        VALUES (NEW.user_id, actor, 'UPDATED', 'Profile', NEW.user_id, diff);
    END IF;
    RETURN NULL;
END
$$;
