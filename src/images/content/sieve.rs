//! Goes through a file once, from its beginning to its end, and keeps or skips each part of it.

use super::{CUT_OFF, NotAPicture};

/// The bytes of a file: those kept so far are moved together at its front.
///
/// What is kept or put never reaches past what was already read, so one copy of the bytes is enough.
pub(super) struct Sieve {
    bytes: Vec<u8>,
    /// How many bytes at the front are kept.
    kept: usize,
    /// Where the unread rest begins.
    next: usize,
}

impl Sieve {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            kept: 0,
            next: 0,
        }
    }

    /// All that was not read yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.next..).unwrap_or_default()
    }

    /// The next `count` bytes, without going on.
    pub(super) fn peek(&self, count: usize) -> Result<&[u8], NotAPicture> {
        self.rest().get(..count).ok_or(CUT_OFF)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), NotAPicture> {
        self.peek(count)?;
        self.next += count;
        Ok(())
    }

    pub(super) fn keep(&mut self, count: usize) -> Result<(), NotAPicture> {
        self.peek(count)?;
        if self.kept < self.next {
            self.bytes
                .copy_within(self.next..self.next + count, self.kept);
        }
        self.kept += count;
        self.next += count;
        Ok(())
    }

    /// Skips the next `count` bytes and keeps `instead`, which must not be longer.
    pub(super) fn replace(&mut self, count: usize, instead: &[u8]) -> Result<(), NotAPicture> {
        self.skip(count)?;
        let end = self.kept + instead.len();
        let room = self
            .bytes
            .get_mut(self.kept..end)
            .filter(|_| end <= self.next);
        room.ok_or(CUT_OFF)?.copy_from_slice(instead);
        self.kept = end;
        Ok(())
    }

    /// Writes over kept bytes.
    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        let kept = self.bytes.get_mut(..self.kept).unwrap_or_default();
        if let Some(place) = kept
            .get_mut(at..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
        {
            place.copy_from_slice(bytes);
        }
    }

    /// Drops everything after the first `length` bytes of the file.
    pub(super) fn end_at(&mut self, length: usize) -> Result<(), NotAPicture> {
        if length > self.bytes.len() {
            return Err(CUT_OFF);
        }
        self.bytes.truncate(length);
        Ok(())
    }

    /// How many bytes are kept so far.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn into_kept(mut self) -> Vec<u8> {
        self.bytes.truncate(self.kept);
        self.bytes
    }
}
