//! A cursor is a snapshot: which transactions its reader has seen.
//!
//! The order of commits is not the order of ids. A reader that asks for what is above an id loses what slower transactions
//! wrote below it, and one that waits below the oldest open transaction stands still while anybody holds one open. So a
//! cursor holds what the snapshot that it was read in saw, and the next page is what is visible now and was not then. A
//! page that is cut by its length carries both snapshots and the last id.
//!
//! A cursor's snapshot ends behind the newest transaction of its owner that it saw. Above that a crash may give numbers out
//! again: those of transactions that were rolled back, or under way, and left nothing on disk. What it saw was
//! committed, and that is on disk; so all numbers below it stay what they are.
//!
//! A cursor belongs to an epoch, and has seen all entries from before it (see `epoch`).
//!
//! A cursor is no secret and not signed: whoever forges one reads their own feed.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::auth::UserId;

/// The form of cursors that is written and read here.
const FORM: u8 = 1;
/// Characters of a cursor at most. A number in it takes two bytes or three, so that there is room for thousands of
/// transactions under way.
const LONGEST: usize = 32_768;
/// The year 3000, in seconds: no cursor is younger.
const LATEST: u64 = 32_503_680_000;

/// Which transactions have been seen: all before `next` but those that were under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) next: u64,
    /// Ascending, each below `next`.
    pub(super) held: Vec<u64>,
}

impl Seen {
    /// What a reader has seen that has seen `before` and then reads all that this snapshot shows. `snapshot` is as
    /// PostgreSQL writes it, `newest` the newest transaction that is visible in the owner's log. `None` if it is no snapshot.
    pub(super) fn after(before: &Seen, snapshot: &str, newest: Option<u64>) -> Option<Seen> {
        let mut parts = snapshot.splitn(3, ':').skip(1);
        let end: u64 = parts.next()?.parse().ok()?;
        let under_way = parts.next()?;
        let next = newest.map_or(0, |newest| newest.saturating_add(1));
        let next = next.min(end).max(before.next);
        let mut held = Vec::new();
        for id in under_way.split(',').filter(|id| !id.is_empty()) {
            let id: u64 = id.parse().ok()?;
            if id < next {
                held.push(id);
            }
        }
        held.sort_unstable();
        Some(Seen { next, held })
    }

    /// Whether a change of this transaction has been seen.
    pub(super) fn sees(&self, transaction: u64) -> bool {
        transaction < self.next && self.held.binary_search(&transaction).is_err()
    }
}

/// Where a reader stands in somebody's feed. Cheap to clone; as text it is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Of the epoch and the owner.
    stamp: u64,
    /// When the base was read; `None` only before anything was.
    since: Option<DateTime<Utc>>,
    base: Arc<Seen>,
    /// In the middle of all that was seen then and not in the base: behind the entry with this id.
    cut: Option<(Arc<Seen>, i64)>,
}

impl Cursor {
    /// Of a reader that has seen nothing.
    pub(super) fn beginning() -> Cursor {
        Cursor {
            stamp: 0,
            since: None,
            base: Arc::default(),
            cut: None,
        }
    }

    /// When its base was read, by the database's clock.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    /// All that was seen for sure.
    pub(super) fn base(&self) -> Arc<Seen> {
        self.base.clone()
    }

    /// Where it stands in the middle of a page: what is seen at the end, and the last id before.
    pub(super) fn cut(&self) -> Option<(Arc<Seen>, i64)> {
        self.cut.clone()
    }

    /// Whether it has seen what no snapshot that ends at `next` shows.
    pub(super) fn is_ahead_of(&self, next: u64) -> bool {
        let target = self.cut.as_ref().map_or(0, |(target, _)| target.next);
        self.base.next.max(target) > next
    }

    /// Whether its walk began with the oldest change there was, and has not come to its end.
    pub(super) fn began_at_oldest(&self) -> bool {
        self.base.next == 0
    }

    /// What tells one person's cursors of one epoch from all others.
    pub(super) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether it is this person's, in this epoch.
    pub(super) fn is_of(&self, epoch: Uuid, owner: UserId) -> bool {
        self.stamp == stamp(epoch, owner)
    }

    /// The same place, at which all of that has been seen.
    pub(super) fn past(mut self, seen: Arc<Seen>) -> Cursor {
        self.base = seen;
        self.cut = None;
        self
    }

    /// On the way from here to all of that, behind the entry with this id.
    pub(super) fn until(&self, target: Arc<Seen>, id: i64) -> Cursor {
        Cursor {
            cut: Some((target, id)),
            ..self.clone()
        }
    }

    /// The same place in this epoch; read now, if nothing was read before.
    pub(super) fn stamped(mut self, stamp: u64, now: DateTime<Utc>) -> Cursor {
        self.stamp = stamp;
        self.since = self.since.or(Some(now));
        self
    }

    /// The same place, read at that time, or later as before.
    pub(super) fn read_at(mut self, now: DateTime<Utc>) -> Cursor {
        self.since = self.since.max(Some(now));
        self
    }

    /// As callers keep it.
    pub fn encode(&self) -> String {
        let mut bytes = vec![FORM];
        bytes.extend(self.stamp.to_be_bytes());
        let since = self.since.map_or(0, |since| since.timestamp());
        put(&mut bytes, since.unsigned_abs());
        put_seen(&mut bytes, &self.base);
        if let Some((target, id)) = &self.cut {
            put_seen(&mut bytes, target);
            put(&mut bytes, id.unsigned_abs());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] wrote; `None` if it is anything else.
    pub(crate) fn decode(text: &str) -> Option<Cursor> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mut rest = bytes.strip_prefix(&[FORM])?;
        let (stamp, after) = rest.split_first_chunk()?;
        rest = after;
        let since = take(&mut rest).filter(|since| *since <= LATEST)?;
        let base = Arc::new(take_seen(&mut rest)?);
        let cut = if rest.is_empty() {
            None
        } else {
            let target = Arc::new(take_seen(&mut rest)?);
            Some((target, i64::try_from(take(&mut rest)?).ok()?))
        };
        let cursor = Cursor {
            stamp: u64::from_be_bytes(*stamp),
            since: DateTime::from_timestamp(i64::try_from(since).ok()?, 0),
            base,
            cut,
        };
        rest.is_empty().then_some(cursor)
    }
}

/// What tells one person's cursors of one epoch from all others.
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

/// Seven bits a byte, the lowest first; the highest bit says that there are more.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The transactions under way are written by how far each lies below the one before, from `next` down.
fn put_seen(bytes: &mut Vec<u8>, seen: &Seen) {
    put(bytes, seen.next);
    put(bytes, seen.held.len() as u64);
    let mut above = seen.next;
    for id in seen.held.iter().rev() {
        put(bytes, above - id);
        above = *id;
    }
}

fn take_seen(bytes: &mut &[u8]) -> Option<Seen> {
    let next = take(bytes)?;
    let count = usize::try_from(take(bytes)?).ok()?;
    // Each takes a byte at least.
    let mut held = Vec::with_capacity(Some(count).filter(|count| *count <= bytes.len())?);
    let mut above = next;
    for _ in 0..count {
        above = above.checked_sub(take(bytes)?.max(1))?;
        held.push(above);
    }
    held.reverse();
    Some(Seen { next, held })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(next: u64, held: &[u64]) -> Seen {
        let held = held.to_vec();
        Seen { next, held }
    }

    fn moment() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).expect("a moment")
    }

    fn cursors() -> Vec<Cursor> {
        let plain = |seen| {
            let cursor = Cursor::beginning().past(Arc::new(seen));
            cursor.stamped(stamp(Uuid::max(), UserId(Uuid::nil())), moment())
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
    fn what_is_written_is_read_again() {
        for cursor in cursors() {
            let text = cursor.encode();
            assert!(text.len() <= LONGEST);
            assert_eq!(Cursor::decode(&text), Some(cursor));
        }
        assert!(cursors()[2].encode().len() < 40, "an ordinary one is short");
    }

    #[test]
    fn what_is_no_cursor_is_none_whatever_it_is() {
        for cursor in cursors() {
            let text = cursor.encode();
            let bytes = URL_SAFE_NO_PAD.decode(&text).expect("just encoded");
            for length in 0..bytes.len().min(200) {
                let part = URL_SAFE_NO_PAD.encode(&bytes[..length]);
                let read = Cursor::decode(&part);
                assert!(read.is_none_or(|read| read.cut.is_none() && cursor.cut.is_some()));
            }
            for place in 0..bytes.len().min(60) {
                for change in [0x01, 0x7f, 0x80, 0xff] {
                    let mut other = bytes.clone();
                    other[place] ^= change;
                    // It may be another cursor; it must not be a panic.
                    let _ = Cursor::decode(&URL_SAFE_NO_PAD.encode(other));
                }
            }
            assert_eq!(Cursor::decode(&format!("{text}AA")), None);
        }
        let endless = URL_SAFE_NO_PAD.encode([0xff; 40]);
        let huge = "A".repeat(LONGEST + 4);
        for text in ["", "A", "nonsense", "ZXZlbnQtMQ", "é", &endless, &huge] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_snapshot_sees_what_was_committed_and_not_what_was_under_way() {
        let before = Seen::default();
        let seen = Seen::after(&before, "10:20:10,14", Some(18)).expect("a snapshot");
        let unseen: Vec<u64> = (0..25).filter(|id| !seen.sees(*id)).collect();
        assert_eq!(unseen, [10, 14, 19, 20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_cursor_ends_behind_the_newest_transaction_that_it_saw() {
        let before = seen(12, &[11]);
        let cases = [
            // (snapshot, newest visible, what is seen)
            ("10:20:10,14,19", Some(15), seen(16, &[10, 14])),
            ("10:20:10,14,19", Some(5), seen(12, &[10])),
            ("10:20:10,14,19", None, seen(12, &[10])),
            ("20:20:", Some(15), seen(16, &[])),
            // What cannot be: an entry of the future.
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
    fn a_cursor_is_one_persons_in_one_epoch() {
        let (epoch, ada) = (Uuid::now_v7(), UserId(Uuid::now_v7()));
        let cursor = Cursor::beginning().stamped(stamp(epoch, ada), moment());
        assert!(cursor.is_of(epoch, ada));
        assert!(!cursor.is_of(Uuid::now_v7(), ada));
        assert!(!cursor.is_of(epoch, UserId(Uuid::now_v7())));
    }
}
