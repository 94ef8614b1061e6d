//! One subscriber: first what the log holds behind its cursor, then what the tailer tells, and the log again whenever it
//! falls behind.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::broadcast, time::sleep};

use super::{Live, hub::Told};
use crate::{
    auth::UserId,
    changes::{Change, Cursor, News, Page, listed_unseen},
    error::{Code, Error},
};

/// Changes that are read from the log at a time, and held at most.
const PAGE: usize = 100;
/// How long it waits at first, and at most, until it tries again to read.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Faults of the service in a row after which it gives up.
const MOST_FAULTS: u32 = 5;

pub(super) struct Reader {
    live: Live,
    owner: UserId,
    place: Option<Place>,
    /// Where it stands; `None` until it has read for the first time and was given no cursor.
    at: Option<Cursor>,
    /// Read and not handed out.
    ready: VecDeque<Change>,
    /// There may be more in the log.
    behind: bool,
    ended: bool,
}

/// A place in the queue of the tailer, given up when dropped.
struct Place {
    live: Live,
    owner: UserId,
    queue: broadcast::Receiver<Told>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.inner.hub.leave(self.owner);
    }
}

impl Reader {
    pub(super) fn new(live: Live, owner: UserId, after: Option<Cursor>) -> Reader {
        Reader {
            live,
            owner,
            place: None,
            at: after,
            ready: VecDeque::new(),
            behind: true,
            ended: false,
        }
    }

    /// The next change, or the error that it ends with.
    pub(super) async fn next(&mut self) -> Option<Result<Change, Error>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some(Ok(change));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.more().await {
                self.ended = true;
                self.place = None;
                return Some(Err(error));
            }
        }
    }

    /// Reads something, or learns something.
    async fn more(&mut self) -> Result<(), Error> {
        // The place first, then the log: see the seam in `live`.
        let (live, owner) = (self.live.clone(), self.owner);
        let place = self.place.get_or_insert_with(|| Place {
            queue: live.inner.hub.enter(owner),
            live,
            owner,
        });
        if !self.behind {
            match place.queue.recv().await {
                Ok(Told::News(news)) => return self.take(&news),
                Ok(Told::Quiet(now)) => {
                    self.at = self.at.take().map(|at| at.read_at(now));
                    return Ok(());
                }
                Ok(Told::Much) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::unavailable("the tailer has ended"));
                }
            }
        }
        self.read_on().await
    }

    /// Takes of the tailer's news what it has not seen.
    fn take(&mut self, news: &News) -> Result<(), Error> {
        let Some(at) = &self.at else {
            return Ok(());
        };
        if !news.is_of(at, self.owner) {
            return Err(Error::cursor_expired());
        }
        let changes = listed_unseen(news, at);
        // Nothing that it has not seen: the news may be older than what it read, so it must not go back to there.
        if let Some(last) = changes.back() {
            self.at = Some(last.cursor.clone());
        }
        self.ready = changes;
        Ok(())
    }

    /// Reads a page from the log; waits while the database is away.
    async fn read_on(&mut self) -> Result<(), Error> {
        let (mut patience, most) = PATIENCE;
        let mut faults = 0;
        let (page, begun) = loop {
            let begun = self.live.inner.hub.begun(self.owner);
            let error = match self.page().await {
                Ok(page) => break (page, begun),
                Err(error) => error,
            };
            faults = match error.code {
                Code::Unavailable | Code::Timeout => 0,
                Code::Internal => faults + 1,
                _ => return Err(error),
            };
            if faults == MOST_FAULTS {
                return Err(error);
            }
            tracing::debug!(
                error = error.log_text(),
                "a subscriber waits for the database"
            );
            sleep(patience).await;
            patience = (2 * patience).min(most);
        };
        self.behind = page.more || !self.live.inner.hub.begin(self.owner, &page.end, begun);
        self.at = Some(page.end);
        self.ready = page.changes.into();
        Ok(())
    }

    async fn page(&self) -> Result<Page, Error> {
        let inner = &self.live.inner;
        let _permit = inner.reading.acquire().await.map_err(Error::internal)?;
        let mut conn = inner.database.connection().await?;
        match &self.at {
            Some(at) => {
                let feed = &inner.feed;
                feed.page(&mut conn, self.owner, Some(at), PAGE).await
            }
            None => Ok(Page {
                changes: Vec::new(),
                end: inner.feed.newest(&mut conn, self.owner).await?,
                more: false,
            }),
        }
    }
}
