//! The rate limiter. Rate limits slow an attacker down and never lock out an account's owner.
//!
//! The limits are token buckets in the database, which all processes share. An attacker who tries one account from one
//! network empties the bucket of that account and network, and then the bucket of the account. The latter only applies
//! to networks from which nobody signed in to the account recently. So the owner still signs in from their usual
//! network, and open sessions continue. Unknown addresses count as accounts, too.
//!
//! A sign-up reserves a token and gives it back if it fails, so only new users count. The work of failed sign-ups
//! (judging and hashing passwords) is bounded by a second, wider bucket.
//!
//! # Design decisions
//! - **One statement.** `take_tokens` takes a token from every bucket or from none, so that an attacker who is held
//!   back by one bucket does not empty the others. The table is unlogged: a crash only forgets recent attempts.
//! - **Rate limits never fail open.** The limiter has two connections of its own ([`rate_limiter_pool`]), since one
//!   user's slow queries can hold the whole pool. If the database does not respond within [`DATABASE_TIMEOUT`], or
//!   returns an error, the same buckets in this process's memory decide (`memory`). A limit per process is weaker than
//!   a shared one, and much stronger than none.
//! - Only refreshing a session is allowed then: refresh tokens cannot be guessed, and the refresh itself needs the
//!   database.
//!
//! `limits` has the rates, `store` the statement.

mod limits;
mod memory;
mod store;

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use uuid::Uuid;

pub use self::limits::{Limit, RateLimitSettings};
use self::{memory::Memory, store::Bucket};
use super::{
    credentials::store::{Credentials, credentials},
    keys::hmac,
    model::{Client, UserId, Viewer},
};
use crate::{
    db::{Connection, Database, PoolSettings},
    email_address::EmailAddress,
    error::Error,
};

/// How long the database may take, including the wait for a connection, before memory decides.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);
/// Number of the rate limiter's connections.
const CONNECTIONS: usize = 2;
/// Attempts to sign up that are allowed per allowed sign-up.
const ATTEMPTS_PER_SIGN_UP: i32 = 5;

/// Settings of the rate limiter's own pool. It keeps no idle connections, and serves attempts in the order of their
/// arrival.
pub fn rate_limiter_pool(pool: &PoolSettings) -> PoolSettings {
    PoolSettings {
        name: "rate-limiter",
        slow: pool.slow,
        kept: 0,
        max_connections: CONNECTIONS,
        shared_reads: false,
        wait: DATABASE_TIMEOUT,
        lifetime: pool.lifetime,
        idle: pool.idle,
    }
}

/// A sign-up that counts unless it is given back.
pub(super) struct Reserved {
    bucket: Option<Bucket>,
    /// Whether the token was taken in memory, since the database did not respond.
    in_memory: bool,
}

/// The rate limiter. The keys of buckets are HMACs, so that the table names no account or address.
pub(super) struct RateLimiter {
    /// The rate limiter's own pool.
    database: Database,
    /// Decides while the database does not respond.
    memory: Memory,
    /// Whether the last call to the database failed.
    is_degraded: AtomicBool,
    settings: RateLimitSettings,
    key: Vec<u8>,
}

impl RateLimiter {
    /// `database` is the rate limiter's own pool ([`rate_limiter_pool`]), `key` the service's own key.
    pub(super) fn new(database: Database, settings: RateLimitSettings, key: Vec<u8>) -> Self {
        RateLimiter {
            database,
            memory: Memory::new(),
            is_degraded: AtomicBool::new(false),
            settings,
            key,
        }
    }

    /// Counts an attempt to sign in. Returns the credentials for the email key `searched`. They are read on the
    /// connection that takes the tokens, so that the limit is decided before the main pool is used. `None` if they were
    /// not read, since there is no limit or the database does not respond. Memory then treats every client as a
    /// stranger, whether the address is known or not.
    pub(super) async fn sign_in(
        &self,
        email: &str,
        searched: &str,
        client: &Client,
    ) -> Result<Option<Option<Credentials>>, Error> {
        let account = account_of(email);
        let base = self.account_and_network_buckets(&account, client);
        let limit = self.settings.sign_in_account;
        let account_bucket = self.bucket("sign-in account", limit, &[&account]);
        let all = [&base[..], account_bucket.as_slice()].concat();
        if all.is_empty() {
            return Ok(None);
        }
        let network = client.network();
        let read = self.with_timeout(async {
            let mut conn = self.lease().await?;
            let (found, known) = credentials(&mut conn, searched, network.as_deref()).await?;
            let buckets = if known { &base } else { &all };
            Ok((found, store::take(&mut conn, buckets).await?))
        });
        if let Some((found, wait)) = read.await {
            return check(wait).map(|()| Some(found));
        }
        check(self.memory.take(&all, Instant::now())).map(|()| None)
    }

    /// Counts an attempt of a signed-in user to confirm their password. Strangers can empty the account's bucket, so
    /// this uses a bucket of the session instead. Users of external providers have one bucket for all their tokens.
    pub(super) async fn confirm(
        &self,
        email: &str,
        viewer: &Viewer,
        client: &Client,
    ) -> Result<(), Error> {
        let mut buckets = self.account_and_network_buckets(&account_of(email), client);
        let session = viewer.session_id().unwrap_or(viewer.user_id.0).to_string();
        let limit = self.settings.sign_in_account;
        buckets.extend(self.bucket("confirm", limit, &[&session]));
        self.take(&buckets).await
    }

    fn account_and_network_buckets(&self, account: &str, client: &Client) -> Vec<Bucket> {
        let address = client.network();
        let here = address.as_deref().unwrap_or_default();
        let limits = &self.settings;
        let of_account = self.bucket("sign-in", limits.sign_in, &[account, here]);
        let limit = limits.sign_in_address;
        let of_network = address.and_then(|here| self.bucket("sign-in address", limit, &[&here]));
        of_account.into_iter().chain(of_network).collect()
    }

    /// Counts an attempt to sign up, and reserves the sign-up. Give it back if the attempt fails.
    pub(super) async fn sign_up(&self, client: &Client) -> Result<Reserved, Error> {
        let limit = match self.settings.exempt_local_sign_ups && client.is_local {
            true => Limit::OFF,
            false => self.settings.sign_up,
        };
        let of_network = |name, limit| self.bucket(name, limit, &[&client.network()?]);
        let sign_up = of_network("sign-up", limit);
        let attempt = of_network("sign-up attempt", limit.times(ATTEMPTS_PER_SIGN_UP));
        let buckets: Vec<Bucket> = sign_up.into_iter().chain(attempt).collect();
        let taken = self.take_in_database(&buckets).await;
        let reserved = Reserved {
            bucket: sign_up,
            in_memory: taken.is_none(),
        };
        check(taken.unwrap_or_else(|| self.memory.take(&buckets, Instant::now())))?;
        Ok(reserved)
    }

    /// Gives back the token of a sign-up that failed. If the database does not respond, the token returns with time.
    pub(super) async fn give_back(&self, reserved: Reserved) {
        let Some(bucket) = reserved.bucket else {
            return;
        };
        if reserved.in_memory {
            return self.memory.give_back(&bucket);
        }
        let given_back = async { store::give_back(&mut self.lease().await?, &bucket).await };
        self.with_timeout(given_back).await;
    }

    /// Counts a request for a password reset, or an attempt to use its token.
    pub(super) async fn password_reset(&self, client: &Client) -> Result<(), Error> {
        let limit = self.settings.password_reset;
        self.limit_network("password reset", limit, client).await
    }

    /// Counts a request to change the email address: each sends a mail to an address that the user chooses.
    pub(super) async fn email_change(&self, user: UserId) -> Result<(), Error> {
        let (limit, user) = (self.settings.email_change, user.0.to_string());
        let bucket = self.bucket("email change", limit, &[&user]);
        self.take(bucket.as_slice()).await
    }

    /// Counts an export: each reads everything that the user has.
    pub(super) async fn export(&self, user: UserId) -> Result<(), Error> {
        let (limit, user) = (self.settings.export, user.0.to_string());
        let bucket = self.bucket("export", limit, &[&user]);
        self.take(bucket.as_slice()).await
    }

    /// Counts a refresh with a genuine token. Allowed if the database does not respond.
    pub(super) async fn refresh(&self, session: Uuid, client: &Client) -> Result<(), Error> {
        let limits = &self.settings;
        let of_session = self.bucket("refresh", limits.refresh, &[&session.to_string()]);
        let limit = limits.refresh_address;
        let address = client.network();
        let of_network = address.and_then(|here| self.bucket("refresh address", limit, &[&here]));
        let buckets: Vec<Bucket> = of_session.into_iter().chain(of_network).collect();
        self.take_in_database(&buckets).await.map_or(Ok(()), check)
    }

    /// Whether one more mail that a stranger caused may go to this recipient. The caller silently drops the others.
    pub(super) async fn mail(&self, recipient: &str) -> bool {
        self.mail_allowed("mail", recipient).await
    }

    /// The same for password reset mails. They count separately, so that other mails cannot keep an owner from
    /// resetting their password.
    pub(super) async fn reset_mail(&self, recipient: &str) -> bool {
        self.mail_allowed("reset mail", recipient).await
    }

    async fn mail_allowed(&self, name: &str, recipient: &str) -> bool {
        let bucket = self.bucket(name, self.settings.mail, &[&account_of(recipient)]);
        // The only possible error is that the limit is reached.
        self.take(bucket.as_slice()).await.is_ok()
    }

    async fn limit_network(&self, name: &str, limit: Limit, client: &Client) -> Result<(), Error> {
        let address = client.network();
        let bucket = address.and_then(|address| self.bucket(name, limit, &[&address]));
        self.take(bucket.as_slice()).await
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

    /// Takes a token from each bucket, or from none: in the database or, if it does not respond, in memory.
    async fn take(&self, buckets: &[Bucket]) -> Result<(), Error> {
        let taken = self.take_in_database(buckets).await;
        check(taken.unwrap_or_else(|| self.memory.take(buckets, Instant::now())))
    }

    /// Takes the tokens in the database. Returns the time until all buckets have one; `None` if the database does not
    /// respond.
    async fn take_in_database(&self, buckets: &[Bucket]) -> Option<Duration> {
        if buckets.is_empty() {
            return Some(Duration::ZERO);
        }
        let taken = async { store::take(&mut self.lease().await?, buckets).await };
        self.with_timeout(taken).await
    }

    /// Leases one of the limiter's connections. If the caller gives up while a connection is opened, it is still opened
    /// and serves the next caller. Otherwise a slow network would leave the limits to memory forever.
    async fn lease(&self) -> Result<Connection, Error> {
        let database = self.database.clone();
        let leased = tokio::spawn(async move { database.connection().await });
        leased.await.map_err(Error::of_task)?
    }

    /// The database's result. `None` on an error or a timeout, which is logged once until the database responds again.
    async fn with_timeout<T>(&self, response: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let why = match timeout(DATABASE_TIMEOUT, response).await {
            Ok(Ok(response)) => {
                if self.is_degraded.swap(false, Ordering::Relaxed) {
                    tracing::info!("rate limits are counted in the database again");
                }
                return Some(response);
            }
            Ok(Err(error)) => error.log_text(),
            Err(_) => format!("no response within {DATABASE_TIMEOUT:?}"),
        };
        if !self.is_degraded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = why,
                "the database does not respond to the rate limiter; counting in memory"
            );
        }
        None
    }
}

fn check(wait: Duration) -> Result<(), Error> {
    if wait.is_zero() {
        Ok(())
    } else {
        Err(Error::rate_limited(wait))
    }
}

/// The account that an address belongs to: its email key. Texts that are not a valid address are counted, too.
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
    fn spellings_of_one_address_are_one_account() {
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
    fn an_ipv6_subnet_of_64_bits_is_one_network() {
        let of = |address: &str| Client::new(address.parse().ok(), None).network();
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(Client::default().network(), None);
    }
}
