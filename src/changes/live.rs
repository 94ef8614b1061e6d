//! The feed as it goes on: what subscribers read from, and the jobs behind it.
//!
//! One tailer a process (`tail`) reads the logs of those who have subscribers, all that are to be read in one statement, when
//! it is told that somebody has written: by this process at once, by others through `wire`, and by the clock in case a
//! message was lost. What it reads goes to the readers of that person through `hub`, a short queue. A reader that falls
//! behind loses its place in the queue, reads on from the log by its own cursor, and takes its place again; so a slow one
//! costs no memory and loses nothing. Without subscribers nothing is asked of the database.
//!
//! The seam between the log and the queue: a reader takes its place in the queue first, and then reads the log to its end. So
//! what it did not read comes through the queue; and what comes through the queue and was seen already, it knows by its
//! cursor, which is a snapshot. Snapshots of one database are ordered, so there is no third case, as long as the tailer begins
//! no later than where each reader stands. It begins where the first one stands that has read; whoever was reading at that
//! moment may have read earlier, and reads again.

mod hub;
mod reader;
mod tail;
mod wire;

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::{hub::Hub, reader::Reader};
use super::{Change, Cursor, Feed};
use crate::{
    auth::Viewer,
    db::{Database, background::Job, connect::Target},
    error::Error,
};

/// Readers of a process that read from the log at a time, so that a thousand that come back at once leave connections
/// to others.
const READING: usize = 4;

/// How the feed goes on live.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Days that the feed goes back, and for which a cursor is good.
    pub days: u32,
    /// The database without a pooler before it, for LISTEN; `None`: processes tell each other nothing, and poll.
    pub direct: Option<Target>,
    /// How often all that have subscribers are read where no message may come.
    pub poll: Duration,
    /// How often they are read where messages come, in case one was lost.
    pub check: Duration,
}

impl LiveSettings {
    /// As an operator has it.
    pub fn new(days: u32, direct: Option<Target>) -> LiveSettings {
        LiveSettings {
            days,
            direct,
            poll: Duration::from_secs(1),
            check: Duration::from_secs(15),
        }
    }
}

/// What subscribers read from. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    feed: Feed,
    settings: LiveSettings,
    hub: Hub,
    reading: Semaphore,
    /// Tells this process's messages from others'.
    process: Uuid,
}

impl Live {
    /// Asks nothing of the database yet. Somebody must [`Live::run`] it.
    pub fn new(database: Database, settings: LiveSettings) -> Live {
        let inner = Inner {
            database,
            feed: Feed::new(settings.days),
            settings,
            hub: Hub::default(),
            reading: Semaphore::new(READING),
            process: Uuid::new_v4(),
        };
        Live {
            inner: Arc::new(inner),
        }
    }

    /// The feed in pages.
    pub(crate) fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// How many subscribers there are in this process.
    pub fn subscribers(&self) -> usize {
        self.inner.hub.readers()
    }

    /// All changes of the viewer's items behind the cursor, or from now on without one: each once, for as long as it is
    /// polled. While the database is away it waits. Ends with an error if the cursor has expired.
    pub fn subscribe(
        &self,
        viewer: Viewer,
        after: Option<Cursor>,
    ) -> impl Stream<Item = Result<Change, Error>> + Send + 'static {
        let reader = Reader::new(self.clone(), viewer.user_id, after);
        stream::unfold(reader, |mut reader| async move {
            let next = reader.next().await?;
            Some((next, reader))
        })
    }

    /// Reads for the subscribers, and tells other processes who has written here, for as long as the process runs.
    pub(crate) async fn run(self, job: Job) {
        let (messages, to_send) = wire::outbox();
        tokio::join!(
            tail::follow_writes(&self, messages),
            tail::run(&self, &job),
            wire::send(&self, to_send),
            wire::listen(&self),
            self.inner.feed.keep_epoch(&self.inner.database),
        );
    }
}
