//! Quotas: how many items and bytes a user may have.
//!
//! Without quotas, nothing is counted, and no statement is sent. With them, each write that adds something is a transaction. It first adds
//! its maximum growth to a row of `item_usage`, and thereby locks that row. So concurrent writes of one user wait for each other,
//! and none of them can exceed a maximum.
//!
//! The row is an upper bound: nothing subtracts from it when items are deleted or texts become shorter. If it stays within the maximums, the
//! write goes ahead. Otherwise, and once an hour, items are counted before and after the write. The write is rolled back if it added
//! something beyond a maximum. If not, the row gets the exact numbers. So the database counts rarely, whatever is deleted in whichever
//! way, and other programs need not maintain anything.

pub(crate) mod store;

use crate::{
    auth::UserId,
    db::{Connection, row},
    error::{Error, Failure, Refusal, RefusalCode},
};

/// The maximums of each user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Courses, documents, tasks and tags, active or in the trash. `None` for no maximum.
    pub max_items: Option<i64>,
    /// Bytes of their texts and metadata, and of images. `None` for no maximum.
    pub max_bytes: Option<i64>,
}

row! {
    /// What a user has.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Usage {
        /// Courses, documents, tasks and tags, active or in the trash.
        pub items: i64,
        /// Bytes of titles, descriptions, notes, recognized texts and metadata as they are stored, and of images.
        pub bytes: i64,
    }
}

/// The count before a write that may pass a maximum. `None` if it cannot.
pub(crate) struct Before(Option<Usage>);

impl Quotas {
    /// Whether a write that adds up to `growth` must be checked.
    pub(crate) fn limit(&self, growth: Usage) -> bool {
        (growth.items > 0 && self.max_items.is_some())
            || (growth.bytes > 0 && self.max_bytes.is_some())
    }

    /// Begins a write that adds up to `growth`, in the caller's transaction. Until it ends, other such writes of the user wait.
    pub(crate) async fn before(
        &self,
        conn: &mut Connection,
        owner: UserId,
        growth: Usage,
    ) -> Result<Before, Error> {
        if !self.limit(growth) {
            return Ok(Before(None));
        }
        let reserved = store::reserve(conn, owner, growth).await?;
        if reserved.is_recent && self.exceeded(reserved.usage).is_none() {
            return Ok(Before(None));
        }
        Ok(Before(Some(store::count(conn, owner).await?)))
    }

    /// Ends a write, in the same transaction.
    ///
    /// # Errors
    /// LIMIT_REACHED if it added something beyond a maximum. The caller must roll back.
    pub(crate) async fn after(
        &self,
        conn: &mut Connection,
        owner: UserId,
        before: Before,
    ) -> Result<(), Failure> {
        let Before(Some(before)) = before else {
            return Ok(());
        };
        let now = store::count(conn, owner).await?;
        let grown = Quotas {
            max_items: self.max_items.filter(|_| now.items > before.items),
            max_bytes: self.max_bytes.filter(|_| now.bytes > before.bytes),
        };
        if let Some(refusal) = grown.exceeded(now) {
            return Err(refusal.into());
        }
        Ok(store::save(conn, owner, now).await?)
    }

    fn exceeded(&self, usage: Usage) -> Option<Refusal> {
        let Usage { items, bytes } = usage;
        let refuse = |message| Refusal::general(RefusalCode::LimitReached, message);
        if let Some(max) = self.max_items.filter(|max| items > *max) {
            return Some(refuse(format!(
                "You would have {items} items; the maximum is {max}. Delete items permanently first."
            )));
        }
        let max = self.max_bytes.filter(|max| bytes > *max)?;
        Some(refuse(format!(
            "Your items and images would take {bytes} bytes; the maximum is {max}. Delete items permanently first."
        )))
    }
}
