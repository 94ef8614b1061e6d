//! The settings of who people are: throttles and mail.

use clap::Args;
use url::Url;

use super::Secret;
use crate::auth::{Limit, RateLimitSettings};

/// How often what may be tried: a rate such as 5/h or 10/15m, or off.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Throttles (a rate such as 5/h or 10/15m, or off)")]
pub struct ThrottleConfig {
    /// Signing in to one account from one address (an IPv6 /64 is one); confirming a password counts, too.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_IN", default_value = "10/10m")]
    pub limit_sign_in: Limit,
    /// Signing in from one address, to whatever accounts.
    #[arg(
        long,
        env = "SNAPNOTE_LIMIT_SIGN_IN_ADDRESS",
        default_value = "100/10m"
    )]
    pub limit_sign_in_address: Limit,
    /// Signing in to one account from addresses without a session there that was used in 90 days; and confirming a
    /// password in one session.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_IN_ACCOUNT", default_value = "30/h")]
    pub limit_sign_in_account: Limit,
    /// Signing up from one address.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_UP", default_value = "5/h")]
    pub limit_sign_up: Limit,
    /// Asking for a password's reset, and using its token, from one address.
    #[arg(long, env = "SNAPNOTE_LIMIT_PASSWORD_RESET", default_value = "20/h")]
    pub limit_password_reset: Limit,
    /// Asking for a change of address, by one account.
    #[arg(long, env = "SNAPNOTE_LIMIT_EMAIL_CHANGE", default_value = "3/h")]
    pub limit_email_change: Limit,
    /// Refreshing one session.
    #[arg(long, env = "SNAPNOTE_LIMIT_REFRESH", default_value = "60/m")]
    pub limit_refresh: Limit,
    /// Refreshing from one address, whatever sessions.
    #[arg(long, env = "SNAPNOTE_LIMIT_REFRESH_ADDRESS", default_value = "600/m")]
    pub limit_refresh_address: Limit,
    /// Mails that a stranger can cause, to one recipient: to reset a password, and as many of all other kinds; more are
    /// dropped in silence.
    #[arg(long, env = "SNAPNOTE_LIMIT_MAIL", default_value = "3/h")]
    pub limit_mail: Limit,
}

impl ThrottleConfig {
    /// As `auth` takes them.
    pub fn settings(&self) -> RateLimitSettings {
        RateLimitSettings {
            sign_in: self.limit_sign_in,
            sign_in_address: self.limit_sign_in_address,
            sign_in_account: self.limit_sign_in_account,
            sign_up: self.limit_sign_up,
            password_reset: self.limit_password_reset,
            email_change: self.limit_email_change,
            refresh: self.limit_refresh,
            refresh_address: self.limit_refresh_address,
            mail: self.limit_mail,
        }
    }
}

/// How mails are sent.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Mail")]
pub struct MailConfig {
    /// The SMTP server: smtps://user:password@host (TLS), or smtp://user:password@host:587 (STARTTLS). Not set: mails are
    /// written as .eml files into the data folder and named in the log.
    #[arg(long, env = "SNAPNOTE_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// The sender of mails.
    #[arg(
        long,
        env = "SNAPNOTE_MAIL_FROM",
        default_value = "SnapNote <no-reply@localhost>"
    )]
    pub mail_from: String,
    /// The address of the app that people use, e.g. https://app.example.com: links in mails lead to its pages
    /// reset-password and verify-email.
    #[arg(
        long,
        env = "SNAPNOTE_APP_URL",
        default_value = "http://localhost:3000"
    )]
    pub app_url: Url,
}
