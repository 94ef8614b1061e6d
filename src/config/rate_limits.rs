//! The settings of rate limits: one rate per limit, all in the group `SNAPNOTE_LIMIT_…`.

use clap::Args;

use crate::auth::{Limit, RateLimitSettings};

/// Rate limits: each a rate such as 5/h or 10/15m, or off.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Rate limits (a rate such as 5/h or 10/15m, or off)")]
pub struct RateLimitConfig {
    /// Sign-ins to one account from one address (an IPv6 /64 counts as one). Password confirmations count too.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_IN", default_value = "10/10m")]
    pub limit_sign_in: Limit,
    /// Sign-ins from one address, to any account.
    #[arg(
        long,
        env = "SNAPNOTE_LIMIT_SIGN_IN_ADDRESS",
        default_value = "100/10m"
    )]
    pub limit_sign_in_address: Limit,
    /// Sign-ins to one account from addresses without a session of it that was used in the last 90 days. Also password
    /// confirmations in one session.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_IN_ACCOUNT", default_value = "30/h")]
    pub limit_sign_in_account: Limit,
    /// New users from one address. Failed sign-ups do not count; together with them, five times as many are allowed. Does not
    /// apply to clients on this machine while the database is embedded.
    #[arg(long, env = "SNAPNOTE_LIMIT_SIGN_UP", default_value = "60/h")]
    pub limit_sign_up: Limit,
    /// Password reset requests and uses of their tokens, from one address.
    #[arg(long, env = "SNAPNOTE_LIMIT_PASSWORD_RESET", default_value = "20/h")]
    pub limit_password_reset: Limit,
    /// Email change requests by one account.
    #[arg(long, env = "SNAPNOTE_LIMIT_EMAIL_CHANGE", default_value = "3/h")]
    pub limit_email_change: Limit,
    /// Exports of one account (GET /export).
    #[arg(long, env = "SNAPNOTE_LIMIT_EXPORT", default_value = "5/h")]
    pub limit_export: Limit,
    /// Refreshes of one session.
    #[arg(long, env = "SNAPNOTE_LIMIT_REFRESH", default_value = "60/m")]
    pub limit_refresh: Limit,
    /// Refreshes from one address, of any session.
    #[arg(long, env = "SNAPNOTE_LIMIT_REFRESH_ADDRESS", default_value = "600/m")]
    pub limit_refresh_address: Limit,
    /// Emails to one recipient that strangers can trigger: this many password resets, and this many of all other kinds
    /// together. Further emails are dropped silently.
    #[arg(long, env = "SNAPNOTE_LIMIT_MAIL", default_value = "3/h")]
    pub limit_mail: Limit,
    /// Cost points of all operations of one user, or of the anonymous clients of one address, in each process. The cost of an
    /// operation is computed as for SNAPNOTE_MAX_COST, and is at least one point. The points refill continuously.
    #[arg(long, env = "SNAPNOTE_LIMIT_COST", default_value = "1000000/3m")]
    pub limit_cost: Limit,
}

impl RateLimitConfig {
    /// Why the limit of cost points contradicts the maximum cost of an operation, if it does.
    pub(super) fn cost_problem(&self, max_cost: u64) -> Option<String> {
        let (points, _) = self.limit_cost.rate()?;
        (u64::from(points) < max_cost).then(|| {
            format!(
                "SNAPNOTE_LIMIT_COST is {}, but one operation may cost SNAPNOTE_MAX_COST ({max_cost}) points. Raise the first or lower \
                 the second.",
                self.limit_cost
            )
        })
    }

    /// The settings in the form that `auth` takes. On an embedded database, clients on this machine may sign up
    /// without a limit.
    pub fn settings(&self, embedded: bool) -> RateLimitSettings {
        RateLimitSettings {
            exempt_local_sign_ups: embedded,
            sign_in: self.limit_sign_in,
            sign_in_address: self.limit_sign_in_address,
            sign_in_account: self.limit_sign_in_account,
            sign_up: self.limit_sign_up,
            password_reset: self.limit_password_reset,
            email_change: self.limit_email_change,
            export: self.limit_export,
            refresh: self.limit_refresh,
            refresh_address: self.limit_refresh_address,
            mail: self.limit_mail,
        }
    }
}
