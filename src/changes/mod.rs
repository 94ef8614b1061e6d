//! A stand-in for the change feed, until that is there: it polls the log by id, and loses what slower transactions write.

pub mod live;
mod store;

use std::fmt;

use chrono::{DateTime, Utc};

pub use live::Live;

use crate::{
    error::{Code, Error},
    trash::ItemRef,
};

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// Reads a cursor.
    ///
    /// # Errors
    /// BAD_USER_INPUT for what is none.
    pub(crate) fn parse(text: &str) -> Result<Cursor, Error> {
        let number = text.strip_prefix("c").and_then(|text| text.parse().ok());
        match number {
            Some(-1) => Err(Error::new(Code::BadUserInput, "CURSOR_EXPIRED, for now.")),
            Some(number) => Ok(Cursor(number)),
            None => Err(Error::bad_input("after is no cursor.")),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "c{}", self.0)
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It went to the trash.
    Trashed,
    /// It came back.
    Restored,
    /// It was deleted for good.
    Deleted,
}

/// One change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Behind it.
    pub cursor: Cursor,
    /// What was done.
    pub action: ChangeAction,
    /// To what.
    pub item: ItemRef,
    /// When.
    pub changed_at: DateTime<Utc>,
}
