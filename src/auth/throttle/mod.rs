//! Rate limits: how often something may be tried. They slow an attacker down and never lock out an account's owner.
//!
//! The limits are token buckets in the database, so that all processes share them. An attacker who tries one account from one
//! network empties the bucket of that account and that network, and then the account's own. The account's own holds back only
//! networks from which nobody signed in there lately, so the owner still signs in from where they usually do, and sessions
//! that exist go on. An account is the address that was typed, known or not.
//!
//! The limiter has two connections of its own, so that a caller who keeps the pool busy does not switch the limits off. If
//! the database does not answer within [`PATIENCE`], or returns an error, the same buckets in this process's memory decide
//! (`memory`). Only refreshing a session passes then: its tokens cannot be guessed, and the database must answer for the
//! refresh itself.
//!
//! What may be tried how often is in `limits`, the statement in `store`.

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

pub use self::limits::{Limit, ThrottleSettings};
use self::{memory::Memory, store::Bucket};
use super::{
    credentials::store::{Credentials, credentials},
    model::{Client, UserId, Viewer},
    tokens::hmac,
};
use crate::{
    db::{Connection, Database, PoolSettings},
    email_address::EmailAddress,
    error::Error,
};

/// How long the database may take, waiting for a connection included, before memory decides.
const PATIENCE: Duration = Duration::from_secs(1);
/// The limiter's connections.
const CONNECTIONS: usize = 2;

/// The rate limiter's own pool, beside the pool with these settings. It keeps no connection open while nothing is limited, and
/// serves waiting attempts in the order of their arrival.
pub fn limiter_pool(pool: &PoolSettings) -> PoolSettings {
    PoolSettings {
        kept: 0,
        max_connections: CONNECTIONS,
        wait: PATIENCE,
        lifetime: pool.lifetime,
    }
}

/// The rate limiter. Buckets are told apart by an HMAC, so that the table names nobody.
pub(super) struct Throttle {
    /// The limiter's own pool.
    database: Database,
    /// Decides while the database does not answer.
    memory: Memory,
    /// Whether the database did not answer the last time.
    silent: AtomicBool,
    settings: ThrottleSettings,
    key: Vec<u8>,
}

impl Throttle {
    /// `database`: a pool of the limiter's own ([`limiter_pool`]); `key`: of the service's own.
    pub(super) fn new(database: Database, settings: ThrottleSettings, key: Vec<u8>) -> Self {
        Throttle {
            database,
            memory: Memory::new(),
            silent: AtomicBool::new(false),
            settings,
            key,
        }
    }

    /// An attempt to sign in. Returns whose account `searched` is, read on the connection that takes the tokens, so that the
    /// limit is decided before the pool is asked. `None` if it was not read: there is no limit, or the database does not
    /// answer. Memory then treats every client as a stranger, whether the address is known or not.
    pub(super) async fn sign_in(
        &self,
        email: &str,
        searched: &str,
        client: &Client,
    ) -> Result<Option<Option<Credentials>>, Error> {
        let account = account_of(email);
        let anywhere = present(self.of_account_and_address(&account, client));
        let of_strangers = self.bucket(
            "sign-in account",
            self.settings.sign_in_account,
            &[&account],
        );
        let all = [&anywhere[..], of_strangers.as_slice()].concat();
        if all.is_empty() {
            return Ok(None);
        }
        let network = client.network();
        let read = self.in_time(async {
            let mut conn = self.lease().await?;
            let (found, known) = credentials(&mut conn, searched, network.as_deref()).await?;
            let buckets = if known { &anywhere } else { &all };
            Ok((found, store::take(&mut conn, buckets).await?))
        });
        if let Some((found, wait)) = read.await {
            return allowed(wait).map(|()| Some(found));
        }
        allowed(self.memory.take(&all, Instant::now())).map(|()| None)
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

    /// A refresh of a session whose token is genuine. It passes if the database does not answer.
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
        self.taken(&present(buckets)).await.map_or(Ok(()), allowed)
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
        // It fails only if the limit is reached.
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

    /// Takes a token from each bucket, or from none: in the database or, if it does not answer, in memory.
    async fn take(&self, buckets: Vec<Option<Bucket>>) -> Result<(), Error> {
        let buckets = present(buckets);
        let wait = match self.taken(&buckets).await {
            Some(wait) => wait,
            None => self.memory.take(&buckets, Instant::now()),
        };
        allowed(wait)
    }

    /// Takes the tokens in the database. Returns how long to wait for them; `None` if the database does not answer.
    async fn taken(&self, buckets: &[Bucket]) -> Option<Duration> {
        if buckets.is_empty() {
            return Some(Duration::ZERO);
        }
        let taken = async { store::take(&mut self.lease().await?, buckets).await };
        self.in_time(taken).await
    }

    /// Leases one of the limiter's connections. A connection that takes longer to open than its caller waits is opened all the
    /// same and serves the next caller; otherwise a slow network would leave the limits to memory for ever.
    async fn lease(&self) -> Result<Connection, Error> {
        let database = self.database.clone();
        let leased = tokio::spawn(async move { database.connection().await });
        leased.await.map_err(Error::internal)?
    }

    /// What the database answers; `None` if that is an error, or takes too long. Both are logged, once until it answers again.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let why = match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => {
                if self.silent.swap(false, Ordering::Relaxed) {
                    tracing::info!("the database decides about rate limits again");
                }
                return Some(answer);
            }
            Ok(Err(error)) => error.log_text().to_owned(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        if !self.silent.swap(true, Ordering::Relaxed) {
            let error = why.as_str();
            tracing::warn!(
                error,
                "the database does not decide about rate limits; this process's memory does"
            );
        }
        None
    }
}

/// The buckets of the limits that are not off.
fn present(buckets: Vec<Option<Bucket>>) -> Vec<Bucket> {
    buckets.into_iter().flatten().collect()
}

fn allowed(wait: Duration) -> Result<(), Error> {
    if wait.is_zero() {
        Ok(())
    } else {
        Err(Error::rate_limited(wait))
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
