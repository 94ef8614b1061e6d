//! The SQL of the outbox. The statements that write mails are next to the changes that they report, and
//! `auth::cleanups` deletes mails that were given up long ago.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::templates::Template;
use crate::{
    db::{Connection, Statement, row},
    error::Error,
};

row! {
    /// A claimed mail.
    #[derive(Debug, Clone)]
    pub(super) struct Mail {
        pub(super) id: Uuid,
        pub(super) kind: String,
        pub(super) recipient: String,
        /// Also `None` if the token is no longer valid: used, voided or expired.
        pub(super) token_id: Option<Uuid>,
        /// The SHA-256 of the token.
        pub(super) token_hash: Option<Vec<u8>>,
        pub(super) ip_address: Option<String>,
        pub(super) user_agent: Option<String>,
        pub(super) created_at: DateTime<Utc>,
        /// Whether its user was deleted. The mail is not sent then.
        pub(super) user_deleted: bool,
        /// Whether its token was neither used nor voided until it expired.
        pub(super) token_expired: bool,
        /// No other worker claims the mail before this time.
        pub(super) claimed_until: DateTime<Utc>,
    }
}

/// The index `mails_due_idx` finds the mail of each kind that has been due for longest; the most urgent of these is
/// claimed. The claim replaces a lock: no other worker takes the mail for two minutes, four times the maximum time of a
/// delivery.
const CLAIM: &str = "
    WITH due AS (
        SELECT mail.id, token_id FROM unnest($1, $2) AS wanted (kind, urgency) CROSS JOIN LATERAL (
            SELECT id, token_id, next_attempt_at FROM mails
            WHERE mails.kind = wanted.kind AND died_at IS NULL AND next_attempt_at <= now()
            ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS mail
        ORDER BY urgency, next_attempt_at LIMIT 1
    )
    UPDATE mails SET next_attempt_at = clock_timestamp() + interval '2 minutes'
    FROM due LEFT JOIN mail_tokens ON mail_tokens.id = due.token_id
    WHERE mails.id = due.id
    RETURNING mails.id, kind, recipient, CASE WHEN expires_at > now() THEN mail_tokens.id END,
        CASE WHEN expires_at > now() THEN token_hash END, host(ip_address), user_agent, mails.created_at,
        mails.user_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM users WHERE users.id = mails.user_id AND deleted_at IS NULL),
        coalesce(expires_at <= now(), false), next_attempt_at";

/// Claims the most urgent due mail of these kinds. Among equally urgent ones, the one that has been due for longest.
pub(super) async fn claim(
    conn: &mut Connection,
    templates: impl Iterator<Item = &'static Template>,
) -> Result<Option<Mail>, Error> {
    let (names, urgencies): (Vec<String>, Vec<i32>) = templates
        .map(|template| (template.kind.to_owned(), template.urgency as i32))
        .unzip();
    let statement = Statement::new(CLAIM).bind(names).bind(urgencies);
    conn.row(statement).await
}

const RELEASE: &str =
    "UPDATE mails SET next_attempt_at = now() WHERE id = ANY($1) AND died_at IS NULL";

/// Releases the claims of mails whose delivery was interrupted, so that they are due again.
pub(super) async fn release(conn: &mut Connection, ids: Vec<Uuid>) -> Result<(), Error> {
    conn.execute(Statement::new(RELEASE).bind(ids)).await?;
    Ok(())
}

const DELETE: &str = "DELETE FROM mails WHERE id = $1";

/// Deletes a mail that was sent or is not needed.
pub(super) async fn delete(conn: &mut Connection, id: Uuid) -> Result<(), Error> {
    conn.execute(Statement::new(DELETE).bind(id)).await?;
    Ok(())
}

row! {
    /// The result of a failed attempt.
    #[derive(Debug)]
    pub(super) struct FailedAttempt {
        pub(super) attempts: i32,
        pub(super) died: bool,
        /// Seconds until the next attempt.
        retry_seconds: f64,
    }
}

impl FailedAttempt {
    pub(super) fn retry_in(&self) -> Duration {
        Duration::try_from_secs_f64(self.retry_seconds).unwrap_or_default()
    }
}

/// Retries after 2 s, 4 s, 8 s, … from the end of the attempt. Changes nothing if the claim has expired and another
/// worker has the mail.
const FAILED: &str = "
    UPDATE mails SET attempts = attempts + 1, last_error = $3,
        next_attempt_at = clock_timestamp()
            + least(interval '2 seconds' * power(2, least(attempts, 9)), interval '15 minutes'),
        died_at = CASE WHEN $4 OR created_at < now() - interval '3 days' THEN clock_timestamp() END
    WHERE id = $1 AND next_attempt_at = $2
    RETURNING attempts, died_at IS NOT NULL, extract(epoch FROM next_attempt_at - clock_timestamp())::double precision";

/// Stores why a mail was not sent. The mail dies if the failure is `permanent` or the mail is three days old; otherwise
/// it waits for its next attempt. `None` if the caller's claim has expired or the mail was deleted.
pub(super) async fn failed(
    conn: &mut Connection,
    mail: &Mail,
    why: &str,
    permanent: bool,
) -> Result<Option<FailedAttempt>, Error> {
    let statement = Statement::new(FAILED)
        .bind(mail.id)
        .bind(mail.claimed_until)
        .bind(why)
        .bind(permanent);
    conn.row(statement).await
}

const EXPIRED: &str = "
    UPDATE mails SET died_at = clock_timestamp(),
        last_error = left(concat_ws(': ', 'its link expired before it could be sent', last_error), 500)
    WHERE id = $1 AND next_attempt_at = $2
    RETURNING attempts, true, 0::double precision";

/// Gives up a mail whose token expired, and keeps the last error. `None` as for [`failed`].
pub(super) async fn expired(
    conn: &mut Connection,
    mail: &Mail,
) -> Result<Option<FailedAttempt>, Error> {
    let statement = Statement::new(EXPIRED)
        .bind(mail.id)
        .bind(mail.claimed_until);
    conn.row(statement).await
}

/// Seconds, negative if a mail is due, and the number of waiting mails of all kinds.
const NEXT_DUE: &str = "
    SELECT extract(epoch FROM min(next_attempt_at) - now())::double precision,
        (SELECT count(*) FROM (SELECT FROM mails WHERE died_at IS NULL LIMIT 101) AS waiting)
    FROM unnest($1) AS wanted (kind) CROSS JOIN LATERAL (
        SELECT next_attempt_at FROM mails WHERE mails.kind = wanted.kind AND died_at IS NULL
        ORDER BY next_attempt_at LIMIT 1
    ) AS mail";

/// The state of the outbox.
pub(super) struct Outbox {
    /// The time until a mail is due or a claim expires. `None` if the outbox has none.
    pub(super) next: Option<Duration>,
    /// The number of waiting mails of all kinds. Maximum 101.
    pub(super) waiting: u64,
}

/// When the next mail of these kinds is due, and how many mails wait.
pub(super) async fn until_next(
    conn: &mut Connection,
    templates: impl Iterator<Item = &'static Template>,
) -> Result<Outbox, Error> {
    let names: Vec<String> = templates.map(|template| template.kind.to_owned()).collect();
    let row: Option<(Option<f64>, i64)> = conn.row(Statement::new(NEXT_DUE).bind(names)).await?;
    let (seconds, waiting) = row.unwrap_or_default();
    Ok(Outbox {
        next: seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        waiting: waiting.unsigned_abs(),
    })
}

row! {
    /// A mail in the outbox, for operators.
    #[derive(Debug, Clone, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct WaitingMail {
        /// Part of its `Message-ID`.
        pub id: Uuid,
        /// Its kind, e.g. `password_reset`.
        pub kind: String,
        /// The recipient's address.
        pub recipient: String,
        /// When it was written.
        pub created_at: DateTime<Utc>,
        /// Number of attempts.
        pub attempts: i32,
        /// When it is tried next. Has no meaning if it died.
        pub next_attempt_at: DateTime<Utc>,
        /// Why the last attempt failed. Maximum 500 characters.
        pub last_error: Option<String>,
        /// When it was given up. `None` while it waits.
        pub died_at: Option<DateTime<Utc>>,
    }
}

const WAITING: &str = "
    SELECT id, kind, recipient, created_at, attempts, next_attempt_at, last_error, died_at
    FROM mails ORDER BY created_at, id LIMIT 1000";

/// The mails in the outbox, including those that were given up, oldest first. Maximum 1,000.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn waiting(conn: &mut Connection) -> Result<Vec<WaitingMail>, Error> {
    conn.rows(Statement::new(WAITING)).await
}

const RETRY_DEAD: &str = "
    UPDATE mails SET died_at = NULL, created_at = now(), attempts = 0, next_attempt_at = now()
    WHERE died_at IS NOT NULL AND (token_id IS NULL
        OR EXISTS (SELECT FROM mail_tokens WHERE mail_tokens.id = token_id AND expires_at > now()))";

/// Retries the mails that were given up, at once and for three more days, except those whose link is no longer valid.
/// Returns how many there were.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn retry_dead(conn: &mut Connection) -> Result<usize, Error> {
    conn.execute(Statement::new(RETRY_DEAD)).await
}
