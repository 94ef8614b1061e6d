//! Connections that are dropped in use, and their recovery in the background.

use std::time::Instant;

use super::{Database, Object, Permits, RunningWrite, Writers};

/// A connection whose future was dropped in the middle of a statement or transaction. Dropping this closes the connection.
pub(in crate::db) struct Abandoned {
    pub(in crate::db) object: Option<Object>,
    /// When the running statement was sent; `None` if no statement was running.
    pub(in crate::db) sent: Option<Instant>,
    pub(in crate::db) in_transaction: bool,
    /// Owners of items that may have been changed.
    pub(in crate::db) wrote: Writers,
    pub(in crate::db) writing: Vec<RunningWrite>,
    pub(in crate::db) permits: Permits,
}

impl Abandoned {
    pub(super) async fn recover(mut self, database: Database) {
        let Some(object) = &mut self.object else {
            return;
        };
        let manager = database.inner.pool.manager();
        let recovered = object
            .recover(manager, self.sent, self.in_transaction)
            .await;
        // Its changes may have been committed before it was canceled.
        database.writes().note(std::mem::take(&mut self.wrote));
        self.writing.clear();
        if recovered {
            drop(self.object.take());
        }
        drop(std::mem::take(&mut self.permits));
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}
