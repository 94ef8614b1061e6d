//! One subscriber: it reads the log after its cursor, then the tailer's queue, and the log again whenever it falls
//! behind.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::broadcast, time::sleep};

use super::{Live, hub::HubMessage};
use crate::{
    auth::UserId,
    changes::{Change, Cursor, NewEntries, Page},
    db::background::Backoff,
    error::{Code, Error},
};

/// Maximum number of changes that are read from the log at once and held.
const PAGE: usize = 100;
/// The pause after a failure, first and maximum.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Number of consecutive internal errors after which the subscription ends.
const MAX_FAULTS: u32 = 5;

pub(super) struct Reader {
    live: Live,
    owner: UserId,
    queue: Option<Queue>,
    /// Its position. `None` without a cursor, until the first read.
    at: Option<Cursor>,
    /// Read, but not returned yet.
    ready: VecDeque<Change>,
    /// The log may have more changes.
    is_behind: bool,
    has_ended: bool,
}

/// The subscriber's end of the tailer's queue. Dropping it leaves the queue.
struct Queue {
    live: Live,
    owner: UserId,
    messages: broadcast::Receiver<HubMessage>,
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.live.inner.hub.leave(self.owner);
    }
}

impl Reader {
    pub(super) fn new(live: Live, owner: UserId, after: Option<Cursor>) -> Reader {
        Reader {
            live,
            owner,
            queue: None,
            at: after,
            ready: VecDeque::new(),
            is_behind: true,
            has_ended: false,
        }
    }

    /// The next change, or the error with which the subscription ends.
    pub(super) async fn next(&mut self) -> Option<Result<Change, Error>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some(Ok(change));
            }
            if self.has_ended {
                return None;
            }
            if let Err(error) = self.read().await {
                self.has_ended = true;
                self.queue = None;
                return Some(Err(error));
            }
        }
    }

    /// Handles one message of the queue, or reads one page of the log.
    async fn read(&mut self) -> Result<(), Error> {
        // Joins the queue before it reads the log: see the seam in `live`.
        let (live, owner) = (self.live.clone(), self.owner);
        let queue = self.queue.get_or_insert_with(|| Queue {
            messages: live.inner.hub.join(owner),
            live,
            owner,
        });
        if !self.is_behind {
            match queue.messages.recv().await {
                Ok(HubMessage::New(new)) => return self.take(&new),
                Ok(HubMessage::NothingNew(now)) => {
                    self.at = self.at.take().map(|at| at.refreshed(now));
                    return Ok(());
                }
                Ok(HubMessage::Overflow) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.is_behind = true;
                }
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::unavailable("the tailer has ended"));
                }
            }
        }
        self.read_log().await
    }

    /// Takes the changes that it has not seen.
    fn take(&mut self, new: &NewEntries) -> Result<(), Error> {
        let Some(at) = &self.at else {
            return Ok(());
        };
        if !new.is_of(at, self.owner) {
            return Err(Error::cursor_expired());
        }
        let changes = new.changes_after(at);
        // Without unseen changes the position stays: the entries may be older than what it has read.
        if let Some(last) = changes.back() {
            self.at = Some(last.cursor.clone());
        }
        self.ready = changes;
        Ok(())
    }

    /// Reads a page of the log. Waits while the database is unreachable.
    async fn read_log(&mut self) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut faults = 0;
        let (page, starts) = loop {
            let starts = self.live.inner.hub.starts(self.owner);
            let error = match self.page().await {
                Ok(page) => break (page, starts),
                Err(error) => error,
            };
            faults = match error.code {
                Code::Unavailable | Code::Timeout => 0,
                Code::Internal => faults + 1,
                _ => return Err(error),
            };
            if faults == MAX_FAULTS {
                return Err(error);
            }
            tracing::debug!(
                error = error.log_text(),
                "reading changes for a subscriber failed; retrying"
            );
            sleep(backoff.pause()).await;
        };
        self.is_behind = page.more || !self.live.inner.hub.start_at(self.owner, &page.end, starts);
        self.at = Some(page.end);
        self.ready = page.changes.into();
        Ok(())
    }

    async fn page(&self) -> Result<Page, Error> {
        let inner = &self.live.inner;
        // A reader that waits for its user's share of the connections holds none of the permits, which all users share.
        let mut conn = inner.database.connection().await?;
        let _permit = inner.reading.acquire().await.map_err(Error::internal)?;
        let page = match &self.at {
            Some(at) => {
                let feed = &inner.feed;
                feed.page(&mut conn, self.owner, Some(at), PAGE).await
            }
            None => inner.feed.newest(&mut conn, self.owner).await,
        };
        inner.database.note_known(self.owner);
        page
    }
}
