//! The SQL of the clean-ups. Each uses an index, since they run all the time and find few rows.

use crate::db::background::Cleanup;

/// Clean-ups that delete the rows of a table that are due, by key. The deletion checks the condition again: when a step
/// is repeated in halves, the rows are no longer locked.
macro_rules! deletions {
    ($($name:literal: $table:literal $key:literal $type:literal $due:literal;)+) => {
        [$(Cleanup {
            name: $name,
            due: concat!(
                "SELECT ", $key, "::text FROM ", $table, " WHERE ", $due,
                " AND ", $key, " <> ALL ($2::text[]::", $type, "[]) LIMIT $1 FOR UPDATE SKIP LOCKED"
            ),
            finish: concat!(
                "WITH deleted AS (DELETE FROM ", $table, " WHERE ", $key, " = ANY ($1::text[]::", $type, "[]) AND ", $due,
                " RETURNING 1) SELECT count(*) FROM deleted"
            ),
            on_shards: None,
            days: None,
        }),+]
    };
}

/// A session that was never ended has expired at least 90 days ago when it is 180 days old. There is no index on
/// `expires_at`, since every use writes it. A token stays while its mail waits to be sent, so that the mailer can
/// report that the link has expired.
pub(super) const CLEANUPS: [Cleanup; 6] = deletions! {
    "old-revocations": "revocations" "id" "bigint" "revoked_at < now() - interval '1 hour'";
    "ended-sessions": "sessions" "id" "uuid" "ended_at < now() - interval '90 days'";
    "expired-sessions": "sessions" "id" "uuid" "ended_at IS NULL AND created_at < now() - interval '180 days'";
    "expired-mail-tokens": "mail_tokens" "id" "uuid" "expires_at < now() - interval '1 day'
        AND NOT EXISTS (SELECT FROM mails WHERE token_id = mail_tokens.id AND died_at IS NULL)";
    "dead-mails": "mails" "id" "uuid" "died_at < now() - interval '30 days'";
    "rate-limits": "rate_limits" "key" "uuid" "full_at < now()";
};
