//! Transports: SMTP (`smtp`), or files if no server is configured.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrono::Utc;
use lettre::Message;

use super::{MailSettings, smtp::Smtp, store::Mail};
use crate::telemetry::panics;

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) struct DeliveryError {
    /// The reason, for operators.
    pub(super) why: String,
    /// Whether retrying would never succeed.
    pub(super) permanent: bool,
    /// Whether the server is unreachable or rejects the login, so that no mail can be sent now.
    pub(super) server_unavailable: bool,
}

impl DeliveryError {
    /// Retrying may succeed.
    pub(super) fn temporary(why: String) -> Self {
        DeliveryError {
            why,
            permanent: false,
            server_unavailable: false,
        }
    }
}

/// Removes a text from the server's response, which may repeat what it was sent, such as the password, or a link that it
/// considers harmful.
pub(super) fn redacted(words: String, part: Option<&str>) -> String {
    match part {
        Some(part) if !part.is_empty() => words.replace(part, "…"),
        _ => words,
    }
}

/// The transport of mails.
pub(super) enum Transport {
    Smtp(Box<Smtp>),
    Files(PathBuf),
}

impl Transport {
    /// The transport that the settings select.
    pub(super) fn new(settings: &MailSettings) -> Result<Self, String> {
        Ok(match &settings.smtp_url {
            Some(url) => {
                let smtp = Smtp::new(url, &settings.app_url, settings.idle)?;
                Transport::Smtp(Box::new(smtp))
            }
            None => Transport::Files(settings.folder.clone()),
        })
    }

    /// Closes open connections.
    pub(super) async fn close(&self) {
        if let Transport::Smtp(smtp) = self {
            smtp.close().await;
        }
    }

    /// Sends a mail.
    pub(super) async fn send(&self, mail: &Mail, message: &Message) -> Result<(), DeliveryError> {
        match self {
            Transport::Smtp(smtp) => {
                smtp.send(message).await?;
                tracing::info!(mail = %mail.id, kind = mail.kind, "mail sent");
            }
            Transport::Files(folder) => {
                let file = write_file(folder, mail, message.formatted()).await;
                let file = file.map_err(DeliveryError::temporary)?;
                tracing::info!(
                    file = %file.display(),
                    "mail written to a file, since SNAPNOTE_SMTP_URL is not set"
                );
            }
        }
        Ok(())
    }
}

/// Writes a mail to a file that only this user can read. Returns its path.
async fn write_file(folder: &Path, mail: &Mail, bytes: Vec<u8>) -> Result<PathBuf, String> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let name = format!("{time}-{}-{}.eml", mail.kind, mail.id);
    let folder = folder.to_owned();
    let path = folder.join(&name);
    let shown = path.display().to_string();
    let writing = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes).map(|()| path));
    let written = writing.await.map_err(panics::of_task)?;
    written.map_err(|error| format!("writing {shown} failed: {error}"))
}

/// Writes a file completely or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}
