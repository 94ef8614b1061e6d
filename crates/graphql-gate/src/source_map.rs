//! Lines and columns of a text, for the locations in errors.

use apollo_compiler::parser::SourceSpan;
use async_graphql::Pos;

/// Converts byte offsets of one text to lines and columns by binary search.
pub(crate) struct SourceMap {
    /// The byte offset at which each line starts.
    lines: Vec<usize>,
    /// The offsets of bytes that do not start a character. A column counts characters.
    continuation_bytes: Vec<usize>,
}

impl SourceMap {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends_line = |at: usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let line_ends = (0..bytes.len()).filter(|&at| ends_line(at));
        Self {
            lines: std::iter::once(0)
                .chain(line_ends.map(|at| at + 1))
                .collect(),
            continuation_bytes: (0..bytes.len())
                .filter(|&at| !text.is_char_boundary(at))
                .collect(),
        }
    }

    /// The start of `span`. None if apollo-compiler gives no location.
    pub(crate) fn start(&self, span: Option<SourceSpan>) -> Option<Pos> {
        Some(self.position(span?.offset()))
    }

    /// The line and column at a byte offset, counted from 1.
    pub(crate) fn position(&self, offset: usize) -> Pos {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        let bytes = &self.continuation_bytes;
        let before = |offset| bytes.partition_point(|&at| at < offset);
        let continuation_bytes = before(offset) - before(start);
        Pos {
            line,
            column: offset - start - continuation_bytes + 1,
        }
    }
}
