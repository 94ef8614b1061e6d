//! How a mail leaves: over SMTP, or, where there is no server, into a folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::Utc;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    transport::smtp::extension::ClientId,
};
use url::{Host, Url};

use super::{MailSettings, PATIENCE, model::DueMail};

/// Where mails go. Cheap to clone.
#[derive(Clone)]
pub(super) enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(Arc<PathBuf>),
}

impl Transport {
    /// # Errors
    /// A message that says what a URL must be like; never the URL, which holds a password.
    pub(super) fn new(settings: &MailSettings, from: &Mailbox) -> Result<Transport, String> {
        let Some(url) = &settings.smtp_url else {
            return Ok(Transport::Folder(Arc::new(settings.folder.clone())));
        };
        let wrong = || {
            "SNAPNOTE_SMTP_URL must be smtps://user:password@host or smtp://user:password@host:587; a password's special \
             characters are percent-encoded."
                .to_owned()
        };
        let url = secured(url).ok_or_else(wrong)?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(|_| wrong())?;
        let transport = builder
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(PATIENCE))
            .build();
        Ok(Transport::Smtp(transport))
    }

    /// # Errors
    /// Why it could not be sent, without secrets.
    pub(super) async fn send(&self, mail: &DueMail, message: Message) -> Result<(), String> {
        match self {
            Transport::Smtp(transport) => {
                let sent = transport.send(message).await;
                sent.map(|_| ()).map_err(|error| error.to_string())
            }
            Transport::Folder(folder) => {
                let time = Utc::now().format("%Y%m%dT%H%M%S%.3fZ");
                let name = format!("{time}-{}-{}.eml", mail.kind.as_str(), mail.id);
                let (folder, bytes) = (folder.clone(), message.formatted());
                let writing =
                    tokio::task::spawn_blocking(move || write(&folder, &name, &bytes)).await;
                let written = writing.map_err(|error| error.to_string())?;
                let path = written.map_err(|error| error.to_string())?;
                tracing::info!(
                    path = %path.display(),
                    "no SMTP server is set: a mail was written into a file"
                );
                Ok(())
            }
        }
    }
}

/// The URL with STARTTLS unless it says otherwise; without, only to this machine, or if that is what it asks for. `None` if
/// it is no SMTP URL.
fn secured(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let host = url.host()?;
    let here = match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    // smtp is no scheme whose host is parsed as an address.
    let here = here || matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    let tls = url.query_pairs().find(|(name, _)| name == "tls");
    let tls = tls.map(|(_, value)| value.into_owned());
    match (url.scheme(), tls.as_deref()) {
        ("smtps", _) | ("smtp", Some("required")) => {}
        ("smtp", Some("none")) => url.set_query(None),
        ("smtp", None) if here => {}
        ("smtp", None) => url.set_query(Some("tls=required")),
        _ => return None,
    }
    Some(url.into())
}

/// Written beside, and then renamed: nobody reads half a mail.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let (beside, path) = (folder.join(format!(".{name}")), folder.join(name));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_this_machine_only_encrypted() {
        for (url, expected) in [
            (
                "smtps://u:p@mail.example.com",
                Some("smtps://u:p@mail.example.com"),
            ),
            (
                "smtp://u:p@mail.example.com:587",
                Some("smtp://u:p@mail.example.com:587?tls=required"),
            ),
            (
                "smtp://u:p@mail.example.com?tls=required",
                Some("smtp://u:p@mail.example.com?tls=required"),
            ),
            (
                "smtp://mail.example.com?tls=none",
                Some("smtp://mail.example.com"),
            ),
            ("smtp://mail.example.com?tls=opportunistic", None),
            ("smtp://localhost:1025", Some("smtp://localhost:1025")),
            ("smtp://127.0.0.1:1025", Some("smtp://127.0.0.1:1025")),
            ("smtp://[::1]:1025", Some("smtp://[::1]:1025")),
            (
                "smtp://127.0.0.1.example.com",
                Some("smtp://127.0.0.1.example.com?tls=required"),
            ),
            ("http://mail.example.com", None),
            ("mail.example.com", None),
        ] {
            assert_eq!(secured(url).as_deref(), expected, "{url}");
        }
    }
}
