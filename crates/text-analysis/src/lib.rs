//! Reads text as people read it: Markdown as plain text, words of any script, and words that are similar to each other.
//!
//! One analyzer serves indexing, queries, highlights and excerpts, so that they never disagree about what a word is. All
//! functions are pure.

mod excerpt;
mod passages;
mod plain_text;

pub use excerpt::excerpt;
pub use passages::{Passage, passages};
pub use plain_text::PlainText;
