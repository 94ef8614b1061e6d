//! The SQL of the clean-ups. An index leads to the rows of each, since they are looked for all the time and few are found.

use crate::db::background::Cleanup;

/// A clean-up that deletes the rows of a table that are due, by a key. The condition is checked again by the deletion:
/// when a step is repeated in halves, the rows are no longer locked.
macro_rules! deletion {
    ($name:literal, $table:literal, $key:literal, $type:literal, $due:literal) => {
        Cleanup {
            name: $name,
            due: concat!(
                "SELECT ",
                $key,
                "::text FROM ",
                $table,
                " WHERE ",
                $due,
                " AND ",
                $key,
                " <> ALL ($2::text[]::",
                $type,
                "[])",
                " LIMIT $1 FOR UPDATE SKIP LOCKED"
            ),
            finish: concat!(
                "WITH deleted AS (DELETE FROM ",
                $table,
                " WHERE ",
                $key,
                " = ANY ($1::text[]::",
                $type,
                "[]) AND ",
                $due,
                " RETURNING 1) SELECT count(*) FROM deleted"
            ),
            days: None,
        }
    };
}

/// A session that was never ended has been over for 90 days when it is 180 days old. No index has the time at which it
/// expires, since that is written with every use. A token stays while its mail waits to be sent: the mailer then reports
/// that the link has expired.
pub(super) const CLEANUPS: [Cleanup; 6] = [
    deletion!(
        "old-revocations",
        "revocations",
        "id",
        "bigint",
        "revoked_at < now() - interval '1 hour'"
    ),
    deletion!(
        "ended-sessions",
        "sessions",
        "id",
        "uuid",
        "ended_at < now() - interval '90 days'"
    ),
    deletion!(
        "expired-sessions",
        "sessions",
        "id",
        "uuid",
        "ended_at IS NULL AND created_at < now() - interval '180 days'"
    ),
    deletion!(
        "expired-mail-tokens",
        "mail_tokens",
        "id",
        "uuid",
        "expires_at < now() - interval '1 day' AND NOT EXISTS \
         (SELECT FROM mails WHERE token_id = mail_tokens.id AND died_at IS NULL)"
    ),
    deletion!(
        "dead-mails",
        "mails",
        "id",
        "uuid",
        "died_at < now() - interval '30 days'"
    ),
    deletion!("rate-limits", "throttles", "key", "uuid", "full_at < now()"),
];
