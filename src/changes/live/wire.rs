//! Between processes: one message after many commits, that these have written.
//!
//! NOTIFY takes a lock of the whole server while its transaction commits, so no transaction that writes sends one: the
//! process does, by and by, in one of its own. Messages may be lost; they only save time. LISTEN does not pass a pooler
//! that hands connections out by transaction, so it has a connection of its own, while there are subscribers.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::StreamExt;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{super::store, Live};
use crate::{
    db::{Writers, Writes, background::Backoff, connect::Target},
    error::Error,
};

/// How long it rests between two messages: what is written meanwhile goes into the next.
const REST: Duration = Duration::from_millis(20);
/// Persons that a message names at most: PostgreSQL takes 8000 bytes.
const PERSONS: usize = 200;
/// How long it waits before it connects again, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// After how much silence it speaks, and for how long it then waits to hear itself.
const SILENCE: Duration = Duration::from_secs(10);

/// Where it is put who has written, for the other processes.
#[derive(Clone)]
pub(super) struct Outbox(Arc<Writes>);

impl Outbox {
    pub(super) fn put(&self, writers: Writers) {
        self.0.note(writers);
    }
}

/// The two ends of the outbox.
pub(super) fn outbox() -> (Outbox, Outbox) {
    let outbox = Outbox(Arc::default());
    (outbox.clone(), outbox)
}

/// Sends to the other processes who has written here.
pub(super) async fn send(live: &Live, outbox: Outbox) {
    let inner = &live.inner;
    loop {
        let writers = outbox.0.taken().await;
        if inner.settings.direct.is_none() {
            continue;
        }
        if let Err(error) = send_once(live, &writers).await {
            // Others find it when the clock says so.
            tracing::debug!(error = error.log_text(), "a message was not sent");
        }
        sleep(REST).await;
    }
}

async fn send_once(live: &Live, writers: &Writers) -> Result<(), Error> {
    let payloads = write(live.inner.process, writers);
    let mut conn = live.inner.database.connection().await?;
    store::notify(&mut conn, payloads).await
}

/// Hears from the other processes who has written there, while there are subscribers.
pub(super) async fn listen(live: &Live) {
    let (hub, Some(direct)) = (&live.inner.hub, &live.inner.settings.direct) else {
        return;
    };
    hub.set_hears(false);
    let (mut backoff, mut told) = (Backoff::new(PATIENCE.0, PATIENCE.1), false);
    loop {
        hub.until_watched().await;
        let outcome = hear(live, direct).await;
        if hub.set_hears(false) {
            backoff.reset();
            told = false;
            // So that the tailer looks at once, and more often from then on.
            hub.mark(&Writers::Anybody);
        }
        if let Err(error) = outcome {
            if !told {
                tracing::warn!(error, "other processes are not heard, but looked for");
            }
            told = true;
            sleep(backoff.pause()).await;
        }
    }
}

/// Until there are no subscribers any more, or the connection breaks, or is silent although this process speaks.
async fn hear(live: &Live, direct: &Target) -> Result<(), String> {
    let hub = &live.inner.hub;
    let mut conn = direct.connect().await.map_err(|error| error.to_string())?;
    let listens = store::listen(&mut conn).await;
    listens.map_err(|error| error.to_string())?;
    let mut messages = std::pin::pin!(conn.notifications_stream());
    while hub.is_watched() {
        // Only who hears itself is sure to hear others. Who cannot speak, since all connections are taken, say, may hear.
        let spoken = speak(live).await;
        if !hub.hears() {
            spoken.clone()?;
        }
        let mut hears_itself = false;
        while let Ok(heard) = timeout(SILENCE, messages.next()).await {
            let message = heard.ok_or("the connection that listens has ended")?;
            let message = message.map_err(|error| error.to_string())?;
            match read(live.inner.process, &message.payload) {
                Some(writers) => hub.mark(&writers),
                None => hears_itself = true,
            }
            if hears_itself && !hub.set_hears(true) {
                tracing::info!("other processes are heard");
                // What was sent before.
                hub.mark(&Writers::Anybody);
            }
            if !hub.is_watched() {
                return Ok(());
            }
        }
        if spoken.is_ok() && !hears_itself {
            return Err(
                "no message comes: DATABASE_DIRECT_URL is a pooler's, or of another database"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// Says something of no meaning to others.
async fn speak(live: &Live) -> Result<(), String> {
    let spoken = timeout(SILENCE, send_once(live, &Writers::default())).await;
    let spoken = spoken.map_err(|_| "nothing can be said")?;
    spoken.map_err(|error| error.log_text())
}

/// `<process> <person>,<person>,…`, or `*` for anybody; nobody, where only the message itself counts.
fn write(process: Uuid, writers: &Writers) -> Vec<String> {
    let process = process.simple();
    let Writers::These(users) = writers else {
        return vec![format!("{process} *")];
    };
    let users: Vec<String> = users.iter().map(|user| user.simple().to_string()).collect();
    if users.is_empty() {
        return vec![format!("{process} ")];
    }
    let message = |users: &[String]| format!("{process} {}", users.join(","));
    users.chunks(PERSONS).map(message).collect()
}

/// Who has written, in another process; `None` if it is this process's own. What it does not know means anybody.
fn read(process: Uuid, payload: &str) -> Option<Writers> {
    let Some((sender, users)) = payload.split_once(' ') else {
        return Some(Writers::Anybody);
    };
    if Uuid::try_parse(sender).is_ok_and(|sender| sender == process) {
        return None;
    }
    if users.is_empty() {
        return Some(Writers::default());
    }
    let users: Result<HashSet<Uuid>, _> = users.split(',').map(Uuid::try_parse).collect();
    Some(users.map_or(Writers::Anybody, Writers::These))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_has_written_elsewhere() {
        let (here, there) = (Uuid::now_v7(), Uuid::now_v7());
        let users: HashSet<Uuid> = (0..450).map(Uuid::from_u128).collect();
        let sent = write(there, &Writers::These(users.clone()));
        assert!(sent.len() == 3 && sent.iter().all(|payload| payload.len() < 8000));
        let mut heard = Writers::default();
        for payload in &sent {
            heard.add(read(here, payload).expect("it is another's"));
            assert_eq!(read(there, payload), None);
        }
        assert_eq!(heard, Writers::These(users));
        let [nothing] = &write(there, &Writers::default())[..] else {
            panic!("one message");
        };
        assert_eq!(read(here, nothing), Some(Writers::default()));
        assert_eq!(read(there, nothing), None);
        let anybody = write(there, &Writers::Anybody);
        for payload in [anybody[0].as_str(), "", "nonsense", "a b", "x a,b"] {
            assert_eq!(read(here, payload), Some(Writers::Anybody), "{payload}");
        }
    }
}
