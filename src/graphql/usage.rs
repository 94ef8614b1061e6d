//! How much a user's items take, and the maximums.

use async_graphql::Object;

use crate::items::{self, Quotas};

/// How much a user has, and may have.
pub(crate) struct Usage {
    pub(super) counted: items::Usage,
    pub(super) quotas: Quotas,
}

/// How much a user has, and the maximums for each user. Creates and updates that would exceed a maximum fail with LIMIT_REACHED.
#[Object]
impl Usage {
    /// Number of courses, documents, tasks and tags, including those in the trash.
    async fn items(&self) -> i32 {
        i32::try_from(self.counted.items).unwrap_or(i32::MAX)
    }

    /// Maximum `items`. Null if there is no maximum.
    async fn max_items(&self) -> Option<i32> {
        let max = self.quotas.max_items?;
        Some(i32::try_from(max).unwrap_or(i32::MAX))
    }

    /// Size of the items' titles, descriptions, notes, recognized texts and metadata as they are stored, and of their images, in bytes. A
    /// whole number. It includes items in the trash.
    async fn bytes(&self) -> f64 {
        self.counted.bytes as f64
    }

    /// Maximum `bytes`, a whole number. Null if there is no maximum.
    async fn max_bytes(&self) -> Option<f64> {
        self.quotas.max_bytes.map(|max| max as f64)
    }
}
