//! The contents of courses and tags: documents and tasks. Both containers list and count them in the same way.

pub(super) mod store;

use crate::db::row;

pub(crate) use store::{counts, write_count};

/// The counts that the creation of a container returns.
pub(crate) const EMPTY: [&str; 2] = ["0::bigint"; 2];
/// The counts of a container whose items were not counted.
pub(crate) const NOT_COUNTED: [&str; 2] = ["NULL::bigint"; 2];

row! {
    /// How many items are in a container.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub(crate) struct Counts {
        /// Active documents.
        pub(crate) documents: i64,
        /// Active tasks that are not completed.
        pub(crate) open_tasks: i64,
    }
}
