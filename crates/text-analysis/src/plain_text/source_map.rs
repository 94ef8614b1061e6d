//! The source map: the position of each part of a plain text in its source.

use std::ops::Range;

/// The parts of a plain text with their positions in the source, both in ascending order. Separators of lines belong to no
/// part.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceMap {
    parts: Vec<Part>,
}

/// A part of the plain text.
#[derive(Debug, Clone)]
struct Part {
    plain: Range<usize>,
    source: Range<usize>,
    /// Whether the source has the same text. Otherwise, every character stands for the whole source range.
    is_verbatim: bool,
}

impl SourceMap {
    /// Adds a part that ends the plain text.
    pub(super) fn push(&mut self, plain: Range<usize>, source: Range<usize>, is_verbatim: bool) {
        let end = self.parts.last().map_or(0, |last| last.source.end);
        match self.parts.last_mut() {
            Some(last)
                if last.is_verbatim
                    && is_verbatim
                    && last.plain.end == plain.start
                    && last.source.end == source.start =>
            {
                last.plain.end = plain.end;
                last.source.end = source.end;
            }
            // The lines of a text that is not verbatim share one range.
            Some(last) if !last.is_verbatim && last.source == source => {
                last.plain.end = plain.end;
            }
            // The parser returns texts in the order of the source. If it does not, this restores the order.
            _ if source.start < end => self.parts.push(Part {
                plain,
                source: end..source.end.max(end),
                is_verbatim: false,
            }),
            _ => self.parts.push(Part {
                plain,
                source,
                is_verbatim,
            }),
        }
    }

    /// Removes the parts after a length of the plain text.
    pub(super) fn truncate(&mut self, length: usize) {
        while self
            .parts
            .pop_if(|last| last.plain.start >= length)
            .is_some()
        {}
        if let Some(last) = self.parts.last_mut() {
            let removed = last.plain.end.saturating_sub(length);
            last.plain.end -= removed;
            if last.is_verbatim {
                last.source.end -= removed;
            }
        }
    }

    /// The range of the source that a range of the plain text came from.
    pub(super) fn source_range(&self, plain: Range<usize>) -> Range<usize> {
        let start = self.start(plain.start);
        match plain.is_empty() {
            true => start..start,
            false => start..self.end(plain.end),
        }
    }

    /// The source position of a character that starts here. A separator is at the end of the part before it.
    fn start(&self, plain: usize) -> usize {
        match self.parts_until(plain).last() {
            Some(part) if plain >= part.plain.end => part.source.end,
            Some(part) if part.is_verbatim => part.source.start + (plain - part.plain.start),
            Some(part) => part.source.start,
            None => 0,
        }
    }

    /// The source position after a character that ends here. A separator ends where the next part starts.
    fn end(&self, plain: usize) -> usize {
        let parts = self.parts_until(plain - 1);
        match parts.last() {
            Some(part) if plain > part.plain.end => {
                let next = self.parts.get(parts.len());
                next.map_or(part.source.end, |next| next.source.start)
            }
            Some(part) if part.is_verbatim => part.source.start + (plain - part.plain.start),
            Some(part) => part.source.end,
            None => 0,
        }
    }

    /// The parts that start at or before a position.
    fn parts_until(&self, plain: usize) -> &[Part] {
        let count = self.parts.partition_point(|part| part.plain.start <= plain);
        &self.parts[..count]
    }
}
