//! Reads text as people read it: Markdown as plain text, words of any script, and words that are similar to each other.
//!
//! One analyzer serves indexing, queries, highlights and excerpts, so that they never disagree about what a word is. All
//! functions are pure.

pub mod vocabulary;

pub use vocabulary::{Likeness, Similar, Vocabulary};
