//! The tailer: reads the logs of those who have subscribers and may have something new, all in one statement.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Live, wire::Outbox};
use crate::{
    changes::store::Since,
    db::{
        Writers,
        background::{Backoff, Job},
    },
    error::Error,
};

/// Persons that one statement reads at most.
const PERSONS: usize = 200;
/// Changes of a person that go through the queue at most; with more, readers are sent to the log.
const CHANGES: usize = 100;
/// How long it rests between two looks, at least and at most, so that it never takes much from those who write: a
/// millisecond more for each person who had written, for the more there are the cheaper is each in one statement.
const REST: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(60));
const REST_EACH: Duration = Duration::from_millis(1);
/// How long it waits after a failure, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Hears who has written in this process: the tailer reads, and others are told.
pub(super) async fn follow_writes(live: &Live, outbox: Outbox) {
    loop {
        let writers = live.inner.database.writes().taken().await;
        live.inner.hub.mark(&writers);
        outbox.put(writers);
    }
}

/// Reads whoever may have something new; all, when the clock says so. Rests while there are no subscribers.
pub(super) async fn run(live: &Live, job: &Job) {
    let (hub, settings) = (&live.inner.hub, &live.inner.settings);
    let mut backoff = Backoff::new(PATIENCE.0, PATIENCE.1);
    let mut checked = Instant::now();
    // If this is a restart, what was being read is read again.
    hub.mark(&Writers::Anybody);
    loop {
        hub.until_watched().await;
        let every = if hub.hears() {
            settings.check
        } else {
            settings.poll
        };
        // Woken without end, it looks at the clock all the same.
        let woken = timeout_at(checked + every, hub.woken()).await;
        if woken.is_err() || checked.elapsed() >= every {
            checked = Instant::now();
            hub.mark(&Writers::Anybody);
        }
        match read_due(live).await {
            Ok(persons) => {
                job.succeeded();
                backoff.reset();
                sleep((REST.0 + REST_EACH * persons).min(REST.1)).await;
            }
            Err(error) => {
                let pause = backoff.pause();
                job.failed(&error, pause);
                sleep(pause).await;
            }
        }
    }
}

/// Answers of how many persons it has read.
async fn read_due(live: &Live) -> Result<u32, Error> {
    let mut persons: u32 = 0;
    loop {
        let readers = live.inner.hub.due(PERSONS);
        if readers.is_empty() {
            return Ok(persons);
        }
        persons = persons.saturating_add(u32::try_from(readers.len()).unwrap_or(u32::MAX));
        if let Err(error) = read(live, &readers).await {
            let users = readers.iter().map(|reader| reader.owner.0).collect();
            live.inner.hub.mark(&Writers::These(users));
            return Err(error);
        }
    }
}

async fn read(live: &Live, readers: &[Since]) -> Result<(), Error> {
    let inner = &live.inner;
    let mut conn = inner.database.connection().await?;
    let news = inner.feed.news(&mut conn, readers, None, CHANGES).await?;
    drop(conn);
    for (owner, news) in news {
        inner.hub.tell(owner, news, CHANGES);
    }
    Ok(())
}
