//! Reads a file once from start to end, and keeps, replaces or skips each part.

use crate::{ImageError, TRUNCATED};

/// The bytes of a file. The kept parts are moved together at its front.
///
/// The kept parts never overlap the unread ones, so one copy of the bytes is enough.
pub(crate) struct Filter {
    bytes: Vec<u8>,
    /// The number of kept bytes at the front.
    kept: usize,
    /// The position of the next unread byte.
    next: usize,
}

impl Filter {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            kept: 0,
            next: 0,
        }
    }

    /// The unread bytes.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.next..).unwrap_or_default()
    }

    /// The next `count` bytes, without reading them.
    pub(crate) fn peek(&self, count: usize) -> Result<&[u8], ImageError> {
        self.rest().get(..count).ok_or(TRUNCATED)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        self.peek(count)?;
        self.next += count;
        Ok(())
    }

    pub(crate) fn keep(&mut self, count: usize) -> Result<(), ImageError> {
        self.peek(count)?;
        if self.kept < self.next {
            self.bytes
                .copy_within(self.next..self.next + count, self.kept);
        }
        self.kept += count;
        self.next += count;
        Ok(())
    }

    /// Replaces the next `count` bytes with `instead`, which must not be longer.
    pub(crate) fn replace(&mut self, count: usize, instead: &[u8]) -> Result<(), ImageError> {
        self.skip(count)?;
        let end = self.kept + instead.len();
        let room = self
            .bytes
            .get_mut(self.kept..end)
            .filter(|_| end <= self.next);
        room.ok_or(TRUNCATED)?.copy_from_slice(instead);
        self.kept = end;
        Ok(())
    }

    /// Skips all unread bytes, and adds these after the kept ones.
    pub(crate) fn end_with(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.kept);
        self.bytes.extend_from_slice(bytes);
        self.kept = self.bytes.len();
        self.next = self.kept;
    }

    /// Overwrites kept bytes.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        let kept = self.bytes.get_mut(..self.kept).unwrap_or_default();
        if let Some(target) = kept
            .get_mut(at..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
        {
            target.copy_from_slice(bytes);
        }
    }

    /// Removes all bytes after the first `length` bytes of the file.
    pub(crate) fn end_at(&mut self, length: usize) -> Result<(), ImageError> {
        if length > self.bytes.len() {
            return Err(TRUNCATED);
        }
        self.bytes.truncate(length);
        Ok(())
    }

    /// The number of bytes kept so far.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    pub(crate) fn into_kept(mut self) -> Vec<u8> {
        self.bytes.truncate(self.kept);
        self.bytes
    }
}
