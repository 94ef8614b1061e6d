-- A refresh token that was replaced is served for a minute only, and to another client only with an entry in the log.

-- rotated_at: when the newest refresh token was made. The others: which client exchanged its predecessor; null before the
-- first exchange.
ALTER TABLE sessions
    ADD COLUMN rotated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN rotated_ip_address inet,
    ADD COLUMN rotated_user_agent text,
    ADD CONSTRAINT sessions_rotated_user_agent_length CHECK (length(rotated_user_agent) <= 512);

ALTER TABLE mails
    DROP CONSTRAINT mails_kind_known,
    ADD CONSTRAINT mails_kind_known CHECK (kind IN (
        'password_reset', 'email_verification', 'email_change', 'email_change_requested', 'email_changed',
        'password_changed', 'new_device', 'sign_up_attempted', 'account_linked', 'account_deleted', 'refresh_token_reused'));
