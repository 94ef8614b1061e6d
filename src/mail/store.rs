//! All the SQL of the outbox but that of writing to it, which stands with what a mail tells of.

use std::time::Duration;

use uuid::Uuid;

use super::model::{DueMail, WaitingMail};
use crate::{
    db::{Connection, Statement},
    error::Error,
};

/// What another process is sending is passed over.
const TAKE_DUE: &str = "
    SELECT mails.id, kind, recipient, token_id,
        EXISTS (SELECT FROM mail_tokens WHERE mail_tokens.id = token_id AND expires_at > now()),
        host(ip_address), user_agent, created_at
    FROM mails WHERE died_at IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED";

pub(super) async fn take_due(conn: &mut Connection) -> Result<Option<DueMail>, Error> {
    conn.row(Statement::new(TAKE_DUE)).await
}

const DELETE: &str = "DELETE FROM mails WHERE id = $1";

pub(super) async fn delete(conn: &mut Connection, id: Uuid) -> Result<(), Error> {
    conn.execute(Statement::new(DELETE).bind(id)).await?;
    Ok(())
}

/// Tried again after 2 seconds, 4, 8, and so on, up to a quarter of an hour; given up after three days.
const FAILED: &str = "
    UPDATE mails SET attempts = attempts + 1, last_error = left($2, 500),
        next_attempt_at = clock_timestamp() + least(interval '2 seconds' * 2 ^ least(attempts, 20), interval '15 minutes'),
        died_at = CASE WHEN created_at < now() - interval '3 days' THEN now() END
    WHERE id = $1 RETURNING died_at IS NOT NULL";

/// Whether it was given up.
pub(super) async fn failed(conn: &mut Connection, id: Uuid, error: &str) -> Result<bool, Error> {
    let error = error.replace('\0', "");
    let statement = Statement::<(bool,)>::new(FAILED).bind(id).bind(error);
    let row = conn.row(statement).await?;
    Ok(row.is_some_and(|(died,)| died))
}

const UNTIL_NEXT: &str = "
    SELECT ceil(extract(epoch FROM greatest(min(next_attempt_at) - clock_timestamp(), interval '0')) * 1000)::bigint
    FROM mails WHERE died_at IS NULL HAVING count(*) > 0";

/// How long until the next mail is due; `None` if none waits.
pub(super) async fn until_next(conn: &mut Connection) -> Result<Option<Duration>, Error> {
    let row: Option<(i64,)> = conn.row(Statement::new(UNTIL_NEXT)).await?;
    // A mail that another process is sending is due all the while.
    let least = Duration::from_secs(1);
    Ok(row.map(|(milliseconds,)| Duration::from_millis(milliseconds.unsigned_abs()).max(least)))
}

const WAITING: &str = "
    SELECT id, kind, recipient, created_at, attempts, next_attempt_at, last_error, died_at
    FROM mails ORDER BY created_at, id LIMIT 1000";

/// Mails that have not been sent, oldest first; 1,000 at most.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn waiting(conn: &mut Connection) -> Result<Vec<WaitingMail>, Error> {
    conn.rows(Statement::new(WAITING)).await
}

const RETRY_DEAD: &str = "
    UPDATE mails SET died_at = NULL, created_at = now(), attempts = 0, next_attempt_at = now() WHERE died_at IS NOT NULL";

/// Tries again to send what was given up; answers how many mails.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn retry_dead(conn: &mut Connection) -> Result<usize, Error> {
    conn.execute(Statement::new(RETRY_DEAD)).await
}
