//! What a pooler between the service and the server does to sessions.
//!
//! A pooler in transaction mode, such as PgBouncer or Neon's, lends a server connection for one transaction only:
//! - **Prepared statements.** The driver names its statements, so the pooler must know which server connection has which
//!   statement. PgBouncer before 1.21, or with `max_prepared_statements = 0`, does not: most statements then fail, and some run
//!   under the name of another. The service does not start behind such a pooler ([`check`]). If statements fail in this way
//!   later, the connection is closed, and the process is not ready until the check succeeds.
//! - **Settings of the session** stay on the server connection, and reach whoever uses it next. So the service sets none:
//!   `statement_timeout` comes from the role's default, which `snapnote migrate up` sets. [`check`] warns if it is missing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::timeout;
use tokio_postgres::{
    Client, Row, Statement,
    error::SqlState,
    types::{FromSql, ToSql},
};

use super::{connect::Target, failure::POOLER_REMEDY};
use crate::error::Error;

/// How often the two connections change roles. Other clients of the pooler can hide what it does in one round.
const ROUNDS: usize = 3;
/// How long the first connection waits while the second one has a transaction. A pooler with one server connection lets
/// it wait.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// A statement of the first connection: which server connection it uses, and what the session is like. Every probe
/// returns its first value first, so that another statement under its name is noticed.
const PROBE: &str = "SELECT $1::int8, pg_backend_pid(), current_setting('lc_messages'),
    (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') -- snapnote probe";

/// Whether the second connection finds the first one's statement under the driver's own name. A pooler that keeps the
/// statements of its clients apart renames them.
const SEES_PROBE: &str = "SELECT $1::int8, pg_backend_pid(), EXISTS (
    SELECT FROM pg_prepared_statements WHERE statement = $2 AND name ~ '^s[0-9]+$')";

/// What is known about the pooler of a [`Target`].
#[derive(Debug, Default)]
pub(super) struct Pooler {
    transaction_mode: AtomicBool,
    suspected: AtomicBool,
}

impl Pooler {
    /// Whether the last check found a pooler in transaction mode.
    pub(super) fn is_in_transaction_mode(&self) -> bool {
        self.transaction_mode.load(Ordering::Relaxed)
    }

    /// As if a check had found a pooler in transaction mode.
    #[cfg(test)]
    pub(super) fn assume_transaction_mode(&self) {
        self.transaction_mode.store(true, Ordering::Relaxed);
    }

    /// Notes that a statement failed as it does if prepared statements are mixed up.
    pub(super) fn suspect(&self) {
        self.suspected.store(true, Ordering::Relaxed);
    }

    /// Whether a statement failed in this way since the last check that succeeded.
    pub(super) fn is_suspected(&self) -> bool {
        self.suspected.load(Ordering::Relaxed)
    }
}

/// What the check found out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    transaction_mode: bool,
    /// The server's `statement_timeout` in milliseconds, before the service sets it.
    statement_timeout: String,
    /// The language of the server's messages.
    language: String,
}

/// Checks with two connections that prepared statements work, and whether a pooler is in transaction mode.
/// Copies of the target, also those that exist already, then set up their sessions accordingly.
///
/// # Errors
/// UNAVAILABLE with the remedy if a pooler mixes up prepared statements, or if the database cannot be reached.
pub async fn check(target: &Target) -> Result<(), Error> {
    let (first, second) =
        tokio::try_join!(target.open(), target.open()).map_err(Error::unavailable)?;
    let limit = target.settings().connect_timeout;
    let checked = timeout(limit, interleave(&first, &second)).await;
    let found = checked
        .unwrap_or_else(|_| {
            Err(format!(
                "two connections got no response within {limit:?}; a pooler may have too few"
            ))
        })
        .map_err(|cause| Error::unavailable(format!("cannot use {target}: {cause}")))?;
    let pooler = target.pooler();
    let was_known = pooler
        .transaction_mode
        .swap(found.transaction_mode, Ordering::Relaxed);
    pooler.suspected.store(false, Ordering::Relaxed);
    if found.transaction_mode && !was_known {
        warn_of_timeout(&found, target.settings().statement_timeout);
    }
    if !is_english(&found.language) {
        tracing::warn!(
            lc_messages = found.language,
            "the server's messages are not in English, so outages may be reported as internal errors; run as a superuser: \
             ALTER ROLE … SET lc_messages = 'C'"
        );
    }
    Ok(())
}

fn warn_of_timeout(found: &Findings, expected: Duration) {
    if found.statement_timeout == expected.as_millis().to_string() {
        return;
    }
    tracing::warn!(
        statement_timeout = format!("{}ms", found.statement_timeout),
        expected = ?expected,
        "the pooler is in transaction mode, so SNAPNOTE_STATEMENT_TIMEOUT must be the role's default; run \
         `snapnote migrate up` as this role (not a superuser), then let the pooler reconnect"
    );
}

/// Whether messages of the server are in English (`lc_messages`). The service recognizes some of them.
pub(crate) fn is_english(language: &str) -> bool {
    // Empty: the server's environment decides, usually English.
    let language = language.to_ascii_lowercase();
    ["en", "c.", "posix"]
        .iter()
        .any(|start| language.starts_with(start))
        || ["", "c"].contains(&&*language)
}

/// Uses both connections in turn, so that a pooler in transaction mode lends the first one's server connection to the
/// second. The error is the cause, with a remedy if one is known.
async fn interleave(first: &Client, second: &Client) -> Result<Findings, String> {
    let mut transaction_mode = false;
    for round in 1..ROUNDS {
        let (first, second) = match round % 2 {
            0 => (first, second),
            _ => (second, first),
        };
        transaction_mode |= probe(first, second).await?.transaction_mode;
    }
    let last = probe(first, second).await?;
    Ok(Findings {
        transaction_mode: transaction_mode || last.transaction_mode,
        ..last
    })
}

async fn probe(first: &Client, second: &Client) -> Result<Findings, String> {
    let statement = first.prepare(PROBE).await.map_err(explain)?;
    let home = row(first, &statement, None).await?;
    second.batch_execute("BEGIN").await.map_err(explain)?;
    let sees = second.prepare(SEES_PROBE).await.map_err(explain)?;
    let lent = row(second, &sees, Some(PROBE)).await?;
    if value(&lent, 2)? {
        return Err(POOLER_REMEDY.to_owned());
    }
    // The second connection's transaction holds its server connection. If there is no other one, the first one's was
    // lent.
    let elsewhere = match timeout(MAX_WAIT, row(first, &statement, None)).await {
        Ok(row) => row?,
        Err(_) => lent.clone(),
    };
    second.batch_execute("COMMIT").await.map_err(explain)?;
    let [home_pid, lent_pid, last_pid] = [
        value::<i32>(&home, 1)?,
        value::<i32>(&lent, 1)?,
        value::<i32>(&elsewhere, 1)?,
    ];
    Ok(Findings {
        transaction_mode: home_pid == lent_pid || home_pid != last_pid,
        language: value(&home, 2)?,
        statement_timeout: value(&home, 3)?,
    })
}

/// The row of a probe, with this as its second value.
async fn row(client: &Client, probe: &Statement, second: Option<&str>) -> Result<Row, String> {
    let token = i64::from(getrandom::u32().unwrap_or(1));
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&token];
    if let Some(second) = &second {
        values.push(second);
    }
    let rows = client.query(probe, &values).await.map_err(explain)?;
    match <[Row; 1]>::try_from(rows) {
        Ok([row]) if value::<i64>(&row, 0)? == token => Ok(row),
        // The server has executed another statement.
        _ => Err(POOLER_REMEDY.to_owned()),
    }
}

fn value<'row, T: FromSql<'row>>(row: &'row Row, column: usize) -> Result<T, String> {
    row.try_get(column).map_err(|_| POOLER_REMEDY.to_owned())
}

fn explain(error: tokio_postgres::Error) -> String {
    let Some(database) = error.as_db_error() else {
        return error.to_string();
    };
    let message = database.message();
    let mixed_up = [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
        SqlState::INVALID_CURSOR_NAME,
    ];
    // The server has another statement under the name.
    if mixed_up.contains(database.code()) || message.starts_with("bind message") {
        return format!("{message}; {POOLER_REMEDY}");
    }
    if message.contains("statement pooling") {
        return format!("{message}; set the pooler to transaction mode or session mode");
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_recognized() {
        for english in [
            "C",
            "C.UTF-8",
            "POSIX",
            "en_US.UTF-8",
            "English_United States.1252",
            "",
        ] {
            assert!(is_english(english), "{english}");
        }
        for other in ["de_DE.UTF-8", "cs_CZ.UTF-8", "ca_ES"] {
            assert!(!is_english(other), "{other}");
        }
    }
}
