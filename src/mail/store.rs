//! All the SQL of the outbox but what writes mails, which stands with what they tell of, and what forgets those that were
//! given up long ago, which `auth` does beside all else that is long past.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::kinds::Kind;
use crate::{
    db::{Connection, Row, Statement},
    error::Error,
};

/// A mail that was claimed, to be sent.
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
    /// Until when no other worker claims it.
    pub(super) claimed_until: DateTime<Utc>,
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
        Timestamptz,
    );
}

/// The index `mails_due_idx` leads to the mail of each kind that has been due for longest; the most urgent of these is claimed.
/// The claim replaces a lock: no other worker takes the mail within two minutes, four times as long as a delivery may take.
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
    RETURNING mails.id, kind, recipient, CASE WHEN expires_at > now() THEN mail_tokens.id END, host(ip_address), user_agent,
        mails.created_at, mails.user_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM users WHERE users.id = mails.user_id AND deleted_at IS NULL),
        coalesce(expires_at <= now(), false), next_attempt_at";

/// Claims the most urgent mail of these kinds that is due; of equally urgent ones, the one that has been due for longest.
pub(super) async fn claim(
    conn: &mut Connection,
    kinds: impl Iterator<Item = &'static Kind>,
) -> Result<Option<Mail>, Error> {
    let (names, urgencies): (Vec<String>, Vec<i32>) = kinds
        .map(|kind| (kind.name.to_owned(), kind.urgency as i32))
        .unzip();
    let statement = Statement::new(CLAIM).bind(names).bind(urgencies);
    conn.row(statement).await
}

const RELEASE: &str =
    "UPDATE mails SET next_attempt_at = now() WHERE id = ANY($1) AND died_at IS NULL";

/// Gives up the claims to mails whose delivery was cut off: they are due again.
pub(super) async fn release(conn: &mut Connection, ids: Vec<Uuid>) -> Result<(), Error> {
    conn.execute(Statement::new(RELEASE).bind(ids)).await?;
    Ok(())
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
    /// Seconds until the next attempt.
    retry_seconds: f64,
}

impl Failed {
    pub(super) fn retry_in(&self) -> Duration {
        Duration::try_from_secs_f64(self.retry_seconds).unwrap_or_default()
    }
}

impl Row for Failed {
    type Sql = (Integer, Bool, Double);
}

/// Waits 2 s, 4 s, 8 s, … from the end of the attempt. Does nothing if the claim ran out and another worker has the mail.
const FAILED: &str = "
    UPDATE mails SET attempts = attempts + 1, last_error = $3,
        next_attempt_at = clock_timestamp()
            + least(interval '2 seconds' * power(2, least(attempts, 9)), interval '15 minutes'),
        died_at = CASE WHEN $4 OR created_at < now() - interval '3 days' THEN clock_timestamp() END
    WHERE id = $1 AND next_attempt_at = $2
    RETURNING attempts, died_at IS NOT NULL, extract(epoch FROM next_attempt_at - clock_timestamp())::double precision";

/// Notes why a mail was not sent. It dies if it is `hopeless`, or old; otherwise it waits for its next attempt. `None` if the
/// mail is no longer claimed by the caller, or was deleted.
pub(super) async fn failed(
    conn: &mut Connection,
    mail: &Mail,
    why: &str,
    hopeless: bool,
) -> Result<Option<Failed>, Error> {
    let statement = Statement::new(FAILED)
        .bind(mail.id)
        .bind(mail.claimed_until)
        .bind(why)
        .bind(hopeless);
    conn.row(statement).await
}

const RAN_OUT: &str = "
    UPDATE mails SET died_at = clock_timestamp(),
        last_error = left(concat_ws(': ', 'its link ran out before it could be sent', last_error), 500)
    WHERE id = $1 AND next_attempt_at = $2
    RETURNING attempts, true, 0::double precision";

/// Gives up a mail whose token ran out; what the server last said of it stays with it. `None` as for [`failed`].
pub(super) async fn ran_out(conn: &mut Connection, mail: &Mail) -> Result<Option<Failed>, Error> {
    let statement = Statement::new(RAN_OUT)
        .bind(mail.id)
        .bind(mail.claimed_until);
    conn.row(statement).await
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
    SELECT extract(epoch FROM min(next_attempt_at) - now())::double precision
    FROM unnest($1) AS wanted (kind) CROSS JOIN LATERAL (
        SELECT next_attempt_at FROM mails WHERE mails.kind = wanted.kind AND died_at IS NULL
        ORDER BY next_attempt_at LIMIT 1
    ) AS mail";

/// How long until a mail of these kinds is due, or a claim runs out; `None` if none waits.
pub(super) async fn until_next(
    conn: &mut Connection,
    kinds: impl Iterator<Item = &'static Kind>,
) -> Result<Option<Duration>, Error> {
    let names: Vec<String> = kinds.map(|kind| kind.name.to_owned()).collect();
    let rest: Option<Rest> = conn.row(Statement::new(REST).bind(names)).await?;
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
