//! The worker: claims mails that are due, sends them, several at the same time, and deletes them.
//!
//! A claim is a lease: it moves the mail's next attempt two minutes into the future, so no other worker sends it meanwhile, and
//! no database connection is held while the SMTP server is talked to. If a process dies, its mails are due again when their
//! claims run out; a mail whose deletion was lost is then sent twice, under the same `Message-ID`.
//!
//! The last free slot is for password resets: a slow server for other mails never delays them. The log names no recipient and
//! no token.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    MailSettings,
    kinds::{KINDS, Kind, Urgency},
    message::Letterhead,
    store::{self, Failed, Mail},
    transport::{Transport, Undelivered},
};
use crate::{
    db::{
        Database,
        background::{Backoff, Job, caught},
    },
    error::Error,
};

/// Mails that a process sends at the same time. Servers accept few connections from one client, often no more than ten.
const SLOTS: usize = 4;
/// The longest rest. A mail that another process wrote before it died waits no longer.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);
/// The shortest rest, while another worker claims what is due.
const SHORTEST_REST: Duration = Duration::from_secs(1);
/// The pauses after errors of the database: the first and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long giving up claims may take when the service stops.
const RELEASE: Duration = Duration::from_secs(1);
/// Maximum characters that are kept of a server's response.
const MAX_ERROR: usize = 500;

/// Makes a token from its id.
pub type TokenOf = Arc<dyn Fn(Uuid) -> String + Send + Sync>;

/// Empties the outbox. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    letterhead: Letterhead,
    transport: Transport,
    token_of: TokenOf,
    written: Arc<Notify>,
    slots: Arc<Semaphore>,
    deliveries: TaskTracker,
    /// Mails that are being delivered.
    in_flight: Mutex<HashSet<Uuid>>,
    stopped: CancellationToken,
}

/// What became of a mail that was claimed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    /// Its token was used or voided, or its user was deleted: it is not needed.
    Dropped,
    Failed,
}

impl Mailer {
    /// A worker with these settings, on that database. A command that has committed a mail notifies `written`.
    ///
    /// # Errors
    /// A message that names the setting that is wrong.
    pub fn new(
        database: Database,
        settings: &MailSettings,
        token_of: TokenOf,
        written: Arc<Notify>,
    ) -> Result<Mailer, String> {
        settings.check_app_url()?;
        let inner = Inner {
            database,
            letterhead: Letterhead {
                from: settings.sender()?,
                app_url: settings.app_url.clone(),
            },
            transport: Transport::new(settings)?,
            token_of,
            written,
            slots: Arc::new(Semaphore::new(SLOTS)),
            deliveries: TaskTracker::new(),
            in_flight: Mutex::default(),
            stopped: CancellationToken::new(),
        };
        Ok(Mailer {
            inner: Arc::new(inner),
        })
    }

    /// Sends what is due when it is due, for as long as the process runs. `job` is the reading of the outbox, `delivery` the
    /// mail server.
    pub async fn run(self, job: Job, delivery: Job) {
        let mut backoff = Backoff::new(PAUSE.0, PAUSE.1);
        let slots = &self.inner.slots;
        while let Ok(slot) = slots.clone().acquire_owned().await {
            let resets_only = slots.available_permits() == 0;
            let rest = match self.claim(resets_only).await {
                Ok(Some(mail)) => {
                    self.start(mail, slot, delivery.clone());
                    continue;
                }
                Ok(None) => self.until_next(resets_only).await,
                Err(error) => Err(error),
            };
            drop(slot);
            let rest = match rest {
                Ok(rest) => {
                    job.succeeded();
                    backoff.reset();
                    rest
                }
                Err(error) => {
                    let pause = backoff.pause();
                    job.failed(&error, pause);
                    pause
                }
            };
            tokio::select! {
                () = sleep(rest) => {}
                () = self.inner.written.notified() => {}
                // With a second free slot, mails of all kinds are sent again.
                _ = slots.acquire_many(2), if resets_only => {}
            }
        }
    }

    /// Tries each mail that is due, once; returns how many were sent.
    ///
    /// # Errors
    /// UNAVAILABLE, TIMEOUT or INTERNAL if the database fails. A mail that cannot be sent is no error: it is tried again.
    pub async fn send_all_due(&self) -> Result<u64, Error> {
        let slots = (0..SLOTS).map(|slot| async move {
            let mut sent = 0;
            while let Some(mail) = self.claim(slot == 0).await? {
                sent += u64::from(self.send(&mail, None).await? == Outcome::Sent);
            }
            Ok(sent)
        });
        Ok(try_join_all(slots).await?.into_iter().sum())
    }

    /// Waits for the deliveries that are under way, until the deadline; those that are not done then are due again at once.
    /// Starts no new one.
    pub async fn finish(&self, deadline: Instant) {
        let inner = &self.inner;
        inner.slots.close();
        inner.deliveries.close();
        if timeout_at(deadline, inner.deliveries.wait()).await.is_err() {
            inner.stopped.cancel();
            inner.deliveries.wait().await;
        }
        let cut_off: Vec<Uuid> = self.in_flight().drain().collect();
        if !cut_off.is_empty() {
            let mails = cut_off.len();
            let released = timeout(RELEASE, self.release(cut_off)).await;
            let due_again = matches!(released, Ok(Ok(())));
            tracing::warn!(mails, due_again, "mails were not sent in time for the stop");
        }
        inner.transport.close().await;
    }

    async fn release(&self, mails: Vec<Uuid>) -> Result<(), Error> {
        let mut conn = self.inner.database.connection().await?;
        store::release(&mut conn, mails).await
    }

    async fn claim(&self, resets_only: bool) -> Result<Option<Mail>, Error> {
        let mut conn = self.inner.database.connection().await?;
        store::claim(&mut conn, kinds(resets_only)).await
    }

    async fn until_next(&self, resets_only: bool) -> Result<Duration, Error> {
        let mut conn = self.inner.database.connection().await?;
        let rest = store::until_next(&mut conn, kinds(resets_only)).await?;
        Ok(rest
            .unwrap_or(LONGEST_REST)
            .clamp(SHORTEST_REST, LONGEST_REST))
    }

    /// Delivers a mail beside others.
    fn start(&self, mail: Mail, slot: OwnedSemaphorePermit, delivery: Job) {
        let (mailer, stopped) = (self.clone(), self.inner.stopped.clone());
        self.in_flight().insert(mail.id);
        self.inner.deliveries.spawn(async move {
            let done = async {
                match mailer.send(&mail, Some(&delivery)).await {
                    // The worker may be resting until the claim ends, but the next attempt is due earlier.
                    Ok(Outcome::Failed) => mailer.inner.written.notify_one(),
                    Ok(Outcome::Sent | Outcome::Dropped) => {}
                    Err(error) => {
                        let (id, error) = (mail.id, error.log_text());
                        tracing::warn!(mail = %id, error, "noting what became of a mail failed; it is tried again in two minutes");
                    }
                }
                mailer.in_flight().remove(&mail.id);
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = done => {}
            }
            drop(slot);
        });
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        let in_flight = self.inner.in_flight.lock();
        in_flight.unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a mail that was claimed, and notes what became of it.
    async fn send(&self, mail: &Mail, delivery: Option<&Job>) -> Result<Outcome, Error> {
        let kind = Kind::named(&mail.kind);
        let needs_token = kind.is_some_and(Kind::needs_token);
        let has_none = needs_token && mail.token_id.is_none() && !mail.token_ran_out;
        if has_none || mail.user_is_gone {
            self.delete(mail).await?;
            tracing::debug!(mail = %mail.id, kind = mail.kind, "a mail was dropped: it has no good token, or its user is gone");
            return Ok(Outcome::Dropped);
        }
        if mail.token_ran_out {
            let mut conn = self.inner.database.connection().await?;
            if let Some(failed) = store::ran_out(&mut conn, mail).await? {
                log_given_up(mail, failed.attempts);
            }
            return Ok(Outcome::Failed);
        }
        let delivered = caught(self.deliver(kind, mail)).await;
        match delivered.unwrap_or_else(|panic| Err(Undelivered::for_now(panic))) {
            Ok(()) => {
                if let Some(delivery) = delivery {
                    delivery.succeeded();
                }
                self.delete(mail).await?;
                Ok(Outcome::Sent)
            }
            Err(undelivered) => {
                self.note_failure(mail, undelivered, delivery).await?;
                Ok(Outcome::Failed)
            }
        }
    }

    async fn delete(&self, mail: &Mail) -> Result<(), Error> {
        let mut conn = self.inner.database.connection().await?;
        store::delete(&mut conn, mail.id).await
    }

    async fn deliver(&self, kind: Option<&Kind>, mail: &Mail) -> Result<(), Undelivered> {
        let unknown = "this version of the service does not know its kind";
        let kind = kind.ok_or_else(|| Undelivered::for_now(unknown.to_owned()))?;
        let token = mail.token_id.map(&*self.inner.token_of);
        let message = self
            .inner
            .letterhead
            .write(kind, mail, token.as_deref())
            .map_err(|why| Undelivered {
                hopeless: true,
                ..Undelivered::for_now(why)
            })?;
        let sent = self.inner.transport.send(mail, &message).await;
        sent.map_err(|undelivered| Undelivered {
            why: without(undelivered.why, token.as_deref()),
            ..undelivered
        })
    }

    async fn note_failure(
        &self,
        mail: &Mail,
        undelivered: Undelivered,
        delivery: Option<&Job>,
    ) -> Result<(), Error> {
        let why: String = undelivered
            .why
            .replace(char::is_control, " ")
            .chars()
            .take(MAX_ERROR)
            .collect();
        let mut conn = self.inner.database.connection().await?;
        let failed = store::failed(&mut conn, mail, &why, undelivered.hopeless).await?;
        drop(conn);
        let Some(failed) = failed else { return Ok(()) };
        let why = without(why, Some(&mail.recipient));
        match delivery {
            Some(delivery) if undelivered.no_server => {
                delivery.failed(&Error::unavailable(why), failed.retry_in());
            }
            _ => log_failure(mail, &failed, &why),
        }
        if failed.died {
            log_given_up(mail, failed.attempts);
        }
        Ok(())
    }
}

/// The kinds of mails that may be claimed. A kind that only a newer version of the service knows is left to it.
fn kinds(resets_only: bool) -> impl Iterator<Item = &'static Kind> {
    let may = move |kind: &&Kind| !resets_only || kind.urgency == Urgency::Reset;
    KINDS.iter().filter(may)
}

/// The first failure of a mail is a warning. Later ones are not, since the mail is tried for three days.
fn log_failure(mail: &Mail, failed: &Failed, error: &str) {
    let (id, kind, attempts, retry_in) = (mail.id, &mail.kind, failed.attempts, failed.retry_in());
    if attempts == 1 && !failed.died {
        tracing::warn!(mail = %id, kind, attempts, ?retry_in, error, "sending a mail failed; retrying");
    } else {
        tracing::debug!(mail = %id, kind, attempts, ?retry_in, error, "sending a mail failed again");
    }
}

fn log_given_up(mail: &Mail, attempts: i32) {
    let domain = mail.recipient.rsplit_once('@').map(|(_, domain)| domain);
    let (id, kind) = (mail.id, &mail.kind);
    tracing::error!(mail = %id, kind, domain, attempts, "a mail was given up; it is kept with its last error");
}

/// What a server says may repeat what it was sent, such as a link that it takes for harmful.
fn without(words: String, part: Option<&str>) -> String {
    match part {
        Some(part) if !part.is_empty() => words.replace(part, "…"),
        _ => words,
    }
}
