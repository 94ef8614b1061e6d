//! Cursors of a search.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::SearchFilter;
use crate::{db::cursor as opaque, error::Error};

/// The position of a hit among all hits of a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchCursor {
    pub(super) score: f64,
    pub(super) id: Uuid,
    /// When the first page was requested. Scores depend on it, since recent items rank higher.
    pub(super) searched_at: DateTime<Utc>,
    /// The digest of the query and its filter.
    pub(super) digest: u32,
}

impl SearchCursor {
    /// The opaque cursor.
    pub(crate) fn encode(&self) -> String {
        let (score, at) = (self.score.to_bits(), self.searched_at.timestamp_micros());
        let (id, digest) = (self.id.simple(), self.digest);
        opaque::encode(format!("hit-{score:x}-{at:x}-{id}-{digest:x}"))
    }

    /// # Errors
    /// BAD_USER_INPUT if it is not a cursor of a search.
    pub(crate) fn decode(cursor: &str) -> Result<Self, Error> {
        SearchCursor::parse(cursor).ok_or_else(foreign)
    }

    fn parse(cursor: &str) -> Option<Self> {
        let text = opaque::decode_text(cursor)?;
        let mut parts = text.strip_prefix("hit-")?.split('-');
        let score = f64::from_bits(u64::from_str_radix(parts.next()?, 16).ok()?);
        let micros = i64::from_str_radix(parts.next()?, 16).ok()?;
        let position = SearchCursor {
            score,
            id: Uuid::try_parse(parts.next()?).ok()?,
            searched_at: DateTime::from_timestamp_micros(micros)?,
            digest: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        (score.is_finite() && parts.next().is_none()).then_some(position)
    }
}

/// The error for a cursor of another search.
pub(super) fn foreign() -> Error {
    Error::bad_input("`after` must be a cursor of this search.")
}

/// Identifies a search in its cursors.
pub(super) fn digest(query: &str, filter: &SearchFilter) -> u32 {
    let kinds = filter.kinds.as_ref();
    let kinds = kinds.map(|kinds| kinds.iter().copied().map(i16::from).collect::<Vec<_>>());
    let hash = Sha256::digest(format!("{query}\n{kinds:?} {:?}", filter.course_id));
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}
