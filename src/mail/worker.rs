//! The mail worker: claims due mails, sends several at the same time, and deletes them.
//!
//! A claim is a lease: it moves the mail's next attempt two minutes into the future, so that no other worker sends it. No
//! database connection is held during the delivery. If a process dies, its mails are due again when their claims
//! expire. If the deletion of a sent mail was lost, it is sent twice with the same `Message-ID`.
//!
//! The last free slot is reserved for password resets, so that a slow server for other mails never delays them. The log
//! contains no recipients and no tokens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    MailSettings,
    message::MessageBuilder,
    metrics::MailMetrics,
    store::{self, FailedAttempt, Mail},
    templates::{TEMPLATES, Template, Urgency},
    transport::{DeliveryError, Transport, redacted},
};
use crate::{
    db::{
        Connection, Database,
        background::{Job, Turns, caught},
    },
    error::Error,
};

/// Mails that a process sends at the same time. Servers accept few connections from one client, often no more than ten.
const SLOTS: usize = 4;
/// How often the worker looks for mails that another process wrote before it died, while callers use the database.
const PERIOD: Duration = Duration::from_secs(15 * 60);
/// Minimum wait, while another worker claims the due mails.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// The first and the maximum pause after errors of the database, while callers use it.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long releasing claims may take at shutdown.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum length of a stored error in characters.
const MAX_ERROR: usize = 500;

/// Derives a token from its id and its stored hash. `None` if it was made with a secret that is not configured.
pub type TokenOf = Arc<dyn Fn(Uuid, &[u8]) -> Option<String> + Send + Sync>;

/// Sends the mails in the outbox. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    message_builder: MessageBuilder,
    transport: Transport,
    token_of: TokenOf,
    written: Arc<Notify>,
    slots: Arc<Semaphore>,
    deliveries: TaskTracker,
    /// Ids of the mails that are being delivered.
    in_flight: Mutex<HashSet<Uuid>>,
    stopped: CancellationToken,
    metrics: Arc<MailMetrics>,
}

/// The result of a claimed mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    /// Not needed: its token was used or voided, or its user was deleted.
    Dropped,
    Failed,
}

impl Mailer {
    /// Creates a worker. Commands that have committed a mail notify `written`.
    ///
    /// # Errors
    /// A message that names the invalid setting.
    pub fn new(
        database: Database,
        settings: &MailSettings,
        token_of: TokenOf,
        written: Arc<Notify>,
    ) -> Result<Mailer, String> {
        settings.check_app_url()?;
        let inner = Inner {
            database,
            message_builder: MessageBuilder {
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
            metrics: Arc::default(),
        };
        Ok(Mailer {
            inner: Arc::new(inner),
        })
    }

    /// Sends mails when they are due, as long as the process runs. `job` reports errors of the outbox, `delivery` those
    /// of the mail server.
    pub async fn run(self, job: Job, delivery: Job) {
        let activity = self.inner.database.activity().clone();
        let mut turns = Turns::new(activity, PERIOD, RETRY_PAUSE);
        let slots = &self.inner.slots;
        while let Ok(slot) = slots.clone().acquire_owned().await {
            let began = Instant::now();
            let resets_only = slots.available_permits() == 0;
            let next = match job.timed(self.claim(resets_only)).await {
                Ok(Some(mail)) => {
                    self.start(mail, slot, delivery.clone());
                    continue;
                }
                Ok(None) => self.until_next(resets_only).await,
                Err(error) => Err(error),
            };
            drop(slot);
            let next_due = match next {
                Ok(next_due) => {
                    job.succeeded();
                    turns.succeeded(began);
                    next_due
                }
                Err(error) => {
                    job.failed(&error, turns.failed(began));
                    None
                }
            };
            tokio::select! {
                () = turns.due() => {}
                () = elapsed(next_due) => {}
                () = self.inner.written.notified() => {}
                // With a second free slot, mails of all kinds can be sent again.
                _ = slots.acquire_many(2), if resets_only => {}
            }
        }
    }

    /// Tries each due mail once. Returns how many were sent.
    ///
    /// # Errors
    /// UNAVAILABLE, TIMEOUT or INTERNAL if the database fails. A mail that cannot be sent is no error, since it is
    /// retried.
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

    /// Waits for the deliveries in progress until the deadline. Interrupted mails are due again at once. Starts no new
    /// deliveries.
    pub async fn finish(&self, deadline: Instant) {
        let inner = &self.inner;
        inner.slots.close();
        inner.deliveries.close();
        if timeout_at(deadline, inner.deliveries.wait()).await.is_err() {
            inner.stopped.cancel();
            inner.deliveries.wait().await;
        }
        let cut_off: Vec<Uuid> = self.inner.in_flight.lock().drain().collect();
        if !cut_off.is_empty() {
            let mails = cut_off.len();
            let released = timeout(RELEASE_TIMEOUT, self.release(cut_off)).await;
            let due_again = matches!(released, Ok(Ok(())));
            tracing::warn!(mails, due_again, "deliveries interrupted by shutdown");
        }
        inner.transport.close().await;
    }

    /// The measurements of the outbox.
    pub(crate) fn metrics(&self) -> &Arc<MailMetrics> {
        &self.inner.metrics
    }

    async fn connection(&self) -> Result<Connection, Error> {
        self.inner.database.connection().await
    }

    async fn release(&self, mails: Vec<Uuid>) -> Result<(), Error> {
        store::release(&mut self.connection().await?, mails).await
    }

    async fn claim(&self, resets_only: bool) -> Result<Option<Mail>, Error> {
        store::claim(&mut self.connection().await?, templates(resets_only)).await
    }

    /// How long until the next mail is due. `None` if no mail waits.
    async fn until_next(&self, resets_only: bool) -> Result<Option<Duration>, Error> {
        let mut conn = self.connection().await?;
        let outbox = store::until_next(&mut conn, templates(resets_only)).await?;
        self.inner.metrics.set_waiting(outbox.waiting);
        Ok(outbox.next.map(|wait| wait.max(MIN_WAIT)))
    }

    /// Delivers a mail in the background.
    fn start(&self, mail: Mail, slot: OwnedSemaphorePermit, delivery: Job) {
        let (mailer, stopped) = (self.clone(), self.inner.stopped.clone());
        self.inner.in_flight.lock().insert(mail.id);
        self.inner.deliveries.spawn(async move {
            let done = async {
                let sent = mailer.send(&mail, Some(&delivery)).await;
                let outcome = *sent.as_ref().unwrap_or(&Outcome::Failed);
                mailer.inner.metrics.note(outcome);
                match sent {
                    // The worker may be waiting for the end of the claim, but the next attempt is due earlier.
                    Ok(Outcome::Failed) => mailer.inner.written.notify_one(),
                    Ok(Outcome::Sent | Outcome::Dropped) => {}
                    Err(error) => {
                        let (id, error) = (mail.id, error.log_text());
                        tracing::warn!(mail = %id, error, "storing the result of a mail failed; retrying in two minutes");
                    }
                }
                mailer.inner.in_flight.lock().remove(&mail.id);
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = done => {}
            }
            drop(slot);
        });
    }

    /// Sends a claimed mail, and stores the result.
    async fn send(&self, mail: &Mail, delivery: Option<&Job>) -> Result<Outcome, Error> {
        let template = Template::of_kind(&mail.kind);
        let needs_token = template.is_some_and(Template::needs_token);
        let has_none = needs_token && mail.token_id.is_none() && !mail.token_expired;
        if has_none || mail.user_deleted {
            self.delete(mail).await?;
            tracing::debug!(mail = %mail.id, kind = mail.kind, "mail dropped: it has no valid token, or its user was deleted");
            return Ok(Outcome::Dropped);
        }
        if mail.token_expired {
            if let Some(failed) = store::expired(&mut self.connection().await?, mail).await? {
                self.inner.metrics.note_given_up();
                log_given_up(mail, failed.attempts);
            }
            return Ok(Outcome::Failed);
        }
        let delivering = caught(self.deliver(template, mail));
        let delivered = match delivery {
            Some(delivery) => delivery.timed(delivering).await,
            None => delivering.await,
        };
        match delivered.unwrap_or_else(|panic| Err(DeliveryError::temporary(panic))) {
            Ok(()) => {
                if let Some(delivery) = delivery {
                    delivery.succeeded();
                }
                self.delete(mail).await?;
                Ok(Outcome::Sent)
            }
            Err(error) => {
                self.note_failure(mail, error, delivery).await?;
                Ok(Outcome::Failed)
            }
        }
    }

    async fn delete(&self, mail: &Mail) -> Result<(), Error> {
        store::delete(&mut self.connection().await?, mail.id).await
    }

    async fn deliver(&self, template: Option<&Template>, mail: &Mail) -> Result<(), DeliveryError> {
        let unknown = "this version of the service does not know its kind";
        let template = template.ok_or_else(|| DeliveryError::temporary(unknown.to_owned()))?;
        let token = self.token(mail)?;
        let inner = &self.inner;
        let message = inner
            .message_builder
            .build(template, mail, token.as_deref());
        let message = message.map_err(|why| DeliveryError {
            permanent: true,
            ..DeliveryError::temporary(why)
        })?;
        let sent = inner.transport.send(mail, &message).await;
        sent.map_err(|error| DeliveryError {
            why: redacted(error.why, token.as_deref()),
            ..error
        })
    }

    fn token(&self, mail: &Mail) -> Result<Option<String>, DeliveryError> {
        let Some((id, hash)) = mail.token_id.zip(mail.token_hash.as_ref()) else {
            return Ok(None);
        };
        let unknown = "its token was made with another SNAPNOTE_JWT_SECRET; set SNAPNOTE_JWT_SECRET_PREVIOUS to that one";
        let token = (self.inner.token_of)(id, hash);
        let token = token.ok_or_else(|| DeliveryError::temporary(unknown.to_owned()))?;
        Ok(Some(token))
    }

    async fn note_failure(
        &self,
        mail: &Mail,
        error: DeliveryError,
        delivery: Option<&Job>,
    ) -> Result<(), Error> {
        let line = error.why.replace(char::is_control, " ");
        let why: String = line.chars().take(MAX_ERROR).collect();
        let mut conn = self.connection().await?;
        let failed = store::failed(&mut conn, mail, &why, error.permanent).await?;
        drop(conn);
        let Some(failed) = failed else { return Ok(()) };
        let why = redacted(why, Some(&mail.recipient));
        match delivery {
            Some(delivery) if error.server_unavailable => {
                delivery.failed(&Error::unavailable(why), failed.retry_in());
            }
            _ => log_failure(mail, &failed, &why),
        }
        if failed.died {
            self.inner.metrics.note_given_up();
            log_given_up(mail, failed.attempts);
        }
        Ok(())
    }
}

/// Returns after this time. Never without one.
async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

/// The kinds that may be claimed. Kinds that only a newer version of the service knows are left to that version.
fn templates(resets_only: bool) -> impl Iterator<Item = &'static Template> {
    let may = move |template: &&Template| !resets_only || template.urgency == Urgency::Reset;
    TEMPLATES.iter().filter(may)
}

/// Logs the first failure of a mail as a warning. Later ones are not, since the mail is retried for three days.
fn log_failure(mail: &Mail, failed: &FailedAttempt, error: &str) {
    let (id, kind, attempts, retry_in) = (mail.id, &mail.kind, failed.attempts, failed.retry_in());
    if attempts == 1 && !failed.died {
        tracing::warn!(mail = %id, kind, attempts, ?retry_in, error, "sending a mail failed; retrying");
    } else {
        tracing::debug!(mail = %id, kind, attempts, ?retry_in, error, "sending a mail failed again");
    }
}

/// A warning, not an error: callers choose the recipient, e.g. an address that does not exist.
fn log_given_up(mail: &Mail, attempts: i32) {
    let domain = mail.recipient.rsplit_once('@').map(|(_, domain)| domain);
    let (id, kind) = (mail.id, &mail.kind);
    tracing::warn!(mail = %id, kind, domain, attempts, "mail given up; it is kept with its last error");
}
