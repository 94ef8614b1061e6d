//! Mails: an outbox in the database, and the worker that empties it.
//!
//! A mail is a row that says of which kind it is, to whom it goes and which token it carries. The command that changes what
//! the mail reports writes the row in the same transaction. [`Mailer`] renders the mail, sends it, and retries until that
//! succeeds, or its link has expired, or for three days; a mail that was given up stays visible for 30 days. It is sent at
//! least once: a crash at the wrong moment sends it twice, under the same `Message-ID`.
//!
//! A token is in no row and in no log. It is derived from its id when the mail is rendered, and is in the fragment of a link,
//! which browsers send to no server. `kinds` has the texts and the urgency of mails, `message` renders them, `transport` has
//! the ways out (`smtp`, with the connections that `kept` keeps, and files), `worker` the loop, `store` all the SQL.

mod kept;
mod kinds;
mod message;
mod smtp;
mod store;
mod transport;
mod worker;

use std::{fmt, path::PathBuf, time::Duration};

use lettre::message::Mailbox;
pub use store::{WaitingMail, retry_dead, waiting};
use url::Url;
pub use worker::{Mailer, TokenOf};

/// How mails leave, and what stands in them.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://user:password@host[:465]` (TLS from the start) or `smtp://user:password@host[:587]` (STARTTLS, without which
    /// nothing is sent). Plain text only to a loopback host, or with `?tls=none`. `None`: mails become files in `folder`.
    pub smtp_url: Option<String>,
    /// The sender, e.g. `SnapNote <no-reply@example.com>`.
    pub from: String,
    /// Where people use SnapNote; links go to pages beneath it.
    pub app_url: Url,
    /// How long an SMTP connection is kept that no mail needs.
    pub idle: Duration,
    /// Where mails are put as `.eml` files if there is no server to send them; made when the first one is.
    pub folder: PathBuf,
}

/// Without the URL of the server: it may hold a password.
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
    /// How long an operator's SMTP server sees an idle connection.
    pub const IDLE: Duration = Duration::from_secs(30);

    fn sender(&self) -> Result<Mailbox, String> {
        self.from.parse().map_err(|error| {
            format!(
                "SNAPNOTE_MAIL_FROM is {:?}, which is no sender ({error}). Write it as SnapNote <no-reply@example.com>.",
                self.from
            )
        })
    }

    fn check_app_url(&self) -> Result<(), String> {
        let url = &self.app_url;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if matches!(url.scheme(), "http" | "https") && plain && url.password().is_none() {
            return Ok(());
        }
        Err(
            "SNAPNOTE_APP_URL must be a http or https URL without user, query and fragment. Write it as \
             https://app.example.com."
                .to_owned(),
        )
    }
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
    fn what_is_wrong_is_named() {
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
