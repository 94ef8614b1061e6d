//! An inverted index in memory: finds the items that contain words and phrases, and ranks them.
//!
//! It is made for the items of one owner, some hundreds to some tens of thousands, which change a few at a time:
//!
//! - An [`Index`] consists of segments that never change. New items are a new segment. Small segments are merged, so there are
//!   few, and a clone of the index shares them.
//! - Postings and positions are numbers of one or two bytes. [As bytes](Index::to_bytes), an index takes about 0.35 to 0.55 of the
//!   size of its text: less if it has many items, which share their words.
//! - A [`Query`] names the words that match each of its terms. Which words these are is decided elsewhere.
//!
//! ```
//! use text_index::{Additions, Alternative, Index, Level, Query, Term};
//!
//! let mut additions = Additions::default();
//! additions.add(7, "note", 1, [("groups", 0), ("a", 10), ("group", 11), ("is", 12)].into_iter());
//! let mut index = Index::default();
//! index.add(additions);
//! let phrase = Alternative { words: vec!["a".into(), "group".into()], is_prefix: false, level: Level::Literal, is_counted: true };
//! let query = Query { branches: vec![vec![Term { alternatives: vec![phrase] }]], excluded: vec![] };
//! let hits = index.search(&query, |_| true);
//! assert_eq!((hits[0].key, hits[0].attributes), (7, "note"));
//! ```

mod builder;
mod encoding;
mod evaluate;
mod index;
mod occurrences;
mod query;
mod rank;
mod segment;
mod varint;
mod words;

pub use encoding::{Encode, InvalidIndex};
pub use index::{Additions, Hit, Index};
pub use query::{Alternative, Level, Query, Term};
