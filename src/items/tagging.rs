//! The tags of documents and tasks: which tags a request may name, and how many an item can have.
//!
//! Statements lock the named tags FOR SHARE before they lock items, so that no named tag goes to the trash before the transaction
//! commits. Triggers count the change of an item's tags as a change of the item. Tags in the trash stay assigned to their items,
//! which have them again when they are restored. They do not count towards [`MAX_TAGS`].

pub(crate) mod store;

/// Maximum number of active tags of an item. Restored tags may exceed it.
pub(crate) const MAX_TAGS: usize = 20;
