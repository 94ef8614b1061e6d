//! Analyzes text: reads Markdown as plain text, splits texts of any script into words, and finds similar words.
//!
//! Indexing, queries, highlights and excerpts use the same analyzer, so that they agree on what a word is. All functions are pure.
//!
//! ```
//! use text_analysis::{Highlighter, Term, tokens};
//!
//! let words: Vec<String> = tokens("The Row-Rank").map(|token| token.word).collect();
//! assert_eq!(words, ["the", "row", "rowrank", "rank"]);
//!
//! let highlighter = Highlighter::new([Term::new("rowrank", false)]);
//! assert_eq!(highlighter.highlights("The Row-Rank")[0].range, 4..12);
//! ```

mod characters;
mod excerpt;
mod fold;
mod highlighter;
mod look;
mod passages;
mod plain_text;
mod stem;
mod tokens;
pub mod vocabulary;
mod word_filter;

pub use excerpt::excerpt;
pub use fold::{MAX_WORD_BYTES, fold};
pub use highlighter::{Highlight, Highlighter, Term};
pub use look::look;
pub use passages::{Passage, passages};
pub use plain_text::PlainText;
pub use stem::{Language, is_stop_word, stem};
pub use tokens::{Token, TokenKind, Tokens, tokens};
pub use vocabulary::{Likeness, Similar, Vocabulary};
