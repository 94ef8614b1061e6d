//! Why an embedded server could not be started: each message is complete in itself, with cause, path and remedy.
//!
//! It never wraps an error whose text it does not already show, so nobody has to walk a chain of sources.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::binaries::OLDEST_MAJOR;

/// Why an embedded server could not be started or joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No PostgreSQL that we can use is installed.
    #[error(
        "found no PostgreSQL {OLDEST_MAJOR} or newer to start (looked for `postgres` and `initdb`: {looked}). Install it (for \
         example: apt install postgresql), or name the folder of its programs in SNAPNOTE_PG_BIN, or use another server \
         with DATABASE_URL"
    )]
    NoBinaries {
        /// Where we looked and what was there.
        looked: String,
    },
    /// The data was made by a major version of PostgreSQL that is not among those that we found.
    #[error(
        "{} holds data of PostgreSQL {major}, and only its programs can read it (looked for `postgres` and `initdb`: {looked}). \
         Install PostgreSQL {major}, or name the folder of its programs in SNAPNOTE_PG_BIN, or choose another folder with SNAPNOTE_DATA_DIR; \
         nothing was touched", data.display()
    )]
    OtherVersion {
        /// The data folder.
        data: PathBuf,
        /// The major version that made the data.
        major: u32,
        /// Where we looked and what was there.
        looked: String,
    },
    /// The folder is not one of ours, or not one that we may trust.
    #[error("{} {cause}; nothing in it was touched. {remedy}", folder.display())]
    Refused {
        /// The folder that is refused.
        folder: PathBuf,
        /// What is wrong with it, a predicate without a subject.
        cause: String,
        /// What to do about it, a sentence.
        remedy: &'static str,
    },
    /// We are root, as whom PostgreSQL refuses to run, and there is no other account to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody` to run it as. Create \
         one (for example: useradd --system postgres), or run the service as another user"
    )]
    NoAccount,
    /// `initdb` failed.
    #[error("cannot make a data folder in {}: initdb says: {output}", folder.display())]
    Initdb {
        /// The folder that was to hold the data.
        folder: PathBuf,
        /// What initdb printed.
        output: String,
    },
    /// The server ended before it took connections.
    #[error("the PostgreSQL of {} did not start. It says: {output}", folder.display())]
    Exited {
        /// The folder that holds data and log.
        folder: PathBuf,
        /// What the server wrote into its log during this start.
        output: String,
    },
    /// The server or its watchdog runs, but does not answer.
    #[error(
        "the PostgreSQL of {} has not {awaited} for {seconds} seconds. See `postgres.log` in that folder; ending the processes \
         that use the folder lets the next start begin anew", folder.display()
    )]
    Silent {
        /// The folder that holds data and log.
        folder: PathBuf,
        /// What we waited for, a past participle.
        awaited: &'static str,
        /// How long we waited.
        seconds: u64,
    },
    /// The server answered with an error that waiting does not mend.
    #[error("the PostgreSQL of {} refuses to {doing}: {cause}", folder.display())]
    Database {
        /// The folder that holds data and log.
        folder: PathBuf,
        /// What we asked of it.
        doing: &'static str,
        /// Its answer.
        cause: String,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// What we were about to do.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

/// For `map_err`: what we were about to do, and to which path.
pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |cause| EmbeddedError::Io { doing, path, cause }
}
