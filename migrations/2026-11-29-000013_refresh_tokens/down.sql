DELETE FROM mails WHERE kind = 'refresh_token_reused';
ALTER TABLE mails
    DROP CONSTRAINT mails_kind_known,
    ADD CONSTRAINT mails_kind_known CHECK (kind IN (
        'password_reset', 'email_verification', 'email_change', 'email_change_requested', 'email_changed',
        'password_changed', 'new_device', 'sign_up_attempted', 'account_linked', 'account_deleted'));

ALTER TABLE sessions
    DROP COLUMN rotated_at,
    DROP COLUMN rotated_ip_address,
    DROP COLUMN rotated_user_agent;
