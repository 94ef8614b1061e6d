//! The tailer: reads the logs of all users who have subscribers and may have changes, in one statement.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Live;
use crate::{
    changes::store::ReaderPosition,
    db::{
        Writers, Writes,
        background::{Backoff, Job},
    },
    error::Error,
};

/// Maximum number of users that one statement reads.
const MAX_USERS: usize = 200;
/// Maximum number of a user's changes that go through the queue. With more, subscribers read the log.
const MAX_CHANGES: usize = 100;
/// The pause between two reads, first and maximum, so that reading never takes much from writing. It grows with the
/// number of users that were read: the more users, the cheaper each is in one statement.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(60));
const PAUSE_PER_USER: Duration = Duration::from_millis(1);
/// How often the time of the next check is computed.
const RECOMPUTE: Duration = Duration::from_secs(1);
/// The pause after a failure, first and maximum.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Passes the users whose items this process has changed to the tailer, and to `to_notify` for other processes.
pub(super) async fn follow_writes(live: &Live, to_notify: &Writes) {
    loop {
        let writers = live.inner.database.writes().next().await;
        live.inner.hub.mark(&writers);
        to_notify.note(writers);
    }
}

/// Reads the users that may have changes and, periodically, all users with subscribers. Sleeps while there are no
/// subscribers.
pub(super) async fn run(live: &Live, job: &Job) {
    let hub = &live.inner.hub;
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let mut checked = Instant::now();
    // After a restart of this job, an interrupted read must be repeated.
    hub.mark(&Writers::Any);
    loop {
        hub.until_subscribed().await;
        until_woken(live, checked).await;
        // The time counts even if the tailer is woken all the time.
        if checked.elapsed() >= live.check_period() {
            checked = Instant::now();
            hub.mark(&Writers::Any);
        }
        match job.timed(read_due(live)).await {
            Ok(users) => {
                job.succeeded();
                backoff.reset();
                sleep((PAUSE.0 + PAUSE_PER_USER * users).min(PAUSE.1)).await;
            }
            Err(error) => {
                let pause = backoff.pause();
                job.failed(&error, pause);
                sleep(pause).await;
            }
        }
    }
}

/// Waits until there may be users to read, or until the next check. Its time changes with the use of the database and with the
/// channel for messages, so it is computed again at least once a second.
async fn until_woken(live: &Live, checked: Instant) {
    let woken = live.inner.hub.woken();
    tokio::pin!(woken);
    loop {
        let next = checked + live.check_period();
        let soon = Instant::now() + RECOMPUTE;
        tokio::select! {
            () = &mut woken => return,
            () = sleep_until(next.min(soon)) => {
                if checked.elapsed() >= live.check_period() {
                    return;
                }
            }
        }
    }
}

/// Reads all users that may have changes. Returns their number.
async fn read_due(live: &Live) -> Result<u32, Error> {
    let mut users: u32 = 0;
    loop {
        let readers = live.inner.hub.take_due(MAX_USERS);
        if readers.is_empty() {
            return Ok(users);
        }
        users = users.saturating_add(u32::try_from(readers.len()).unwrap_or(u32::MAX));
        if let Err(error) = read(live, &readers).await {
            let failed = readers.iter().map(|reader| reader.owner.0).collect();
            live.inner.hub.mark(&Writers::These(failed));
            return Err(error);
        }
    }
}

async fn read(live: &Live, readers: &[ReaderPosition]) -> Result<(), Error> {
    let inner = &live.inner;
    let mut conn = inner.database.connection().await?;
    let logs = inner
        .feed
        .new_entries(&mut conn, readers, None, MAX_CHANGES)
        .await?;
    drop(conn);
    for (owner, new) in logs {
        inner.database.note_known(owner);
        inner.hub.publish(owner, new, MAX_CHANGES);
    }
    Ok(())
}
