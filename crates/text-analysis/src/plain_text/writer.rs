//! Writes a plain text: lines without white space at their ends, with separators between them.

use std::ops::Range;

use super::source_map::SourceMap;

/// What separates a text from the text before it. The greatest of several applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Separator {
    /// Cells and images.
    Space,
    /// Lines and paragraphs.
    Line,
    /// Other blocks.
    Block,
}

impl Separator {
    fn character(self) -> char {
        match self {
            Separator::Space => ' ',
            Separator::Line => '\n',
            Separator::Block => '\u{2029}',
        }
    }
}

/// Writes a plain text and its source map.
#[derive(Debug)]
pub(super) struct Writer<'s> {
    source: &'s str,
    text: String,
    map: SourceMap,
    /// The separator before the next text. At the start, it only removes white space.
    pending: Option<Separator>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Writer {
            source,
            text: String::new(),
            map: SourceMap::default(),
            pending: Some(Separator::Line),
        }
    }

    /// The Markdown text.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Separates the texts before and after.
    pub(super) fn separate(&mut self, separator: Separator) {
        self.pending = self.pending.max(Some(separator));
    }

    /// Writes text that came from a range of the source.
    pub(super) fn write(&mut self, text: &str, source: Range<usize>) {
        let is_verbatim = self.source.get(source.clone()) == Some(text);
        let mut at = source.start;
        for line in text.split_inclusive('\n') {
            let shown = line.strip_suffix('\n').unwrap_or(line);
            match is_verbatim {
                true => self.write_verbatim(shown, at),
                false => self.write_instead(shown, source.clone()),
            }
            if shown.len() < line.len() {
                self.separate(Separator::Line);
            }
            at += line.len();
        }
    }

    /// Writes text that differs from the source by a few missing characters on either side, such as code in a block quote.
    pub(super) fn write_similar(&mut self, text: &str, source: Range<usize>) {
        let Some(range) = self.source.get(source.clone()) else {
            return self.write(text, source);
        };
        if let Some(at) = range.find(text) {
            let start = source.start + at;
            return self.write(text, start..start + text.len());
        }
        let mut rest = range.char_indices();
        for (at, character) in text.char_indices() {
            let is_same =
                |other: char| other == character || (character == ' ' && "\r\n".contains(other));
            let Some((found, other)) = rest.find(|(_, other)| is_same(*other)) else {
                return self.write(&text[at..], source.end..source.end);
            };
            let start = source.start + found;
            let end = at + character.len_utf8();
            self.write(&text[at..end], start..start + other.len_utf8());
        }
    }

    /// The length of the text so far, without the pending separator.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text from a position.
    pub(super) fn text_from(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or_default()
    }

    /// Removes the text after a length, and the white space before that.
    pub(super) fn truncate(&mut self, length: usize) {
        let kept = self.text[..length].trim_end().len();
        self.text.truncate(kept);
        self.map.truncate(kept);
    }

    /// The text and its map.
    pub(super) fn finish(mut self) -> (String, SourceMap) {
        self.truncate(self.len());
        (self.text, self.map)
    }

    fn write_verbatim(&mut self, line: &str, source: usize) {
        let shown = self.start_of(line);
        let start = source + (line.len() - shown.len());
        self.append(shown, start..start + shown.len(), true);
    }

    fn write_instead(&mut self, line: &str, source: Range<usize>) {
        let start = self.source.floor_char_boundary(source.start);
        let end = self.source.ceil_char_boundary(source.end).max(start);
        let shown = self.start_of(line);
        self.append(shown, start..end, false);
    }

    /// A text without the white space that the pending separator replaces.
    fn start_of<'t>(&self, line: &'t str) -> &'t str {
        match self.pending {
            Some(_) => line.trim_start(),
            None => line,
        }
    }

    fn append(&mut self, text: &str, source: Range<usize>, is_verbatim: bool) {
        if text.is_empty() {
            return;
        }
        if let Some(separator) = self.pending.take() {
            self.truncate(self.len());
            if !self.text.is_empty() {
                self.text.push(separator.character());
            }
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.map.push(start..self.text.len(), source, is_verbatim);
    }
}
