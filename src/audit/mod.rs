//! The audit log: what was done by somebody and to them. Triggers and the statements of signing in write it; here it is
//! read, and pruned.
//!
//! The log is also what an item's id is known by for ever, so that nothing that was deleted comes back: pruning takes
//! everything off an old entry of a creation but that.

mod model;
mod store;

use std::{collections::HashMap, time::Duration};

use uuid::Uuid;

pub use model::Event;
pub(crate) use model::Part;

use crate::{
    auth::Client,
    db::{Connection, Database, background::in_steps},
    error::Error,
    users::Admin,
};

/// How often a process looks for what can be pruned.
const EVERY: Duration = Duration::from_secs(3600);

/// The log, and for how many days it is kept. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Audit {
    days: u32,
}

impl Audit {
    /// `days` of 0: for ever.
    pub fn new(days: u32) -> Audit {
        Audit { days }
    }

    /// The newest events of each of these users that are older than the one named, newest first: `size` and, if there are
    /// more, one beyond.
    pub(crate) async fn pages(
        self,
        conn: &mut Connection,
        users: Vec<Uuid>,
        before: Option<i64>,
        size: i64,
    ) -> Result<HashMap<Uuid, Vec<Event>>, Error> {
        let mut pages: HashMap<Uuid, Vec<Event>> =
            users.iter().map(|user| (*user, Vec::new())).collect();
        for (user, event) in store::pages(conn, users, before, size + 1, self.days).await? {
            pages.entry(user).or_default().push(event);
        }
        Ok(pages)
    }

    /// Prunes now and then, for as long as the process runs.
    pub async fn prune(self, database: Database) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            match self.prune_once(&database).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, days = self.days, "pruned the audit log"),
                Err(error) => tracing::warn!(
                    error = error.log_text(),
                    "the audit log could not be pruned; it tries again"
                ),
            }
        }
    }

    /// Prunes all that is old enough, in small steps; answers how many entries. None, if they are kept for ever.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn prune_once(self, database: &Database) -> Result<u64, Error> {
        if self.days == 0 {
            return Ok(0);
        }
        in_steps(database, 1, async |conn| {
            store::prune(conn, self.days).await
        })
        .await
    }
}

/// Notes in the logs of these users that an admin read a part of what is theirs.
pub(crate) async fn note_reading(
    conn: &mut Connection,
    admin: &Admin,
    users: Vec<Uuid>,
    part: Part,
    client: &Client,
) -> Result<(), Error> {
    store::note_reading(conn, admin.user_id(), users, part.action(), client).await
}
