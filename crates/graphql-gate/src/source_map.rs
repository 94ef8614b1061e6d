//! Lines and columns of a text, for the locations in errors.
//!
//! Read on: `translate.rs`, which asks for each field.

use apollo_compiler::parser::SourceSpan;
use async_graphql::Pos;

/// Finds lines and columns in one text, each in a few steps however long the text is.
pub(super) struct Places {
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    /// Where bytes stand that do not begin a character; a column counts characters.
    inner_bytes: Vec<usize>,
}

impl Places {
    pub(super) fn of(text: &str) -> Self {
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
            inner_bytes: (0..bytes.len())
                .filter(|&at| !text.is_char_boundary(at))
                .collect(),
        }
    }

    /// Where `span` begins; None for what apollo-compiler gives no place.
    pub(super) fn start(&self, span: Option<SourceSpan>) -> Option<Pos> {
        Some(self.at(span?.offset()))
    }

    /// The line and the column at `offset` in bytes, counted from 1.
    pub(super) fn at(&self, offset: usize) -> Pos {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        let inner_before = |offset| self.inner_bytes.partition_point(|&at| at < offset);
        let inner = inner_before(offset) - inner_before(start);
        Pos {
            line,
            column: offset - start - inner + 1,
        }
    }
}
