//! All the SQL of the outbox but what writes mails, which stands with what they tell of, and what forgets those that were
//! given up long ago, which `auth` does beside all else that is long past.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{
    db::{Connection, Row, Statement},
    error::Error,
};

/// A mail that is due.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Mail {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) recipient: String,
    /// `None`, too, if the token is no longer good: used, voided or run out.
    pub(super) token_id: Option<Uuid>,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    /// Whether whom it is about was deleted since: then nobody is told any more.
    pub(super) user_is_gone: bool,
    /// Whether there was a good token that nobody used or voided, until its time was over.
    pub(super) token_ran_out: bool,
}

impl Row for Mail {
    type Sql = (
        SqlUuid,
        Text,
        Text,
        Nullable<SqlUuid>,
        Nullable<Text>,
        Nullable<Text>,
        Timestamptz,
        Bool,
        Bool,
    );
}

const NEXT_DUE: &str = "
    SELECT mails.id, kind, recipient, CASE WHEN expires_at > now() THEN mail_tokens.id END, host(ip_address), user_agent,
        mails.created_at, mails.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users WHERE users.id = mails.user_id),
        coalesce(expires_at <= now(), false)
    FROM mails LEFT JOIN mail_tokens ON mail_tokens.id = token_id
    WHERE died_at IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE OF mails SKIP LOCKED";

/// The mail that has been due for longest, kept from other workers until the transaction ends.
pub(super) async fn next_due(conn: &mut Connection) -> Result<Option<Mail>, Error> {
    conn.row(Statement::new(NEXT_DUE)).await
}

const DELETE: &str = "DELETE FROM mails WHERE id = $1";

/// Deletes a mail that was sent, or need not be.
pub(super) async fn delete(conn: &mut Connection, id: Uuid) -> Result<(), Error> {
    conn.execute(Statement::new(DELETE).bind(id)).await?;
    Ok(())
}

/// What became of a mail that could not be sent.
#[derive(Debug, Queryable)]
pub(super) struct Failed {
    pub(super) attempts: i32,
    pub(super) died: bool,
}

impl Row for Failed {
    type Sql = (Integer, Bool);
}

/// Waits 2 s, 4 s, 8 s, … from the end of the attempt, not from that of the transaction's beginning.
const FAILED: &str = "
    UPDATE mails SET attempts = attempts + 1, last_error = $2,
        next_attempt_at = clock_timestamp()
            + least(interval '2 seconds' * power(2, least(attempts, 9)), interval '15 minutes'),
        died_at = CASE WHEN $3 OR created_at < now() - interval '3 days' THEN clock_timestamp() END
    WHERE id = $1
    RETURNING attempts, died_at IS NOT NULL";

/// Notes why a mail was not sent. It dies if it is `hopeless`, or old; otherwise it waits for its next attempt.
pub(super) async fn failed(
    conn: &mut Connection,
    id: Uuid,
    why: &str,
    hopeless: bool,
) -> Result<Failed, Error> {
    let statement = Statement::new(FAILED).bind(id).bind(why).bind(hopeless);
    let failed = conn.row(statement).await?;
    failed.ok_or_else(|| Error::internal("a mail that is locked is gone"))
}

const RAN_OUT: &str = "
    UPDATE mails SET died_at = clock_timestamp(),
        last_error = left(concat_ws(': ', 'its link ran out before it could be sent', last_error), 500)
    WHERE id = $1
    RETURNING attempts, true";

/// Gives up a mail whose token ran out; what the server last said of it stays with it.
pub(super) async fn ran_out(conn: &mut Connection, id: Uuid) -> Result<Failed, Error> {
    let failed = conn.row(Statement::new(RAN_OUT).bind(id)).await?;
    failed.ok_or_else(|| Error::internal("a mail that is locked is gone"))
}

#[derive(Queryable)]
struct Rest {
    /// Seconds; below zero if a mail is due already.
    seconds: Option<f64>,
}

impl Row for Rest {
    type Sql = (Nullable<Double>,);
}

const REST: &str = "
    SELECT extract(epoch FROM min(next_attempt_at) - now())::double precision FROM mails WHERE died_at IS NULL";

/// How long until a mail is due: zero if one is (another worker may have it), `None` if none waits.
pub(super) async fn until_next(conn: &mut Connection) -> Result<Option<Duration>, Error> {
    let rest: Option<Rest> = conn.row(Statement::new(REST)).await?;
    let seconds = rest.and_then(|rest| rest.seconds);
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

/// A mail that is still in the outbox, for whoever runs the service.
#[derive(Debug, Clone, Queryable)]
pub struct WaitingMail {
    /// Stands in its `Message-ID`.
    pub id: Uuid,
    /// What it tells, e.g. `password_reset`.
    pub kind: String,
    /// To whom it goes.
    pub recipient: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; without meaning if it died.
    pub next_attempt_at: DateTime<Utc>,
    /// Why the last attempt failed; 500 characters at most.
    pub last_error: Option<String>,
    /// When it was given up; `None` while it waits.
    pub died_at: Option<DateTime<Utc>>,
}

impl Row for WaitingMail {
    type Sql = (
        SqlUuid,
        Text,
        Text,
        Timestamptz,
        Integer,
        Timestamptz,
        Nullable<Text>,
        Nullable<Timestamptz>,
    );
}

const WAITING: &str = "
    SELECT id, kind, recipient, created_at, attempts, next_attempt_at, last_error, died_at
    FROM mails ORDER BY created_at, id LIMIT 1000";

/// What is in the outbox, given up or not: oldest first, 1000 at most.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn waiting(conn: &mut Connection) -> Result<Vec<WaitingMail>, Error> {
    conn.rows(Statement::new(WAITING)).await
}

const RETRY_DEAD: &str = "
    UPDATE mails SET died_at = NULL, created_at = now(), attempts = 0, next_attempt_at = now()
    WHERE died_at IS NOT NULL AND (token_id IS NULL
        OR EXISTS (SELECT FROM mail_tokens WHERE mail_tokens.id = token_id AND expires_at > now()))";

/// Gives the mails that were given up three more days, and the first attempt at once, but for those whose link is no longer
/// good; answers how many there were.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn retry_dead(conn: &mut Connection) -> Result<usize, Error> {
    conn.execute(Statement::new(RETRY_DEAD)).await
}
