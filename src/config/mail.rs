//! The settings of mail delivery: the SMTP server, the sender, and the app that links open.

use clap::Args;
use url::Url;

use super::Secret;

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
    /// The URL of your app, e.g. https://app.example.com. Links in emails open its pages reset-password and verify-email.
    #[arg(
        long,
        env = "SNAPNOTE_APP_URL",
        default_value = "http://localhost:3000"
    )]
    pub app_url: Url,
}
