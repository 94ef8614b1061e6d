//! The ways out: over SMTP (`smtp`), or into files where no server is set.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrono::Utc;
use lettre::Message;

use super::{MailSettings, smtp::Smtp, store::Mail};

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) struct Undelivered {
    /// For operators.
    pub(super) why: String,
    /// No later attempt would succeed.
    pub(super) hopeless: bool,
    /// The server cannot be reached or does not let the service in: no mail would be sent now.
    pub(super) no_server: bool,
}

impl Undelivered {
    /// A later attempt may succeed.
    pub(super) fn for_now(why: String) -> Self {
        Undelivered {
            why,
            hopeless: false,
            no_server: false,
        }
    }
}

/// Where mails go.
pub(super) enum Transport {
    Smtp(Box<Smtp>),
    Files(PathBuf),
}

impl Transport {
    /// As the settings say.
    pub(super) fn new(settings: &MailSettings) -> Result<Self, String> {
        Ok(match &settings.smtp_url {
            Some(url) => {
                let smtp = Smtp::new(url, &settings.app_url, settings.idle)?;
                Transport::Smtp(Box::new(smtp))
            }
            None => Transport::Files(settings.folder.clone()),
        })
    }

    /// Closes what is kept open for the next mail.
    pub(super) async fn close(&self) {
        if let Transport::Smtp(smtp) = self {
            smtp.close().await;
        }
    }

    /// Sends that mail.
    pub(super) async fn send(&self, mail: &Mail, message: &Message) -> Result<(), Undelivered> {
        match self {
            Transport::Smtp(smtp) => {
                smtp.send(message).await?;
                tracing::info!(mail = %mail.id, kind = mail.kind, "a mail was sent");
            }
            Transport::Files(folder) => {
                let file = file(folder, mail, message.formatted()).await;
                let file = file.map_err(Undelivered::for_now)?;
                tracing::info!(
                    file = %file.display(),
                    "a mail was written into a file, since SNAPNOTE_SMTP_URL is not set"
                );
            }
        }
        Ok(())
    }
}

/// Writes a mail into a file that nobody else can read; answers its path.
async fn file(folder: &Path, mail: &Mail, bytes: Vec<u8>) -> Result<PathBuf, String> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let name = format!("{time}-{}-{}.eml", mail.kind, mail.id);
    let folder = folder.to_owned();
    let path = folder.join(&name);
    let shown = path.display().to_string();
    let writing = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes).map(|()| path));
    let written = writing.await.map_err(|error| error.to_string())?;
    written.map_err(|error| format!("{shown} cannot be written: {error}"))
}

/// The file is there whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}
