//! Throttles: how often something may be tried. They slow an attacker down and lock nobody out.
//!
//! Token buckets in the database, so that all processes share them. Whoever hammers an account from somewhere empties the
//! bucket of that account and that address, and then the account's own; but the latter holds back only addresses from
//! which nobody signed in there lately, so the owner still comes in from where they always do; and nobody who is signed in
//! already. An account is the address that was typed, known or not. If the database does not answer at once, everybody may
//! pass, and the log says so.
//!
//! The statement is in `store`.

mod store;

use std::{str::FromStr, time::Duration};

use uuid::Uuid;

use self::store::Bucket;
use super::{
    model::{Client, UserId, Viewer},
    tokens::hmac,
};
use crate::{db::Database, email_address::EmailAddress, error::Error};

/// How long the database may take before a throttle lets everybody pass.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often something may be done: `5/h`, `10/15m`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(Option<Rate>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    times: i32,
    /// Milliseconds.
    period: i32,
}

impl Limit {
    /// As often as one likes.
    pub const OFF: Limit = Limit(None);

    /// Tokens, and the milliseconds after which one comes back; `None` if there is no limit.
    fn bucket(self) -> Option<(i32, i32)> {
        self.0
            .map(|rate| (rate.times, (rate.period / rate.times).max(1)))
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a limit as 5/h, 10/15m, 100/d or off".to_owned();
        if text == "off" {
            return Ok(Limit::OFF);
        }
        let (times, period) = text.split_once('/').ok_or_else(wrong)?;
        let unit_at = period.len().checked_sub(1).ok_or_else(wrong)?;
        let (count, unit) = period.split_at_checked(unit_at).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let whole = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<i32>().ok().filter(|number| *number > 0),
            false => None,
        };
        let count = if count.is_empty() {
            Some(1)
        } else {
            whole(count)
        };
        let period = count
            .and_then(|count| count.checked_mul(unit))
            .filter(|period| *period <= 7 * 86_400_000)
            .ok_or_else(|| "a limit's period must be a week at most".to_owned())?;
        let times = whole(times).filter(|times| *times <= 1_000_000);
        Ok(Limit(Some(Rate {
            times: times.ok_or_else(wrong)?,
            period,
        })))
    }
}

/// How often each thing may be tried. Each has a setting of its own.
#[derive(Debug, Clone)]
pub struct ThrottleSettings {
    /// Signing in to one account from one address, and confirming a password.
    pub sign_in: Limit,
    /// Signing in from one address, to whatever accounts.
    pub sign_in_address: Limit,
    /// Signing in to one account, from addresses without a session there that was used in 90 days; and confirming a
    /// password in one session.
    pub sign_in_account: Limit,
    /// Signing up from one address.
    pub sign_up: Limit,
    /// Asking for a password's reset, and using its token, from one address.
    pub password_reset: Limit,
    /// Asking for a change of address, by one account.
    pub email_change: Limit,
    /// Refreshing one session.
    pub refresh: Limit,
    /// Refreshing from one address, whatever sessions.
    pub refresh_address: Limit,
    /// Mails that a stranger can cause, to one recipient: to reset a password, and of all other kinds.
    pub mail: Limit,
}

impl ThrottleSettings {
    /// No limits at all.
    pub const OFF: ThrottleSettings = ThrottleSettings {
        sign_in: Limit::OFF,
        sign_in_address: Limit::OFF,
        sign_in_account: Limit::OFF,
        sign_up: Limit::OFF,
        password_reset: Limit::OFF,
        email_change: Limit::OFF,
        refresh: Limit::OFF,
        refresh_address: Limit::OFF,
        mail: Limit::OFF,
    };
}

/// The buckets. They are told apart by an HMAC, so that the table names nobody.
pub(super) struct Throttle {
    database: Database,
    settings: ThrottleSettings,
    key: Vec<u8>,
}

impl Throttle {
    /// `key`: of the service's own.
    pub(super) fn new(database: Database, settings: ThrottleSettings, key: Vec<u8>) -> Self {
        Throttle {
            database,
            settings,
            key,
        }
    }

    /// An attempt to sign in. `known`: somebody signed in there from this address lately.
    pub(super) async fn sign_in(
        &self,
        email: &str,
        client: &Client,
        known: bool,
    ) -> Result<(), Error> {
        let account = account_of(email);
        let mut buckets = self.of_account_and_address(&account, client);
        if !known {
            let limit = self.settings.sign_in_account;
            buckets.push(self.bucket("sign-in account", limit, &[&account]));
        }
        self.take(buckets).await
    }

    /// An attempt to confirm a password by who is signed in already. In place of the account's bucket, which strangers can
    /// empty, it takes from one of the session's own; whoever comes by an outside token has one for all their tokens.
    pub(super) async fn confirm(
        &self,
        email: &str,
        viewer: &Viewer,
        client: &Client,
    ) -> Result<(), Error> {
        let mut buckets = self.of_account_and_address(&account_of(email), client);
        let session = viewer.session_id().unwrap_or(viewer.user_id.0).to_string();
        let limit = self.settings.sign_in_account;
        buckets.push(self.bucket("confirm", limit, &[&session]));
        self.take(buckets).await
    }

    fn of_account_and_address(&self, account: &str, client: &Client) -> Vec<Option<Bucket>> {
        let address = client.network();
        let nowhere = String::new();
        let here = address.as_ref().unwrap_or(&nowhere);
        let mut buckets = vec![self.bucket("sign-in", self.settings.sign_in, &[account, here])];
        if let Some(address) = &address {
            buckets.push(self.bucket("sign-in address", self.settings.sign_in_address, &[address]));
        }
        buckets
    }

    /// An attempt to sign up.
    pub(super) async fn sign_up(&self, client: &Client) -> Result<(), Error> {
        self.of_address("sign-up", self.settings.sign_up, client)
            .await
    }

    /// Asking for a password's reset, or trying a token.
    pub(super) async fn password_reset(&self, client: &Client) -> Result<(), Error> {
        self.of_address("password reset", self.settings.password_reset, client)
            .await
    }

    /// Asking for a change of address, by that user: each sends a mail to an address of their choice.
    pub(super) async fn email_change(&self, user: UserId) -> Result<(), Error> {
        let (limit, user) = (self.settings.email_change, user.0.to_string());
        self.take(vec![self.bucket("email change", limit, &[&user])])
            .await
    }

    /// A refresh of a session whose token is genuine.
    pub(super) async fn refresh(&self, session: Uuid, client: &Client) -> Result<(), Error> {
        let session = session.to_string();
        let mut buckets = vec![self.bucket("refresh", self.settings.refresh, &[&session])];
        if let Some(address) = client.network() {
            buckets.push(self.bucket(
                "refresh address",
                self.settings.refresh_address,
                &[&address],
            ));
        }
        self.take(buckets).await
    }

    /// Whether one more mail that a stranger caused may go to that recipient; one too many is dropped in silence.
    pub(super) async fn mail(&self, recipient: &str) -> bool {
        self.mail_of("mail", recipient).await
    }

    /// The same of a mail to reset a password. They are counted by themselves: whoever causes other mails keeps nobody from
    /// getting back in.
    pub(super) async fn reset_mail(&self, recipient: &str) -> bool {
        self.mail_of("reset mail", recipient).await
    }

    async fn mail_of(&self, name: &str, recipient: &str) -> bool {
        let bucket = self.bucket(name, self.settings.mail, &[&account_of(recipient)]);
        self.take(vec![bucket]).await.is_ok()
    }

    async fn of_address(&self, name: &str, limit: Limit, client: &Client) -> Result<(), Error> {
        match client.network() {
            Some(address) => self.take(vec![self.bucket(name, limit, &[&address])]).await,
            None => Ok(()),
        }
    }

    /// `None` if there is no limit.
    fn bucket(&self, name: &str, limit: Limit, subject: &[&str]) -> Option<Bucket> {
        let (capacity, spacing) = limit.bucket()?;
        let named = [&[name], subject].concat().join("\0");
        let digest = hmac(&self.key, &[named.as_bytes()]);
        let (key, _) = digest.split_first_chunk::<16>()?;
        Some(Bucket {
            key: Uuid::from_bytes(*key),
            capacity,
            spacing,
        })
    }

    async fn take(&self, buckets: Vec<Option<Bucket>>) -> Result<(), Error> {
        let buckets: Vec<Bucket> = buckets.into_iter().flatten().collect();
        if buckets.is_empty() {
            return Ok(());
        }
        let taken = async {
            let mut conn = self.database.connection().await?;
            store::take(&mut conn, &buckets).await
        };
        match tokio::time::timeout(PATIENCE, taken).await {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(wait)) => Err(Error::rate_limited(Duration::from_millis(wait))),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = error.log_text(),
                    "a throttle could not be read: it lets everybody pass"
                );
                Ok(())
            }
            Err(_) => {
                tracing::warn!("a throttle took too long: it lets everybody pass");
                Ok(())
            }
        }
    }
}

/// The account that an address belongs to: its key. A text that is not a valid address belongs to no user, but counts too.
fn account_of(email: &str) -> String {
    match EmailAddress::parse(email) {
        Ok(email) => email.key().to_owned(),
        Err(_) => email.trim().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_a_rate_or_off() {
        let bucket = |text: &str| text.parse::<Limit>().map(Limit::bucket);
        assert_eq!(bucket("off"), Ok(None));
        assert_eq!(bucket("5/h"), Ok(Some((5, 720_000))));
        assert_eq!(bucket("10/15m"), Ok(Some((10, 90_000))));
        assert_eq!(bucket("1000/s"), Ok(Some((1000, 1))));
        for bad in [
            "", "5", "/h", "5/", "0/h", "-1/h", "5/0h", "5/y", "5/8d", "x/h", "5/h/h", "+5/h",
            "5/é",
        ] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_account_however_it_is_written() {
        for written in [
            "idis@bücher.example",
            "IDIS@BüCHER.Example",
            " Idis@xn--Bcher-KVA.example\n",
        ] {
            let expected = "idis@xn--bcher-kva.example";
            assert_eq!(account_of(written), expected, "{written}");
        }
        for written in [
            "İdis@bücher.example",
            "ıdis@bücher.example",
            "idiſ@bücher.example",
        ] {
            let other = account_of(written);
            assert_ne!(other, account_of("idis@bücher.example"), "{written}");
        }
        assert_eq!(account_of(" No Address\n"), "no address");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let of = |address: &str| Client::new(address.parse().ok(), None).network();
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(Client::default().network(), None);
    }
}
