//! Mail: empties the outbox.
//!
//! A mail is a row that was written together with what it tells of ([`crate::auth`]'s statements do), so none is lost and
//! none is sent for what never happened. It holds no token: that is made of its id here, when the mail is written. The row
//! stays locked while the mail is sent, and goes when it is; if the process dies in between, it is sent once more, under
//! the same Message-ID. What cannot be sent is tried again for three days, and then kept for an operator to see.

mod message;
mod model;
mod store;
mod transport;

use std::{path::PathBuf, sync::Arc, time::Duration};

use lettre::message::Mailbox;
use tokio::sync::Notify;
use url::Url;

use message::Letter;
use model::DueMail;
pub use model::WaitingMail;
pub use store::{retry_dead, waiting};
use transport::Transport;

use crate::{
    auth::Auth,
    db::{Connection, Database},
    error::Error,
};

/// How long sending one mail may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the worker sleeps at most: other processes may have left mails behind.
const LONGEST_SLEEP: Duration = Duration::from_secs(15 * 60);
/// How long it waits for a database that is away.
const DATABASE_AWAY: Duration = Duration::from_secs(5);

/// How mails are sent. Not `Debug`: the URL holds a password.
#[derive(Clone)]
pub struct MailSettings {
    /// The SMTP server; `None`: mails are written into the folder.
    pub smtp_url: Option<String>,
    /// The sender, e.g. `SnapNote <no-reply@example.com>`.
    pub from: String,
    /// The app's address, which links lead to.
    pub app_url: String,
    /// Where mails are written if there is no SMTP server.
    pub folder: PathBuf,
}

/// The worker that sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    database: Database,
    auth: Auth,
    from: Mailbox,
    app_url: Arc<Url>,
    transport: Transport,
    waits: Arc<Notify>,
}

impl Mailer {
    /// Sends what is in that database's outbox.
    ///
    /// # Errors
    /// A message that names the setting that is wrong.
    pub fn new(database: Database, auth: Auth, settings: &MailSettings) -> Result<Mailer, String> {
        let from: Mailbox = settings.from.parse().map_err(|_| {
            "SNAPNOTE_MAIL_FROM must be a sender such as \"SnapNote <no-reply@example.com>\"."
                .to_owned()
        })?;
        let app_url = Url::parse(&settings.app_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or("SNAPNOTE_APP_URL must be an address such as https://app.example.com.")?;
        Ok(Mailer {
            waits: auth.mail_waits(),
            transport: Transport::new(settings, &from)?,
            from,
            app_url: Arc::new(app_url),
            database,
            auth,
        })
    }

    /// Sends what waits, for as long as the process runs.
    pub async fn run(self) {
        loop {
            let sleep = match self.send_all_due().await {
                Ok(_) => self.until_next().await,
                Err(error) => Err(error),
            };
            let sleep = sleep.unwrap_or_else(|error| {
                tracing::warn!(
                    error = error.log_text(),
                    "the outbox could not be read; it tries again"
                );
                DATABASE_AWAY
            });
            // A wake-up that came while it was sending is kept.
            let _ = tokio::time::timeout(sleep, self.waits.notified()).await;
        }
    }

    /// Sends all that is due; answers how many mails went out.
    ///
    /// # Errors
    /// UNAVAILABLE if the outbox cannot be read.
    pub async fn send_all_due(&self) -> Result<u64, Error> {
        let mut sent = 0;
        loop {
            let mut conn = self.database.connection().await?;
            conn.begin().await?;
            let outcome = self.send_one(&mut conn).await;
            match conn.end(outcome).await? {
                Step::NothingDue => return Ok(sent),
                Step::Sent => sent += 1,
                Step::Settled => {}
            }
        }
    }

    async fn until_next(&self) -> Result<Duration, Error> {
        let mut conn = self.database.connection().await?;
        let next = store::until_next(&mut conn).await?;
        Ok(next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP))
    }

    /// Sends one mail that is due, whose row nobody else can take until this transaction ends.
    async fn send_one(&self, conn: &mut Connection) -> Result<Step, Error> {
        let Some(mail) = store::take_due(conn).await? else {
            return Ok(Step::NothingDue);
        };
        if mail.kind.needs_token() && !mail.has_token {
            // It was used or replaced, or never made, since nobody has that address.
            store::delete(conn, mail.id).await?;
            return Ok(Step::Settled);
        }
        let sent = match self.letter(&mail) {
            Ok(letter) => tokio::time::timeout(PATIENCE, self.transport.send(&mail, letter))
                .await
                .unwrap_or_else(|_| Err("sending took too long".to_owned())),
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => {
                store::delete(conn, mail.id).await?;
                Ok(Step::Sent)
            }
            Err(error) => {
                tracing::warn!(id = %mail.id, kind = mail.kind.as_str(), error, "a mail could not be sent");
                if store::failed(conn, mail.id, &error).await? {
                    tracing::error!(
                        id = %mail.id,
                        kind = mail.kind.as_str(),
                        "a mail was given up; `snapnote admin mails` shows it"
                    );
                }
                Ok(Step::Settled)
            }
        }
    }

    fn letter(&self, mail: &DueMail) -> Result<lettre::Message, String> {
        let link = |page: &str| {
            let token = mail.token_id.map(|id| self.auth.mailed_token(id));
            let mut url = (*self.app_url).clone();
            url.set_path(&format!("{}/{page}", url.path().trim_end_matches('/')));
            url.set_fragment(Some(&format!("token={}", token.unwrap_or_default())));
            url.to_string()
        };
        Letter::of(mail, link).message(mail, &self.from)
    }
}

/// What became of the next mail.
enum Step {
    NothingDue,
    Sent,
    /// It waits for another try, or need not be sent.
    Settled,
}
