//! Search in a user's active items: words in any order and form, phrases, exclusions, alternatives, prefixes and parts of
//! words, and words that are misspelled or badly recognized.
//!
//! A process keeps an index in memory for each user who searches. It is a copy of what the tables contain, so writes do not
//! change it. Every search first reads the user's change feed after the index's cursor, in one statement. So it finds everything
//! that was committed before, whichever program wrote it. The cost of a search does not depend on how much other users store.
//!
//! - `query`: parses the query. `plan`: chooses the words of the index that match its terms. `rank`: the order of hits.
//! - `user_index`: reads items into an index, and applies changes. `item`: an item's words. `store`: all SQL.
//! - [`indexes`]: the indexes of all users in memory. `builds`: complete builds. `stored`: the encoding of stored indexes.
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
//! - **A copy of the index is stored** if enough items have changed since the last time: an eighth of the items, minimum 50. It is stored
//!   again after half of the time for which its cursor is valid, because an index with an expired cursor is useless. A process
//!   without the index in memory loads it and applies the changes since then. The feed names the changed fields, so only texts that
//!   changed are read again. The stored index has a generation, which the feed's statement returns. If another process has rebuilt
//!   the index, the generation differs, and the index in memory is dropped.
//! - **One analyzer.** `text-analysis` splits items, queries and highlighted texts into words in the same way. In scripts without
//!   spaces, words are characters and dictionary words.
//!
//! `docs/search.md` describes the query syntax, the ranking and the limits, `docs/benchmarks.md` the measurements.

mod builds;
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

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use cursor::SearchCursor;
pub use indexes::SearchIndexes;
pub(crate) use passages::{Field, FieldKind, passages};
pub(crate) use rank::Hit;
pub(crate) use store::MAX_TEXT;
pub(crate) use text_analysis::{Highlighter, Passage};

use query::MAX_QUERY_LENGTH;

use crate::{auth::Viewer, error::Error, items::ItemKind};

/// Permits to compute hits and passages: four requests at the same time per process.
static PERMITS: Semaphore = Semaphore::const_new(4);

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
    /// Whether items may be missing, because the index does not have all items and changes yet.
    pub(crate) is_incomplete: bool,
    /// Finds the matches in the hits' texts.
    pub(crate) highlighter: Arc<Highlighter>,
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
        let at = Position {
            after: after.cloned(),
            searched_at: after.map_or_else(|| Utc::now().trunc_subsecs(6), |it| it.searched_at),
            digest,
        };
        let filter = filter.clone();
        compute(move || page(&index, &query, &filter, at, size)).await
    }
}

/// Where a page of hits begins.
struct Position {
    after: Option<SearchCursor>,
    searched_at: DateTime<Utc>,
    digest: u32,
}

fn page(
    index: &user_index::UserIndex,
    query: &query::Query,
    filter: &SearchFilter,
    at: Position,
    size: usize,
) -> SearchResults {
    let is_incomplete = index.is_incomplete();
    let Some((query, highlighter)) = plan::plan(query, &index.vocabulary) else {
        return SearchResults {
            is_incomplete,
            ..SearchResults::default()
        };
    };
    let Position {
        after,
        searched_at,
        digest,
    } = at;
    let mut hits = rank::hits(index, &query, filter, searched_at, after.as_ref());
    let has_more = hits.len() > size;
    hits.truncate(size);
    let cursor = |hit: &Hit| SearchCursor {
        score: hit.score,
        id: hit.item.id,
        searched_at,
        digest,
    };
    SearchResults {
        hits: hits.into_iter().map(|hit| (hit, cursor(&hit))).collect(),
        has_more,
        is_incomplete,
        highlighter: Arc::new(highlighter),
    }
}

/// Runs work that can take many milliseconds on a thread of its own, so that it does not delay other requests. A request that is
/// canceled while it waits for a permit starts no work.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let permit = PERMITS.acquire().await.map_err(Error::internal)?;
    let computed = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    computed.await.map_err(Error::of_task)
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
