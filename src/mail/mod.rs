//! Mails: an outbox in the database, and the worker that sends them.
//!
//! A mail is a row with its kind, its recipient and the id of its token. The command that changes what the mail reports
//! writes the row in the same transaction. [`Mailer`] renders and sends the mail, and retries for three days or until
//! its link has expired. A mail that was given up stays visible for 30 days. Each mail is sent at least once: a crash
//! at the wrong moment sends it twice, with the same `Message-ID`.
//!
//! No row and no log contains a token. The token is derived from its id when the mail is rendered.
//!
//! - `templates`: texts and urgency of all kinds. `message`: renders them.
//! - `transport`: delivery over SMTP (`smtp`, with open connections in `smtp_pool`) or into files.
//! - `metrics`: what is measured. `worker`: the loop. `store`: all SQL, except the statements in `auth` and `users` that write mails.
//!
//! # Design decision
//! `mail` is above `auth` in the order of modules. `auth` writes mails in the statement that makes the change, so that
//! none is lost, and `mail` needs a function that derives tokens from their ids.

mod message;
pub(crate) mod metrics;
mod smtp;
mod smtp_pool;
mod store;
mod templates;
mod transport;
mod worker;

use std::{fmt, path::PathBuf, time::Duration};

use lettre::message::Mailbox;
use smtp::Smtp;
pub(crate) use smtp::is_local_server;
pub use store::{WaitingMail, retry_dead, waiting};
use url::Url;
pub use worker::{Mailer, TokenOf};

/// How mails are sent, and from whom.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://user:password@host[:465]` (TLS from the start) or `smtp://user:password@host[:587]` (STARTTLS is
    /// required). Plain text is only used for loopback hosts, or with `?tls=none`. If `None`, mails are written to
    /// files in `folder`.
    pub smtp_url: Option<String>,
    /// The sender, e.g. `SnapNote <no-reply@example.com>`.
    pub from: String,
    /// The URL of the app. Links point to pages below it.
    pub app_url: Url,
    /// How long an unused SMTP connection stays open.
    pub idle: Duration,
    /// The folder of `.eml` files if there is no SMTP server. Created with the first mail.
    pub folder: PathBuf,
}

/// Omits the SMTP URL, which may contain a password.
impl fmt::Debug for MailSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MailSettings")
            .field("from", &self.from)
            .field("app_url", &self.app_url.as_str())
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl MailSettings {
    /// Default of `idle`.
    pub const IDLE: Duration = Duration::from_secs(30);

    fn sender(&self) -> Result<Mailbox, String> {
        sender(&self.from)
    }

    fn check_app_url(&self) -> Result<(), String> {
        let url = &self.app_url;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if matches!(url.scheme(), "http" | "https") && plain && url.password().is_none() {
            return Ok(());
        }
        Err(
            "SNAPNOTE_APP_URL must be an http or https URL without user, query and fragment. Write it as \
             https://app.example.com."
                .to_owned(),
        )
    }
}

fn sender(from: &str) -> Result<Mailbox, String> {
    from.parse().map_err(|error| {
        format!(
            "SNAPNOTE_MAIL_FROM is {from:?}, which is not a valid sender ({error}). Write it as SnapNote <no-reply@example.com>."
        )
    })
}

/// Connects to the SMTP server and signs in, without sending anything. Does nothing without a server.
///
/// # Errors
/// The server's response, or why there is none. Never contains the password.
pub(crate) async fn probe(settings: &MailSettings) -> Result<(), String> {
    match &settings.smtp_url {
        Some(url) => {
            Smtp::new(url, &settings.app_url, settings.idle)?
                .probe()
                .await
        }
        None => Ok(()),
    }
}

/// Checks the URL of an SMTP server.
///
/// # Errors
/// A message that names the setting.
pub(crate) fn check_server(url: &str, app_url: &Url) -> Result<(), String> {
    Smtp::new(url, app_url, MailSettings::IDLE).map(|_| ())
}

/// Checks a sender.
///
/// # Errors
/// A message that names the setting.
pub(crate) fn check_sender(from: &str) -> Result<(), String> {
    sender(from).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(from: &str, app_url: &str) -> MailSettings {
        MailSettings {
            smtp_url: Some("smtp://ada:secret@example.com".to_owned()),
            from: from.to_owned(),
            app_url: app_url.parse().expect("it is a URL"),
            idle: MailSettings::IDLE,
            folder: PathBuf::new(),
        }
    }

    #[test]
    fn errors_name_the_setting() {
        let from = "SnapNote <no-reply@example.com>";
        for wrong in [
            "ftp://example.com",
            "mailto:ada@example.com",
            "https://example.com/#here",
            "https://example.com/?a=b",
            "https://ada@example.com",
        ] {
            let error = settings(from, wrong).check_app_url();
            assert!(error.is_err_and(|error| error.starts_with("SNAPNOTE_APP_URL")));
        }
        for right in ["https://example.com", "http://localhost:5173/notes/"] {
            assert_eq!(settings(from, right).check_app_url(), Ok(()));
        }
        let error = settings("SnapNote", "https://example.com").sender();
        assert!(error.is_err_and(|error| error.starts_with("SNAPNOTE_MAIL_FROM")));
        assert!(settings(from, "https://example.com").sender().is_ok());
    }

    #[test]
    fn settings_show_no_password() {
        let shown = format!("{:?}", settings("ada@example.com", "https://example.com"));
        assert!(
            shown.contains("ada@example.com") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
