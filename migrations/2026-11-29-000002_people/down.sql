DROP TABLE rate_limits, mails, mail_tokens, revocations, sessions, former_accounts, accounts, user_profiles, users;
DROP FUNCTION sessions_revoke, accounts_revoke, user_profiles_log, user_profiles_before_update, users_before_delete,
    account_hash, users_deactivated, users_log, users_before_update, users_before_insert, take_tokens;
