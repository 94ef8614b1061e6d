//! Messages to other processes: NOTIFY on a channel to which each process with subscribers listens (`listen`). A message names the
//! users whose items the sender has changed, or reports that the sender has revoked access.
//!
//! NOTIFY takes a lock of the whole server while its transaction commits. Therefore no transaction that writes sends
//! one; the process sends one message for many commits, in a transaction of its own. A message that cannot be sent is sent again, and
//! a listener that may have missed messages assumes that any user has changed items.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::{super::store, Live};
use crate::{
    db::{Writers, Writes, background::Backoff},
    error::Error,
};

/// The pause between two messages. Writes in the meantime go into the next message.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum number of users in a message: PostgreSQL accepts less than 8000 bytes.
const MAX_USERS: usize = 200;
/// How long the process's own message may take to come back.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// What a message says if its sender has revoked access. Older versions take it for changes of any user.
const REVOKED: &str = "r";

/// Sends the users in `to_notify`, and this process's revocations, to the other processes.
pub(super) async fn send(live: &Live, to_notify: &Writes) {
    if live.listen_target().is_none() {
        return;
    }
    let (process, revoked) = (live.inner.process, &live.inner.revoked);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
    loop {
        let (messages, writers) = tokio::select! {
            writers = to_notify.next() => (encode(process, &writers), Some(writers)),
            () = revoked.notified() => (vec![message(process, REVOKED)], None),
        };
        let sent = send_once(live, messages).await;
        let Err(error) = sent else {
            backoff.reset();
            sleep(PAUSE).await;
            continue;
        };
        tracing::debug!(
            error = error.log_text(),
            "sending a notification failed; retrying"
        );
        match writers {
            Some(writers) => to_notify.note(writers),
            None => revoked.notify_one(),
        }
        sleep(backoff.pause()).await;
    }
}

/// Sends a message without users, which other processes ignore.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(super) async fn send_probe(live: &Live) -> Result<(), Error> {
    send_once(live, vec![message(live.inner.process, "")]).await
}

async fn send_once(live: &Live, messages: Vec<String>) -> Result<(), Error> {
    let sent = async {
        let mut conn = live.inner.database.connection().await?;
        live.inner.own_messages.note_sent();
        store::notify(&mut conn, messages).await
    };
    let sent = sent.await;
    if sent.is_err() {
        live.inner.own_messages.note_received();
    }
    sent
}

/// Whether the process's own messages come back. A process that receives its own messages receives those of others.
pub(super) struct OwnMessages {
    /// When the oldest one was sent that has not come back.
    sent: watch::Sender<Option<Instant>>,
}

impl Default for OwnMessages {
    fn default() -> Self {
        OwnMessages {
            sent: watch::Sender::new(None),
        }
    }
}

impl OwnMessages {
    fn note_sent(&self) {
        self.sent.send_if_modified(|sent| {
            let was_none = sent.is_none();
            sent.get_or_insert_with(Instant::now);
            was_none
        });
    }

    /// Notes that a message has come back, or that none is expected.
    pub(super) fn note_received(&self) {
        self.sent.send_replace(None);
    }

    /// Returns when a message has not come back in time.
    pub(super) async fn missing(&self) {
        let mut changes = self.sent.subscribe();
        loop {
            let sent = *changes.borrow_and_update();
            let changed = async {
                // Fails if the sender is dropped, which this reference prevents.
                let _ = changes.changed().await;
            };
            match sent {
                None => changed.await,
                Some(sent) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(sent + MAX_DELAY) => return,
                },
            }
        }
    }
}

/// A received message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// This process sent it.
    Own,
    /// Another process has changed items of these users.
    Changed(Writers),
    /// Another process has revoked access.
    Revoked,
}

/// Encodes messages: `<process> <user>,<user>,…`, or `<process> *` for any user. A probe has no users.
fn encode(process: Uuid, writers: &Writers) -> Vec<String> {
    let Writers::These(users) = writers else {
        return vec![message(process, "*")];
    };
    let users: Vec<String> = users.iter().map(|user| user.simple().to_string()).collect();
    let chunks = users.chunks(MAX_USERS);
    chunks
        .map(|users| message(process, &users.join(",")))
        .collect()
}

fn message(process: Uuid, content: &str) -> String {
    format!("{} {content}", process.simple())
}

/// Decodes a message. An unknown format means any user.
pub(super) fn decode(process: Uuid, payload: &str) -> Message {
    let Some((sender, content)) = payload.split_once(' ') else {
        return Message::Changed(Writers::Any);
    };
    if Uuid::try_parse(sender).is_ok_and(|sender| sender == process) {
        return Message::Own;
    }
    match content {
        REVOKED => Message::Revoked,
        "" => Message::Changed(Writers::default()),
        users => {
            let users: Result<HashSet<Uuid>, _> = users.split(',').map(Uuid::try_parse).collect();
            Message::Changed(users.map_or(Writers::Any, Writers::These))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn messages_name_the_users_that_another_process_has_changed() {
        let (here, there) = (Uuid::now_v7(), Uuid::now_v7());
        let users: HashSet<Uuid> = (0..450).map(Uuid::from_u128).collect();
        let sent = encode(there, &Writers::These(users.clone()));
        assert!(sent.len() == 3 && sent.iter().all(|payload| payload.len() < 8000));
        let mut received = Writers::default();
        for payload in &sent {
            match decode(here, payload) {
                Message::Changed(writers) => received.add(writers),
                other => panic!("{other:?}"),
            }
            assert_eq!(decode(there, payload), Message::Own);
        }
        assert_eq!(received, Writers::These(users));
        let probe = message(there, "");
        let nothing = Message::Changed(Writers::default());
        assert_eq!(decode(here, &probe), nothing);
        assert_eq!(decode(there, &probe), Message::Own);
        let revoked = message(there, REVOKED);
        assert_eq!(decode(here, &revoked), Message::Revoked);
        assert_eq!(decode(there, &revoked), Message::Own);
        let any = encode(there, &Writers::Any);
        for payload in [any[0].as_str(), "", "nonsense", "a b", "x a,b"] {
            let expected = Message::Changed(Writers::Any);
            assert_eq!(decode(here, payload), expected, "{payload}");
        }
    }

    #[tokio::test]
    async fn a_message_is_missing_if_it_does_not_come_back_in_time() {
        let messages = OwnMessages::default();
        assert!(messages.missing().now_or_never().is_none());
        messages.note_sent();
        assert!(messages.missing().now_or_never().is_none());
        messages.sent.send_replace(Some(Instant::now() - MAX_DELAY));
        // A later message does not extend the time of the oldest one.
        messages.note_sent();
        let missing = timeout(MAX_DELAY, messages.missing()).await;
        assert!(missing.is_ok(), "without another wait");
        messages.note_received();
        assert!(messages.missing().now_or_never().is_none());
    }
}
