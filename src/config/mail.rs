//! The settings of mail delivery: the SMTP server, the sender, and the app that links open.

use clap::Args;
use url::Url;

use super::{Secret, values::web_url};
use crate::mail;

/// Mail delivery.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Mail")]
pub struct MailConfig {
    /// The SMTP server: smtps://user:password@host (TLS), or smtp://user:password@host:587 (STARTTLS). If unset, emails are
    /// written as .eml files into the data folder, and the log names them.
    #[arg(long, env = "SNAPNOTE_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// The sender of emails.
    #[arg(
        long,
        env = "SNAPNOTE_MAIL_FROM",
        default_value = "SnapNote <no-reply@localhost>"
    )]
    pub mail_from: String,
    /// The URL of your app, e.g. https://app.example.com. Links in emails open its pages reset-password and verify-email. If
    /// unset, http://localhost:3000. Required if SNAPNOTE_SMTP_URL names another machine.
    #[arg(long, env = "SNAPNOTE_APP_URL", value_parser = web_url)]
    pub app_url: Option<Url>,
}

impl MailConfig {
    /// Where the app usually runs during its development.
    const LOCAL_APP: &str = "http://localhost:3000";

    /// The problems of the server, the sender and the links in emails.
    pub(super) fn problems(&self) -> Vec<String> {
        let server = self.smtp_url.as_ref().map(Secret::reveal);
        let server = server.map_or(Ok(()), |url| mail::check_server(url, &self.app_url()));
        let checked = [server, mail::check_sender(&self.mail_from)];
        let problems = checked.into_iter().filter_map(Result::err);
        problems.chain(self.url_problem()).collect()
    }

    fn url_problem(&self) -> Option<String> {
        let is_local = |url: &Secret| mail::is_local_server(url.reveal());
        if self.app_url.is_some() || self.smtp_url.as_ref().is_none_or(is_local) {
            return None;
        }
        Some(format!(
            "SNAPNOTE_APP_URL is not set, but SNAPNOTE_SMTP_URL is. Links in emails would open {}. Set SNAPNOTE_APP_URL to the URL \
             of your app, e.g. https://app.example.com.",
            Self::LOCAL_APP
        ))
    }

    /// The URL of the app.
    pub(crate) fn app_url(&self) -> Url {
        let local = || Self::LOCAL_APP.parse().expect("a valid URL");
        self.app_url.clone().unwrap_or_else(local)
    }
}
