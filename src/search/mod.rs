//! Search in a user's active items: words in any order and form, phrases, exclusions, alternatives, prefixes and parts of
//! words, and words that are misspelled or badly recognized.
//!
//! A process keeps an index in memory for each user who searches. It is a copy of what the tables contain, so writes do not
//! change it. Every search first reads the user's change feed after the index's cursor, in one statement. So it finds everything
//! that was committed before, whichever program wrote it. The cost of a search does not depend on how much other users store.
//!
//! - `query`: parses the query. `plan`: chooses the words of the index that match its terms. `rank`: the order of hits.
//! - `user_index`: reads items into an index, and applies changes. `item`: an item's words. `store`: all SQL.
//! - [`indexes`]: the indexes of all users, in memory and stored. `stored`: the encoding of stored indexes.
//! - `cursor`: the position of a hit. `passages`: the parts of an item that match.
//!
//! # Design
//! - **An index in memory instead of one in PostgreSQL.** PostgreSQL must update an index with every write of an item, once for each of
//!   some hundred words. A GIN index of `tsvector` (each word as a hash of six letters, with positions) took 1.5 times the size of the
//!   documents, one of arrays without positions 0.8 times. An index in memory takes about half the size of its user's texts. The change
//!   feed shows exactly what changed, so writes do no extra work for the search.
//! - **One index per user.** The cost of a search does not depend on what other users store.
//! - **Own code for the index.** tantivy is made for large indexes on disk. It needs threads and a buffer of 15 MB for each writer.
//! - **Stems of seven languages.** Words with the same English stem rank directly after exact words. The service does not know the
//!   language of a word, so it also compares Dutch, French, German, Italian, Portuguese and Spanish stems. These matches rank with
//!   prefixes and parts.
//!
//! `docs/search.md` describes the query syntax and how a search runs, `docs/benchmarks.md` the measurements.

mod cursor;
pub mod indexes;
mod item;
mod passages;
mod plan;
mod query;
mod rank;
mod store;
mod stored;
mod user_index;

use chrono::{SubsecRound, Utc};
use uuid::Uuid;

pub(crate) use cursor::SearchCursor;
pub use indexes::SearchIndexes;
pub(crate) use passages::{Field, passages};
pub(crate) use rank::Hit;
pub(crate) use text_analysis::{Highlighter, Passage};

use query::MAX_QUERY_LENGTH;

use crate::{auth::Viewer, error::Error, items::ItemKind};

/// Which items are searched.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchFilter {
    /// Only these kinds of items; `None` for all.
    pub(crate) kinds: Option<Vec<ItemKind>>,
    /// Only items in this course; `None` for all.
    pub(crate) course_id: Option<Uuid>,
}

/// A page of hits.
#[derive(Debug, Default)]
pub(crate) struct SearchResults {
    /// The hits and their cursors, best first.
    pub(crate) hits: Vec<(Hit, SearchCursor)>,
    /// Whether there are more hits after this page.
    pub(crate) has_more: bool,
    /// Finds the matches in the hits' texts.
    pub(crate) highlighter: Highlighter,
}

impl SearchIndexes {
    /// The viewer's active items that match a query, best first: a page of `size` hits after a cursor. A query without words
    /// has no hits.
    ///
    /// # Errors
    /// BAD_USER_INPUT if the query is too long, or the cursor belongs to another search.
    pub(crate) async fn search(
        &self,
        viewer: &Viewer,
        query: &str,
        filter: &SearchFilter,
        after: Option<&SearchCursor>,
        size: usize,
    ) -> Result<SearchResults, Error> {
        check_length(query)?;
        let digest = cursor::digest(query, filter);
        if after.is_some_and(|cursor| cursor.digest != digest) {
            return Err(cursor::foreign());
        }
        let query = query::parse(query);
        if query.branches.is_empty() {
            return Ok(SearchResults::default());
        }
        let index = self.current(viewer.user_id).await?;
        let Some((query, highlighter)) = plan::plan(&query, &index.vocabulary) else {
            return Ok(SearchResults::default());
        };
        let searched_at =
            after.map_or_else(|| Utc::now().trunc_subsecs(6), |cursor| cursor.searched_at);
        let mut hits = rank::hits(&index, &query, filter, searched_at, after);
        let has_more = hits.len() > size;
        hits.truncate(size);
        let cursor = |hit: &Hit| SearchCursor {
            score: hit.score,
            id: hit.id,
            searched_at,
            digest,
        };
        Ok(SearchResults {
            hits: hits.into_iter().map(|hit| (hit, cursor(&hit))).collect(),
            has_more,
            highlighter,
        })
    }
}

fn check_length(query: &str) -> Result<(), Error> {
    let length = query.chars().count();
    if length > MAX_QUERY_LENGTH {
        return Err(Error::bad_input(format!(
            "`query` must have at most {MAX_QUERY_LENGTH} characters; got {length}."
        )));
    }
    Ok(())
}
