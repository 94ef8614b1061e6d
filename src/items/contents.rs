//! The contents of courses and tags: documents and tasks. Both containers list and count them in the same way.

pub(super) mod store;

use crate::db::row;

pub(crate) use store::{counts, write_count};

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
