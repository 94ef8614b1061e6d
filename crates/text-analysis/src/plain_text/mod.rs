//! Markdown as plain text: the text that a reader of the rendered note sees, and the position of each part in the source.
//!
//! What is text:
//! - Entities are decoded. Emphasis, links, `<sub>` and other inline markup separate no words: `H<sub>2</sub>O` is `H2O`.
//! - Formulas and code stay as written, without their delimiters.
//! - List numbers, bullets, check boxes, footnote marks and the titles of alerts (`> [!NOTE]`) are not text: a renderer generates them.
//! - The description of an image is text, in Markdown and in HTML (`alt`). Browsers show it in place of an image that they
//!   cannot load, and screen readers read it. Titles of links and images are not, since they only appear under the pointer.
//! - Link targets, tags, other attributes, comments, scripts, front matter and definitions of links are not text.
//!
//! Lines have no white space at either end and are not empty. Three characters separate them, so that a tokenizer can tell
//! where a hyphen may continue a word:
//! - `'\n'` between lines and between paragraphs. A word may be hyphenated there.
//! - `'\u{2029}'` between other blocks, such as items, rows and headings. A word never continues there.
//! - `' '` between the cells of a row.
//!
//! Reading never fails and never panics. Anything that is not Markdown syntax is text. The time is linear in the length of the source.

mod front_matter;
mod html;
mod nesting;
mod reader;
mod source_map;
mod writer;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

use std::ops::Range;

use source_map::SourceMap;

/// The plain text of a Markdown note.
#[derive(Debug, Clone, Default)]
pub struct PlainText {
    text: String,
    map: SourceMap,
    code_languages: Vec<String>,
}

impl PlainText {
    /// Reads a Markdown text: CommonMark with HTML, and tables, footnotes, task lists, strikethrough, formulas, alerts,
    /// definition lists, wiki links, heading attributes and front matter.
    pub fn from_markdown(markdown: &str) -> Self {
        reader::read(markdown)
    }

    /// The plain text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The languages of code blocks, each once, as the source names them. They are not part of the text, because not all renderers
    /// show them.
    pub fn code_languages(&self) -> &[String] {
        &self.code_languages
    }

    /// The plain text without its positions in the source.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Where a range of the plain text is in the Markdown source. Both ranges are in bytes.
    ///
    /// The result contains the markup inside the range, but not the markup around it. For a part of a character that is written
    /// as an entity, it contains the whole entity. Positions outside the text count as its end, and positions inside a character as
    /// its boundaries.
    pub fn source_range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.ceil_char_boundary(range.end);
        self.map.source_range(start..end.max(start))
    }
}
