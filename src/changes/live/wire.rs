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
    db::{Writers, Writes, connect::Target},
    error::Error,
};

/// How long it rests between two messages: what is written meanwhile goes into the next.
const REST: Duration = Duration::from_millis(15);
/// Persons that a message names at most: PostgreSQL takes 8000 bytes.
const PERSONS: usize = 200;
/// How long it waits before it connects again.
const PATIENCE: Duration = Duration::from_secs(1);
/// After how much silence it asks whether the connection is still there, and how long it waits for the answer.
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
    loop {
        hub.until_watched().await;
        let outcome = hear(live, direct).await;
        hub.set_hears(false);
        if let Err(error) = outcome {
            tracing::warn!(error, "other processes are not heard; it tries again");
            sleep(PATIENCE).await;
        }
    }
}

/// Until there are no subscribers any more, or the connection breaks.
async fn hear(live: &Live, direct: &Target) -> Result<(), String> {
    let hub = &live.inner.hub;
    let mut conn = direct.connect().await.map_err(|error| error.to_string())?;
    let listens = store::listen(&mut conn).await;
    listens.map_err(|error| error.to_string())?;
    hub.set_hears(true);
    // What was sent before.
    hub.mark(&Writers::Anybody);
    while hub.is_watched() {
        let heard = {
            let mut messages = std::pin::pin!(conn.notifications_stream());
            timeout(SILENCE, messages.next()).await
        };
        match heard {
            Ok(Some(Ok(message))) => {
                if let Some(writers) = read(live.inner.process, &message.payload) {
                    hub.mark(&writers);
                }
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Err("the connection that listens has ended".to_owned()),
            Err(_) => timeout(SILENCE, store::ping(&mut conn))
                .await
                .map_err(|_| "the connection that listens is silent".to_owned())?
                .map_err(|error| error.to_string())?,
        }
    }
    Ok(())
}

/// `<process> <person>,<person>,…`, or `*` for anybody.
fn write(process: Uuid, writers: &Writers) -> Vec<String> {
    let process = process.simple();
    let Writers::These(users) = writers else {
        return vec![format!("{process} *")];
    };
    let users: Vec<String> = users.iter().map(|user| user.simple().to_string()).collect();
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
        let anybody = write(there, &Writers::Anybody);
        for payload in [anybody[0].as_str(), "", "nonsense", "a b", "x a,b"] {
            assert_eq!(read(here, payload), Some(Writers::Anybody), "{payload}");
        }
    }
}
