//! What tells whether a server is a replica of the primary, and how far it is.

use std::sync::LazyLock;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::{
    db::{Database, Reader as _, SharedText, Statement, row},
    error::Error,
};

row! {
    /// The primary, as a sample sees it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(super) struct PrimaryFacts {
        /// The position up to which its log contains everything that is committed.
        pub(super) position: i64,
        /// Identifies the cluster. All its replicas have the same.
        pub(super) system: i64,
        /// Identifies the database in its cluster.
        pub(super) database: i64,
    }
}

/// Everything that is acknowledged or visible is in the flushed part of the log, unless commits do not wait for it. The end of the other
/// part is used only then: the server sends it to replicas after it is flushed, which can take seconds on an idle server.
static PRIMARY: LazyLock<SharedText> = LazyLock::new(|| {
    SharedText::new("
    SELECT (CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END
            - '0/0')::bigint,
        (SELECT system_identifier FROM pg_control_system()),
        (SELECT oid::bigint FROM pg_database WHERE datname = current_database())")
});

/// Reads the facts of the primary.
///
/// # Errors
/// UNAVAILABLE if it cannot be reached or is not a primary.
pub(super) async fn primary_facts(primary: &Database) -> Result<PrimaryFacts, Error> {
    let facts = primary.read(Statement::look_up(&PRIMARY)).await?.pop();
    facts.ok_or_else(|| Error::internal("the server returned no row"))
}

/// A server that should be a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The position up to which it has replayed the primary's log; `None` if it replays none.
    pub(super) replayed: Option<i64>,
    system: i64,
    database: i64,
    /// Identifies the server since its last start.
    pub(super) server: String,
}

const REPLICA: &str = "
    SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END,
        (SELECT system_identifier FROM pg_control_system()),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        extract(epoch FROM pg_postmaster_start_time())";

/// Reads the facts of a server that should be a replica.
///
/// # Errors
/// The database's message.
pub(super) async fn facts_of(client: &Client) -> Result<Facts, String> {
    let read = client.simple_query(REPLICA).await;
    let read = read.map_err(|error| match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    })?;
    let row = read.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or("the server returned no row")?;
    let number = |column: usize| -> Result<Option<i64>, String> {
        let number = row.get(column).map(str::parse).transpose();
        number.map_err(|error: std::num::ParseIntError| error.to_string())
    };
    Ok(Facts {
        replayed: number(0)?,
        system: number(1)?.unwrap_or_default(),
        database: number(2)?.unwrap_or_default(),
        server: row.get(3).unwrap_or_default().to_owned(),
    })
}

impl Facts {
    #[cfg(test)]
    pub(super) fn of(server: &str, system: i64, database: i64, replayed: i64) -> Facts {
        Facts {
            replayed: Some(replayed),
            system,
            database,
            server: server.to_owned(),
        }
    }

    /// The position up to which it has replayed the log of this primary.
    ///
    /// # Errors
    /// Why it is no replica of it.
    pub(super) fn replayed_of(&self, primary: &PrimaryFacts) -> Result<i64, &'static str> {
        if self.system != primary.system {
            return Err(
                "it does not replicate the server in DATABASE_URL, but belongs to another one",
            );
        }
        if self.database != primary.database {
            return Err("it is another database of the same server");
        }
        self.replayed
            .ok_or("it is a primary, or does not replay the log of one")
    }
}
