//! Waits until callers can connect, and creates their role and database if they are missing.
//!
//! Nothing else is created in the database.

use std::{os::unix::ffi::OsStrExt, path::Path, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{
    Client, Config, NoTls,
    error::{DbError, SqlState},
};

use crate::{
    SUPERUSER,
    error::Error,
    folder::Folder,
    watchdog::{self, RESPONSE_TIMEOUT},
};

/// Waits until the role can connect. `false` if the server ends before that. There is no time limit while the server
/// reports that it is recovering from a crash.
pub(crate) async fn is_ready(folder: &Folder) -> Result<bool, Error> {
    let mut responded = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut has_created = false;
    loop {
        let failure = match connect(folder, folder.name(), folder.name()).await {
            Ok(_) => return Ok(true),
            Err(failure) => failure,
        };
        match failure {
            Some(error) if *error.code() == SqlState::CANNOT_CONNECT_NOW => {
                responded = Instant::now();
                // The server logs every rejected connection.
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            Some(error) if is_missing(error.code()) && !has_created => {
                has_created = create_role_and_database(folder).await?;
            }
            // Other processes use all connections, so the server is ready.
            Some(error) if *error.code() == SqlState::TOO_MANY_CONNECTIONS => return Ok(true),
            Some(error) => return Err(failed(folder, "accept the role", &error)),
            None if !watchdog::is_there(folder)? => return Ok(false),
            None if responded.elapsed() > RESPONSE_TIMEOUT => {
                return Err(folder.unresponsive("accepted a connection", RESPONSE_TIMEOUT));
            }
            None => {}
        }
        sleep(pause).await;
    }
}

/// Whether the error means that the role or the database does not exist.
fn is_missing(code: &SqlState) -> bool {
    [
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ]
    .contains(code)
}

/// Creates the role and its database. Either may exist already, after a crash in between or after a DROP. `false` if the
/// server stopped responding, and the caller should check again.
async fn create_role_and_database(folder: &Folder) -> Result<bool, Error> {
    const DOING: &str = "create the role and its database";
    let client = match connect(folder, SUPERUSER, SUPERUSER).await {
        Ok(client) => client,
        Err(Some(error)) => return Err(failed(folder, DOING, &error)),
        Err(None) => return Ok(false),
    };
    // Quotes keep a name such as `user` from being a keyword. A valid name contains no quote.
    let name = folder.name();
    for statement in [
        format!("CREATE ROLE \"{name}\" LOGIN"),
        format!("CREATE DATABASE \"{name}\" OWNER \"{name}\""),
    ] {
        let Err(error) = client.batch_execute(&statement).await else {
            continue;
        };
        let exists = [SqlState::DUPLICATE_OBJECT, SqlState::DUPLICATE_DATABASE];
        match error.as_db_error() {
            Some(error) if exists.contains(error.code()) => {}
            Some(error) => return Err(failed(folder, DOING, error)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Connects. The error is `None` if the server did not respond.
async fn connect(folder: &Folder, user: &str, database: &str) -> Result<Client, Option<DbError>> {
    let config: Config = url(folder.socket(), user, database)
        .parse()
        .expect("the URL is well-formed");
    let attempt = timeout(Duration::from_secs(5), config.connect(NoTls));
    let (client, connection) = attempt
        .await
        .map_err(|_| None)?
        .map_err(|error| error.as_db_error().cloned())?;
    // The task ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

/// A connection URL for the Unix socket in a folder, percent-encoded. The URL contains the port, because the port is
/// part of the socket's file name, and some clients would otherwise take it from PGPORT.
pub(crate) fn url(socket: &Path, user: &str, database: &str) -> String {
    let host = percent_encoded(socket.as_os_str().as_bytes());
    let database = percent_encoded(database.as_bytes());
    format!("postgres://{user}@{host}:5432/{database}")
}

fn percent_encoded(bytes: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(encode).collect()
}

fn failed(folder: &Folder, doing: &'static str, error: &DbError) -> Error {
    Error::Database {
        folder: folder.top().to_owned(),
        doing,
        cause: error.to_string(),
    }
}
