//! The stand-in's subscriptions: the log is polled every 200 ms.

use std::{collections::VecDeque, time::Duration};

use futures_util::{Stream, stream};

use super::{Change, Cursor, store};
use crate::{auth::Viewer, db::Database, error::Error};

/// What subscribers read from. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    database: Database,
}

struct Reader {
    live: Live,
    viewer: Viewer,
    after: Option<i64>,
    waiting: VecDeque<Change>,
}

impl Live {
    /// On that database.
    pub fn new(database: Database) -> Live {
        Live { database }
    }

    /// All changes behind the cursor, or from now on.
    pub(crate) fn subscribe(
        &self,
        viewer: Viewer,
        after: Option<Cursor>,
    ) -> impl Stream<Item = Result<Change, Error>> + Send + 'static {
        let reader = Reader {
            live: self.clone(),
            viewer,
            after: after.map(|cursor| cursor.0),
            waiting: VecDeque::new(),
        };
        stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(change) => Some((Ok(change), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Ok(change);
            }
            let mut conn = self.live.database.connection().await?;
            let user = self.viewer.user_id;
            let after = match self.after {
                Some(after) => after,
                None => store::newest(&mut conn, user).await?,
            };
            let changes = store::next(&mut conn, user, after).await?;
            self.after = Some(changes.last().map_or(after, |change| change.cursor.0));
            drop(conn);
            if changes.is_empty() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            self.waiting.extend(changes);
        }
    }
}
