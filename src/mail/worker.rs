//! The worker: takes a mail that is due, sends it, deletes it; and again.
//!
//! While a mail is sent its row is locked, so that each process can have a worker and none sends what another does. A
//! process that dies in between leaves the row as it was. The log names no recipient and no token.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Notify},
    time::sleep,
};
use uuid::Uuid;

use super::{
    MailSettings,
    kinds::Kind,
    message::Letterhead,
    store::{self, Mail},
    transport::{Transport, Undelivered},
};
use crate::{
    db::{Connection, Database},
    error::Error,
};

/// The longest rest: a mail that another process wrote, and did not live to send, waits no longer.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);
/// The shortest rest, while another worker has what is due.
const SHORTEST_REST: Duration = Duration::from_secs(1);
/// The rest after an error of the database.
const REST_AFTER_ERROR: Duration = Duration::from_secs(5);
/// Of what a server says, how many characters are kept.
const MOST_ERROR: usize = 500;

/// Makes a token from its id.
pub type TokenOf = Arc<dyn Fn(Uuid) -> String + Send + Sync>;

/// Empties the outbox.
pub struct Mailer {
    database: Database,
    letterhead: Letterhead,
    transport: Transport,
    token_of: TokenOf,
    written: Arc<Notify>,
}

/// Whether the server took a mail.
type Delivery = Result<(), Undelivered>;

/// What became of the mail that was due.
enum Step {
    Sent,
    /// Its token was used or voided, or its user is gone: nobody needs it.
    Dropped,
    Failed,
    NothingDue,
}

impl Mailer {
    /// A worker with these settings, on that database. Whoever has committed a mail notifies `written`.
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
        Ok(Mailer {
            database,
            letterhead: Letterhead {
                from: settings.sender()?,
                app_url: settings.app_url.clone(),
            },
            transport: Transport::new(settings)?,
            token_of,
            written,
        })
    }

    /// Sends what is due when it is due, for as long as the process runs.
    pub async fn run(self) {
        loop {
            let rest = match self.empty().await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(
                        error = error.log_text(),
                        "the outbox cannot be read; it tries again"
                    );
                    REST_AFTER_ERROR
                }
            };
            tokio::select! {
                () = sleep(rest) => {}
                () = self.written.notified() => {}
            }
        }
    }

    /// Tries each mail that is due, once; answers how many were sent.
    ///
    /// # Errors
    /// UNAVAILABLE, TIMEOUT or INTERNAL if the database fails. That a mail cannot be sent is none: it is tried again.
    pub async fn send_all_due(&self) -> Result<u64, Error> {
        let mut sent = 0;
        loop {
            match self.send_next().await? {
                Step::Sent => sent += 1,
                Step::Dropped | Step::Failed => {}
                Step::NothingDue => return Ok(sent),
            }
        }
    }

    /// Sends all that is due; answers how long there is nothing more to do.
    async fn empty(&self) -> Result<Duration, Error> {
        self.send_all_due().await?;
        let mut conn = self.database.connection().await?;
        let rest = store::until_next(&mut conn).await?;
        Ok(rest
            .unwrap_or(LONGEST_REST)
            .clamp(SHORTEST_REST, LONGEST_REST))
    }

    async fn send_next(&self) -> Result<Step, Error> {
        let mut conn = self.database.connection().await?;
        let tried = Mutex::new(None);
        conn.transaction(async |conn| self.step(conn, &tried).await)
            .await
    }

    /// `tried` is the mail that was given to the server, and the outcome: a transaction that is repeated must not send it
    /// again.
    async fn step(
        &self,
        conn: &mut Connection,
        tried: &Mutex<Option<(Uuid, Delivery)>>,
    ) -> Result<Step, Error> {
        let Some(mail) = store::next_due(conn).await? else {
            return Ok(Step::NothingDue);
        };
        let kind = Kind::named(&mail.kind);
        let needs_token = kind.is_some_and(Kind::needs_token);
        let has_none = needs_token && mail.token_id.is_none() && !mail.token_ran_out;
        if has_none || mail.user_is_gone {
            store::delete(conn, mail.id).await?;
            tracing::debug!(mail = %mail.id, kind = mail.kind, "a mail was dropped: it has no good token, or its user is gone");
            return Ok(Step::Dropped);
        }
        if mail.token_ran_out {
            let failed = store::ran_out(conn, mail.id).await?;
            tell_given_up(&mail, failed.attempts);
            return Ok(Step::Failed);
        }
        let mut tried = tried.lock().await;
        let delivery = match tried.take() {
            Some((id, delivery)) if id == mail.id => delivery,
            _ => self.deliver(kind, &mail).await,
        };
        *tried = Some((mail.id, delivery.clone()));
        match delivery {
            Ok(()) => {
                store::delete(conn, mail.id).await?;
                Ok(Step::Sent)
            }
            Err(undelivered) => {
                note_failure(conn, &mail, undelivered).await?;
                Ok(Step::Failed)
            }
        }
    }

    async fn deliver(&self, kind: Option<&Kind>, mail: &Mail) -> Delivery {
        // A newer version may have written it, and will send it.
        let unknown = "this version of the service does not know its kind";
        let kind = kind.ok_or_else(|| Undelivered::for_now(unknown.to_owned()))?;
        let token = mail.token_id.map(&*self.token_of);
        let message = self
            .letterhead
            .write(kind, mail, token.as_deref())
            .map_err(|why| Undelivered {
                why,
                hopeless: true,
            })?;
        let sent = self.transport.send(mail, &message).await;
        sent.map_err(|undelivered| Undelivered {
            why: without(undelivered.why, token.as_deref()),
            ..undelivered
        })
    }
}

async fn note_failure(
    conn: &mut Connection,
    mail: &Mail,
    undelivered: Undelivered,
) -> Result<(), Error> {
    let why: String = undelivered
        .why
        .replace(char::is_control, " ")
        .chars()
        .take(MOST_ERROR)
        .collect();
    let failed = store::failed(conn, mail.id, &why, undelivered.hopeless).await?;
    if failed.died {
        tell_given_up(mail, failed.attempts);
    } else {
        let (id, kind, attempts) = (mail.id, &mail.kind, failed.attempts);
        let why = without(why, Some(&mail.recipient));
        tracing::warn!(mail = %id, kind, attempts, error = why, "a mail could not be sent; it tries again");
    }
    Ok(())
}

fn tell_given_up(mail: &Mail, attempts: i32) {
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
