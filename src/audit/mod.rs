//! The audit log: what was done by somebody and to them. Triggers and the statements of signing in write it; here it is
//! read, and pruned.
//!
//! The log is also what an item's id is known by for ever, so that nothing that was deleted comes back: pruning takes
//! everything off an old entry of a creation but that.

mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::Event;
pub(crate) use model::Part;

use crate::{
    auth::Client,
    db::{
        Connection, Database,
        background::{Periodic, Sweeper},
    },
    error::Error,
    users::Admin,
};

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

    /// The periodic job that prunes the log; `None` if entries are kept for ever.
    pub(crate) fn cleanup(self, database: &Database) -> Option<Periodic> {
        let cleanup = store::pruning(self.days)?;
        Some(Sweeper::new(cleanup).periodic(database))
    }

    /// Prunes all that is old enough, in small steps; answers how many entries. None, if they are kept for ever.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn prune_once(self, database: &Database) -> Result<u64, Error> {
        match store::pruning(self.days) {
            Some(cleanup) => Sweeper::new(cleanup).run(database).await,
            None => Ok(0),
        }
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
