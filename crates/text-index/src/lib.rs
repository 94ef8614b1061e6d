//! An inverted index in memory: finds the items that contain words and phrases, and ranks them.
//!
//! It is made for the items of one owner: hundreds to tens of thousands of items, of which a few change at a time.
//!
//! - An [`Index`] consists of segments that never change. New items become a new segment. Small segments are merged, so
//!   there are few. Clones of the index share them.
//! - Most postings and positions take one or two bytes. [As bytes](Index::to_bytes), an index takes about 0.35 to 0.55 of the size
//!   of its text. With many items it takes less, because they share their words.
//! - A [`Query`] lists the words that match each of its terms. The caller chooses these words.
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
