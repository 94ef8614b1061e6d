//! Cursors of the change feed.
//!
//! **A cursor is a snapshot**: it stores which transactions its reader has seen. Transactions do not commit in the
//! order of their entries' ids. A reader that asks for entries above an id loses what slower transactions wrote below
//! it. A reader that waits for the oldest open transaction stops while any transaction is open. So the next page is
//! what is visible now and was not visible in the cursor's snapshot. A page that is cut by its size carries both
//! snapshots and the id of its last entry.
//!
//! **The snapshot is capped** at the newest transaction of its owner that it saw. After a crash, PostgreSQL reuses the
//! ids of transactions that left nothing on disk: those that were rolled back or in progress. A transaction whose entry
//! was visible had committed and was on disk, so it and all lower ids stay what they are.
//!
//! A cursor belongs to an epoch and has seen all entries from before it (see `epoch`).
//!
//! Cursors are not secret and not signed. A forged cursor only reads its author's own feed, and one ahead of the
//! database has expired. A cursor may name thousands of transactions. The statements read them as a hash table: 4 to 50
//! ms with 20,000 transactions and 300,000 entries, where a list takes seconds.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{auth::UserId, db::cursor as opaque};

/// Version of the encoding.
const VERSION: u8 = 1;
/// Maximum characters of a cursor. A number takes two or three bytes, so there is room for thousands of transactions in
/// progress.
const MAX_LENGTH: usize = 32_768;
/// Maximum time of a cursor: the year 3000, in seconds.
const MAX_READ_AT: u64 = 32_503_680_000;

/// The transactions that a reader has seen: all below `xmax` except those that were in progress.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) xmax: u64,
    /// Ascending, each below `xmax`.
    pub(super) in_progress: Vec<u64>,
}

impl Seen {
    /// What a reader has seen that had seen `before` and then read everything that is visible in `snapshot` (in
    /// PostgreSQL's format). `newest` is the newest transaction that is visible in the owner's log. `None` if the
    /// snapshot is invalid.
    pub(super) fn after(before: &Seen, snapshot: &str, newest: Option<u64>) -> Option<Seen> {
        let mut parts = snapshot.splitn(3, ':').skip(1);
        let snapshot_xmax: u64 = parts.next()?.parse().ok()?;
        let ids = parts.next()?;
        let xmax = newest.map_or(0, |newest| newest.saturating_add(1));
        let xmax = xmax.min(snapshot_xmax).max(before.xmax);
        let mut in_progress = Vec::new();
        for id in ids.split(',').filter(|id| !id.is_empty()) {
            let id: u64 = id.parse().ok()?;
            if id < xmax {
                in_progress.push(id);
            }
        }
        in_progress.sort_unstable();
        Some(Seen { xmax, in_progress })
    }

    /// Whether the reader has seen the changes of this transaction.
    pub(super) fn sees(&self, transaction: u64) -> bool {
        transaction < self.xmax && self.in_progress.binary_search(&transaction).is_err()
    }
}

/// The position of a reader in a user's feed. Cheap to clone. Its text form is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Identifies the epoch and the owner.
    pub(super) stamp: u64,
    /// When the base was read, by the database's clock. `None` only before anything was read.
    pub(super) read_at: Option<DateTime<Utc>>,
    /// What the reader has seen completely.
    pub(super) base: Arc<Seen>,
    /// In the middle of a page: what the reader has seen at its end, and the id of the last entry that was returned.
    pub(super) cut: Option<(Arc<Seen>, i64)>,
}

impl Cursor {
    /// The cursor of a reader that has seen nothing.
    pub(super) fn beginning() -> Cursor {
        Cursor {
            stamp: 0,
            read_at: None,
            base: Arc::default(),
            cut: None,
        }
    }

    /// Whether it has seen transactions that no snapshot with this `xmax` shows.
    pub(super) fn is_ahead_of(&self, xmax: u64) -> bool {
        let target = self.cut.as_ref().map_or(0, |(target, _)| target.xmax);
        self.base.xmax.max(target) > xmax
    }

    /// Whether its walk began at the oldest change and has not reached its end yet.
    pub(super) fn began_at_oldest(&self) -> bool {
        self.base.xmax == 0
    }

    /// Whether it belongs to this owner and epoch.
    pub(super) fn is_of(&self, epoch: Uuid, owner: UserId) -> bool {
        self.stamp == stamp(epoch, owner)
    }

    /// This cursor after everything in `seen` was read.
    pub(super) fn past(mut self, seen: Arc<Seen>) -> Cursor {
        self.base = seen;
        self.cut = None;
        self
    }

    /// This cursor on the way to `target`, after the entry with this id.
    pub(super) fn until(&self, target: Arc<Seen>, id: i64) -> Cursor {
        Cursor {
            cut: Some((target, id)),
            ..self.clone()
        }
    }

    /// This cursor with another stamp. Its base counts as read now, if nothing was read before.
    pub(super) fn stamped(mut self, stamp: u64, now: DateTime<Utc>) -> Cursor {
        self.stamp = stamp;
        self.read_at = self.read_at.or(Some(now));
        self
    }

    /// This cursor, read at this time or later.
    pub(super) fn refreshed(mut self, now: DateTime<Utc>) -> Cursor {
        self.read_at = self.read_at.max(Some(now));
        self
    }

    /// Whether it was read more than `age` after another cursor. A caller that stores cursors replaces them in time, since they expire.
    pub(crate) fn is_later_by(&self, age: chrono::Duration, other: &Cursor) -> bool {
        match (self.read_at, other.read_at) {
            (Some(here), Some(there)) => here - there > age,
            _ => true,
        }
    }

    /// The text form.
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.stamp.to_be_bytes());
        let read_at = self.read_at.map_or(0, |read_at| read_at.timestamp());
        put(&mut bytes, read_at.unsigned_abs());
        put_seen(&mut bytes, &self.base);
        if let Some((target, id)) = &self.cut {
            put_seen(&mut bytes, target);
            put(&mut bytes, id.unsigned_abs());
        }
        opaque::encode(bytes)
    }

    /// Decodes the text of [`Cursor::encode`]. `None` if the text is invalid.
    pub(crate) fn decode(text: &str) -> Option<Cursor> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let bytes = opaque::decode(text)?;
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let (stamp, after) = rest.split_first_chunk()?;
        rest = after;
        let read_at = take(&mut rest).filter(|read_at| *read_at <= MAX_READ_AT)?;
        let base = Arc::new(take_seen(&mut rest)?);
        let cut = if rest.is_empty() {
            None
        } else {
            let target = Arc::new(take_seen(&mut rest)?);
            Some((target, i64::try_from(take(&mut rest)?).ok()?))
        };
        let cursor = Cursor {
            stamp: u64::from_be_bytes(*stamp),
            read_at: DateTime::from_timestamp(i64::try_from(read_at).ok()?, 0),
            base,
            cut,
        };
        rest.is_empty().then_some(cursor)
    }
}

/// A number that identifies the epoch and the owner of a cursor.
pub(super) fn stamp(epoch: Uuid, owner: UserId) -> u64 {
    let digest = Sha256::new()
        .chain_update(epoch)
        .chain_update(owner.0)
        .finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |stamp, byte| stamp << 8 | u64::from(*byte))
}

/// Appends a number in groups of seven bits, the lowest first. The highest bit of a byte is set if more bytes follow.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for position in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Appends `xmax` and, in descending order, the distance of each transaction in progress from the previous one.
fn put_seen(bytes: &mut Vec<u8>, seen: &Seen) {
    put(bytes, seen.xmax);
    put(bytes, seen.in_progress.len() as u64);
    let mut above = seen.xmax;
    for id in seen.in_progress.iter().rev() {
        put(bytes, above - id);
        above = *id;
    }
}

fn take_seen(bytes: &mut &[u8]) -> Option<Seen> {
    let xmax = take(bytes)?;
    let count = usize::try_from(take(bytes)?).ok()?;
    // Each id takes at least one byte.
    let mut in_progress = Vec::with_capacity(Some(count).filter(|count| *count <= bytes.len())?);
    let mut above = xmax;
    for _ in 0..count {
        above = above.checked_sub(take(bytes)?.max(1))?;
        in_progress.push(above);
    }
    in_progress.reverse();
    Some(Seen { xmax, in_progress })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(xmax: u64, in_progress: &[u64]) -> Seen {
        let in_progress = in_progress.to_vec();
        Seen { xmax, in_progress }
    }

    fn read_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).expect("a time")
    }

    fn cursors() -> Vec<Cursor> {
        let plain = |seen| {
            let cursor = Cursor::beginning().past(Arc::new(seen));
            cursor.stamped(stamp(Uuid::max(), UserId(Uuid::nil())), read_at())
        };
        let many: Vec<u64> = (0..3000).map(|id| 7_000_000_000 + 3 * id).collect();
        let plain = [
            plain(seen(0, &[])),
            plain(seen(739, &[])),
            plain(seen(739, &[3, 700, 738])),
            plain(seen((1 << 62) - 1, &[(1 << 62) - 2])),
            plain(seen(8_000_000_000, &many)),
        ];
        let cut = plain
            .iter()
            .map(|cursor| cursor.until(Arc::new(seen(900, &[740, 899])), i64::MAX));
        plain.iter().cloned().chain(cut).collect()
    }

    #[test]
    fn a_cursor_survives_encoding_and_decoding() {
        for cursor in cursors() {
            let text = cursor.encode();
            assert!(text.len() <= MAX_LENGTH);
            assert_eq!(Cursor::decode(&text), Some(cursor));
        }
        assert!(
            cursors()[2].encode().len() < 40,
            "a typical cursor is short"
        );
    }

    #[test]
    fn invalid_texts_are_rejected_without_a_panic() {
        for cursor in cursors() {
            let text = cursor.encode();
            let bytes = opaque::decode(&text).expect("just encoded");
            for length in 0..bytes.len().min(200) {
                let part = opaque::encode(&bytes[..length]);
                let read = Cursor::decode(&part);
                assert!(read.is_none_or(|read| read.cut.is_none() && cursor.cut.is_some()));
            }
            for position in 0..bytes.len().min(60) {
                for change in [0x01, 0x7f, 0x80, 0xff] {
                    let mut other = bytes.clone();
                    other[position] ^= change;
                    // The text may be another cursor, but must not cause a panic.
                    let _ = Cursor::decode(&opaque::encode(other));
                }
            }
            assert_eq!(Cursor::decode(&format!("{text}AA")), None);
        }
        let endless = opaque::encode([0xff; 40]);
        let huge = "A".repeat(MAX_LENGTH + 4);
        for text in ["", "A", "nonsense", "ZXZlbnQtMQ", "é", &endless, &huge] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_snapshot_sees_committed_transactions_and_not_those_in_progress() {
        let before = Seen::default();
        let seen = Seen::after(&before, "10:20:10,14", Some(18)).expect("a snapshot");
        let unseen: Vec<u64> = (0..25).filter(|id| !seen.sees(*id)).collect();
        assert_eq!(unseen, [10, 14, 19, 20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_cursor_is_capped_at_the_newest_transaction_that_it_saw() {
        let before = seen(12, &[11]);
        let cases = [
            // (snapshot, newest visible transaction, seen)
            ("10:20:10,14,19", Some(15), seen(16, &[10, 14])),
            ("10:20:10,14,19", Some(5), seen(12, &[10])),
            ("10:20:10,14,19", None, seen(12, &[10])),
            ("20:20:", Some(15), seen(16, &[])),
            // Cannot happen: an entry from the future.
            ("20:20:", Some(9_000), seen(20, &[])),
        ];
        for (snapshot, newest, expected) in cases {
            assert_eq!(Seen::after(&before, snapshot, newest), Some(expected));
        }
        for text in ["", "20", "20:20", "a:b:", "10:20:x"] {
            assert_eq!(Seen::after(&before, text, None), None, "{text}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_one_owner_and_epoch() {
        let (epoch, ada) = (Uuid::now_v7(), UserId(Uuid::now_v7()));
        let cursor = Cursor::beginning().stamped(stamp(epoch, ada), read_at());
        assert!(cursor.is_of(epoch, ada));
        assert!(!cursor.is_of(Uuid::now_v7(), ada));
        assert!(!cursor.is_of(epoch, UserId(Uuid::now_v7())));
    }
}
