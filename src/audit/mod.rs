//! The audit log: what users did, and what happened to their accounts and data. Triggers and the statements of `auth`
//! write it. This module reads and prunes it.
//!
//! The log also keeps the ids of all items ever created, so that deleted ids are never reused. Pruning therefore
//! removes everything from an old CREATED entry except what identifies the item.
//!
//! # Design decision
//! `audit` is above `auth` in the order of modules. `auth` writes entries in the statement that makes the change, so
//! that none is missing, and `audit` needs to know who is an admin.

mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::Event;
pub(crate) use model::Part;

use crate::{
    auth::{Client, UserId, by_user_id},
    db::{
        Connection, Database,
        background::{Periodic, Sweeper},
    },
    error::Error,
    users::Admin,
};

/// The audit log and its retention in days. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Audit {
    days: u32,
}

impl Audit {
    /// `days` of 0 keeps entries forever.
    pub fn new(days: u32) -> Audit {
        Audit { days }
    }

    /// The newest events of each of these users with an id below `before`, newest first. Returns `size` events and, if
    /// there are more, one extra.
    pub(crate) async fn pages(
        self,
        conn: &mut Connection,
        users: Vec<Uuid>,
        before: Option<i64>,
        size: i64,
    ) -> Result<HashMap<Uuid, Vec<Event>>, Error> {
        let events = store::pages(conn, users.clone(), before, size + 1, self.days).await?;
        Ok(by_user_id(users, events))
    }

    /// The periodic job that prunes the log. `None` if entries are kept forever.
    pub(crate) fn cleanup(self, database: &Database) -> Option<Periodic> {
        let cleanup = store::pruning(self.days)?;
        Some(Sweeper::new(cleanup).periodic(database))
    }

    /// Prunes all old entries in small steps. Returns their number; 0 if entries are kept forever.
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

/// Logs for these users that an admin read a part of their private data.
pub(crate) async fn note_reading(
    conn: &mut Connection,
    admin: &Admin,
    users: Vec<Uuid>,
    part: Part,
    client: &Client,
) -> Result<(), Error> {
    store::note_reading(conn, Some(admin.user_id()), users, part, client).await
}

/// Logs that all data of a user is exported. `reader`: `None` if an operator exports it.
pub(crate) async fn note_export(
    conn: &mut Connection,
    reader: Option<UserId>,
    user: UserId,
    client: &Client,
) -> Result<(), Error> {
    store::note_reading(conn, reader, vec![user.0], Part::Everything, client).await
}
