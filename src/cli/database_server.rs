//! The database of a command: the one in `DATABASE_URL`, or an embedded server in the data folder.

use embedded_postgres::{Embedded, Settings};

use crate::{
    config::{DatabaseConfig, Secret},
    db::connect::{SessionSettings, Target},
};

/// A command's database. An embedded server runs as long as this value.
pub(super) struct DatabaseServer {
    pub(super) target: Target,
    /// The same database without a pooler, if an address without one is known.
    pub(super) direct: Option<Target>,
    /// The read replica, if there is one.
    pub(super) read: Option<Target>,
    pub(super) embedded: Option<Embedded>,
}

impl DatabaseServer {
    pub(super) async fn start(config: &DatabaseConfig) -> Result<DatabaseServer, String> {
        let (url, embedded) = match &config.database_url {
            Some(url) => (url.reveal().to_owned(), None),
            None => {
                let embedded = start_embedded(config).await?;
                (embedded.url(), Some(embedded))
            }
        };
        let session = SessionSettings {
            statement_timeout: config.statement_timeout.0,
            connect_timeout: config.connect_timeout.0,
            prepared_statements: config.prepared_statements,
        };
        let target = Target::parse(&url)
            .map_err(|error| format!("DATABASE_URL: {error}"))?
            .with(session);
        let other = |name: &str, url: &Option<Secret>| -> Result<Option<Target>, String> {
            let target = url.as_ref().map(|url| Target::parse(url.reveal()));
            let target = target.transpose();
            let target = target.map_err(|error| format!("{name}: {error}"))?;
            Ok(target.map(|target| target.with(session)))
        };
        let (direct, read) = match &embedded {
            Some(_) => (Some(target.clone()), None),
            None => (
                other("DATABASE_DIRECT_URL", &config.database_direct_url)?,
                other("DATABASE_READ_URL", &config.database_read_url)?,
            ),
        };
        Ok(DatabaseServer {
            target,
            direct,
            read,
            embedded,
        })
    }

    pub(super) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

async fn start_embedded(config: &DatabaseConfig) -> Result<Embedded, String> {
    let settings = Settings {
        name: "snapnote".to_owned(),
        folder: config.data_dir.join("postgres"),
        binaries: config.pg_bin.clone(),
        durable: true,
    };
    Embedded::start(settings)
        .await
        .map_err(|error| with_settings(&error))
}

/// The error, and the settings that can fix it.
fn with_settings(error: &embedded_postgres::Error) -> String {
    use embedded_postgres::Error;
    let text = error.to_string();
    if ["No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|full| text.contains(full))
    {
        return format!(
            "{text}. The disk is full. Free space on it, or set SNAPNOTE_DATA_DIR to a folder on another disk"
        );
    }
    let settings = match error {
        Error::NoBinaries { .. } => {
            "SNAPNOTE_PG_BIN sets the folder of PostgreSQL's programs, and DATABASE_URL another server"
        }
        Error::OtherVersion { .. } => {
            "SNAPNOTE_PG_BIN sets the folder of PostgreSQL's programs, and SNAPNOTE_DATA_DIR the data folder. To move the data to \
             another version, run `snapnote backup` with the old programs, and `snapnote restore` with the new ones (docs/backup.md)"
        }
        Error::Rejected { .. } | Error::Io { .. } => "SNAPNOTE_DATA_DIR sets the data folder",
        _ => return text,
    };
    format!("{text}. {settings}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_embedded_server_name_the_settings_that_fix_them() {
        let searched = "/nowhere contains neither".to_owned();
        let message = with_settings(&embedded_postgres::Error::NoBinaries { searched });
        for part in ["/nowhere", "SNAPNOTE_PG_BIN", "DATABASE_URL"] {
            assert!(message.contains(part), "{message}");
        }
        let message = with_settings(&embedded_postgres::Error::Rejected {
            folder: "/usr/postgres".into(),
            cause: "is not a folder".to_owned(),
            remedy: "Choose another folder",
        });
        let full = with_settings(&embedded_postgres::Error::Exited {
            folder: "/data".into(),
            output: "FATAL: could not write lock file \"postmaster.pid\": No space left on device"
                .to_owned(),
        });
        for part in ["Free space", "SNAPNOTE_DATA_DIR"] {
            assert!(full.contains(part), "{full}");
        }
        assert!(
            message.ends_with("Choose another folder. SNAPNOTE_DATA_DIR sets the data folder"),
            "{message}"
        );
    }
}
