//! The notification channel between processes: LISTEN and NOTIFY. A message names the users whose items the sender has
//! changed.
//!
//! NOTIFY takes a lock of the whole server while its transaction commits. Therefore no transaction that writes sends
//! one; the process sends one message for many commits, in a transaction of its own. Messages may be lost, because they
//! only save time. LISTEN does not work through a pooler in transaction mode, so it uses a connection of its own while there
//! are subscribers.

use std::{collections::HashSet, time::Duration};

use futures_util::StreamExt;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{super::store, Live};
use crate::{
    db::{Writers, Writes, background::Backoff, connect::Target},
    error::Error,
};

/// The pause between two messages. Writes in the meantime go into the next message.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum number of users in a message: PostgreSQL accepts less than 8000 bytes.
const MAX_USERS: usize = 200;
/// The pause before the listener reconnects, first and maximum.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// After this time without a message, the process sends one to itself, and waits this long for it.
const SILENCE: Duration = Duration::from_secs(10);

/// Sends the users in `to_notify` to the other processes.
pub(super) async fn send(live: &Live, to_notify: &Writes) {
    loop {
        let writers = to_notify.next().await;
        if live.inner.settings.direct.is_none() {
            continue;
        }
        if let Err(error) = send_once(live, &writers).await {
            // The other processes find the changes at their next periodic read.
            tracing::debug!(error = error.log_text(), "sending a notification failed");
        }
        sleep(PAUSE).await;
    }
}

async fn send_once(live: &Live, writers: &Writers) -> Result<(), Error> {
    let payloads = encode(live.inner.process, writers);
    let mut conn = live.inner.database.connection().await?;
    store::notify(&mut conn, payloads).await
}

/// Receives messages from other processes while there are subscribers.
pub(super) async fn listen(live: &Live) {
    let (hub, Some(direct)) = (&live.inner.hub, &live.inner.settings.direct) else {
        return;
    };
    hub.set_notified(false);
    let (mut backoff, mut is_warned) = (Backoff::new(RETRY.0, RETRY.1), false);
    loop {
        hub.until_subscribed().await;
        let outcome = receive(live, direct).await;
        if hub.set_notified(false) {
            backoff.reset();
            is_warned = false;
            // The tailer reads at once, and more often from now on.
            hub.mark(&Writers::Any);
        }
        if let Err(error) = outcome {
            if !is_warned {
                tracing::warn!(
                    error,
                    "receiving notifications failed; polling for changes and retrying"
                );
            }
            is_warned = true;
            sleep(backoff.pause()).await;
        }
    }
}

/// Receives messages until there are no subscribers, the connection fails, or the process does not receive its own
/// message.
async fn receive(live: &Live, direct: &Target) -> Result<(), String> {
    let hub = &live.inner.hub;
    let mut conn = direct
        .connect_without_timeout()
        .await
        .map_err(|error| error.to_string())?;
    let listens = store::listen(&mut conn).await;
    listens.map_err(|error| error.to_string())?;
    let mut messages = std::pin::pin!(conn.notifications_stream());
    while hub.has_subscribers() {
        // A process that receives its own message receives those of others. If it cannot send one, for example because
        // all connections are in use, it may still receive.
        let sent = send_probe(live).await;
        if !hub.is_notified() {
            sent.clone()?;
        }
        let mut received_own = false;
        while let Ok(message) = timeout(SILENCE, messages.next()).await {
            let message = message.ok_or("the connection was closed")?;
            let message = message.map_err(|error| error.to_string())?;
            received_own |= mark(live, &message.payload);
            if received_own && !hub.set_notified(true) {
                tracing::info!("receiving notifications of other processes");
                // Messages before this one were missed.
                hub.mark(&Writers::Any);
            }
            if !hub.has_subscribers() {
                return Ok(());
            }
        }
        if sent.is_ok() && !received_own {
            return Err(
                "no message arrives; DATABASE_DIRECT_URL must bypass the pooler and be the same database"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// Marks the users that a message names. Returns whether this process sent it.
fn mark(live: &Live, payload: &str) -> bool {
    let writers = decode(live.inner.process, payload);
    if let Some(writers) = &writers {
        live.inner.hub.mark(writers);
    }
    writers.is_none()
}

/// Sends a message without users, which other processes ignore.
async fn send_probe(live: &Live) -> Result<(), String> {
    let sent = timeout(SILENCE, send_once(live, &Writers::default())).await;
    let sent = sent.map_err(|_| "sending a notification timed out")?;
    sent.map_err(|error| error.log_text())
}

/// Encodes messages: `<process> <user>,<user>,…`, or `<process> *` for any user. A probe has no users.
fn encode(process: Uuid, writers: &Writers) -> Vec<String> {
    let process = process.simple();
    let Writers::These(users) = writers else {
        return vec![format!("{process} *")];
    };
    let users: Vec<String> = users.iter().map(|user| user.simple().to_string()).collect();
    if users.is_empty() {
        return vec![format!("{process} ")];
    }
    let message = |users: &[String]| format!("{process} {}", users.join(","));
    users.chunks(MAX_USERS).map(message).collect()
}

/// Decodes a message of another process. `None` if this process sent it. An unknown format means any user.
fn decode(process: Uuid, payload: &str) -> Option<Writers> {
    let Some((sender, users)) = payload.split_once(' ') else {
        return Some(Writers::Any);
    };
    if Uuid::try_parse(sender).is_ok_and(|sender| sender == process) {
        return None;
    }
    if users.is_empty() {
        return Some(Writers::default());
    }
    let users: Result<HashSet<Uuid>, _> = users.split(',').map(Uuid::try_parse).collect();
    Some(users.map_or(Writers::Any, Writers::These))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_users_that_another_process_has_changed() {
        let (here, there) = (Uuid::now_v7(), Uuid::now_v7());
        let users: HashSet<Uuid> = (0..450).map(Uuid::from_u128).collect();
        let sent = encode(there, &Writers::These(users.clone()));
        assert!(sent.len() == 3 && sent.iter().all(|payload| payload.len() < 8000));
        let mut received = Writers::default();
        for payload in &sent {
            received.add(decode(here, payload).expect("from another process"));
            assert_eq!(decode(there, payload), None);
        }
        assert_eq!(received, Writers::These(users));
        let [probe] = &encode(there, &Writers::default())[..] else {
            panic!("one message");
        };
        assert_eq!(decode(here, probe), Some(Writers::default()));
        assert_eq!(decode(there, probe), None);
        let any = encode(there, &Writers::Any);
        for payload in [any[0].as_str(), "", "nonsense", "a b", "x a,b"] {
            assert_eq!(decode(here, payload), Some(Writers::Any), "{payload}");
        }
    }
}
