//! Search in a user's active items: words in any order and form, phrases, exclusions, alternatives, prefixes and parts of
//! words, and words that are misspelled or badly recognized.
//!
//! A search takes two statements. The first looks up each word and similar ones in a dictionary of the user's own words.
//! The second finds the items with these words through one index. Both read only the user's rows, so their cost does not
//! depend on how much other users store. `docs/search.md` has the reasons and the measurements.
//!
//! - `query`: parses the query. `plan`: builds the parameters of the second statement. `store`: all SQL.
//! - `highlights` and `passages`: show where an item matches.
//! - [`sweep`]: removes unused words from the dictionary.

mod highlights;
mod passages;
mod plan;
mod query;
mod store;
pub mod sweep;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use highlights::Highlighter;
pub(crate) use passages::{Field, Passage, passages};
use plan::Plan;
use query::{MAX_QUERY_LENGTH, Query};
pub use store::Hit;

use crate::{
    auth::Viewer,
    db::{Connection, cursor as opaque},
    error::Error,
    items::ItemKind,
};

/// Maximum number of terms that also match similar words. Further terms match only as written.
const MAX_SIMILAR_TERMS: usize = 8;

/// Which items are searched.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchFilter {
    /// Only these kinds of items; `None` for all.
    pub(crate) kinds: Option<Vec<ItemKind>>,
    /// Only items in this course; `None` for all.
    pub(crate) course_id: Option<Uuid>,
}

/// The position of a hit among all hits of a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchCursor {
    score: f64,
    id: Uuid,
    /// When the first page was requested. Scores depend on it, since recent items rank higher.
    searched_at: DateTime<Utc>,
    /// The digest of the query and its filter.
    digest: u32,
}

impl SearchCursor {
    fn of(hit: &Hit, searched_at: DateTime<Utc>, digest: u32) -> Self {
        SearchCursor {
            score: hit.score,
            id: hit.id,
            searched_at,
            digest,
        }
    }

    /// The opaque cursor.
    pub(crate) fn encode(&self) -> String {
        let (score, at) = (self.score.to_bits(), self.searched_at.timestamp_micros());
        let (id, digest) = (self.id.simple(), self.digest);
        opaque::encode(format!("hit-{score:x}-{at:x}-{id}-{digest:x}"))
    }

    /// # Errors
    /// BAD_USER_INPUT if it is not a cursor of a search.
    pub(crate) fn decode(cursor: &str) -> Result<Self, Error> {
        SearchCursor::parse(cursor).ok_or_else(foreign_cursor)
    }

    fn parse(cursor: &str) -> Option<Self> {
        let text = opaque::decode_text(cursor)?;
        let mut parts = text.strip_prefix("hit-")?.split('-');
        let score = f64::from_bits(u64::from_str_radix(parts.next()?, 16).ok()?);
        let micros = i64::from_str_radix(parts.next()?, 16).ok()?;
        let position = SearchCursor {
            score,
            id: Uuid::try_parse(parts.next()?).ok()?,
            searched_at: DateTime::from_timestamp_micros(micros)?,
            digest: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        (score.is_finite() && parts.next().is_none()).then_some(position)
    }
}

fn foreign_cursor() -> Error {
    Error::bad_input("`after` must be a cursor of this search.")
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

/// The viewer's active items that match a query, best first: a page of `size` hits after a cursor. A query without words
/// has no hits.
///
/// # Errors
/// BAD_USER_INPUT if the query is too long, or the cursor belongs to another search.
pub(crate) async fn search(
    conn: &mut Connection,
    viewer: &Viewer,
    query: &str,
    filter: &SearchFilter,
    after: Option<&SearchCursor>,
    size: usize,
) -> Result<SearchResults, Error> {
    check_length(query)?;
    let digest = digest(query, filter);
    if after.is_some_and(|cursor| cursor.digest != digest) {
        return Err(foreign_cursor());
    }
    let query = query::parse(&query.replace('\0', " "));
    if query.branches.is_empty() {
        return Ok(SearchResults::default());
    }
    let searched_at = after.map_or_else(Utc::now, |cursor| cursor.searched_at);
    let found = conn.transaction(async |conn| {
        store::prefer_indexes(conn).await?;
        let Some((plan, highlighter)) = look_up(conn, viewer, &query).await? else {
            return Ok::<_, Error>(None);
        };
        let one_more = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
        let owner = viewer.user_id;
        let hits = store::find(conn, owner, &plan, filter, searched_at, after, one_more);
        Ok(Some((hits.await?, highlighter)))
    });
    let Some((hits, highlighter)) = found.await? else {
        return Ok(SearchResults::default());
    };
    let has_more = hits.len() > size;
    let hits = hits.into_iter().take(size);
    let hits = hits.map(|hit| (hit, SearchCursor::of(&hit, searched_at, digest)));
    Ok(SearchResults {
        hits: hits.collect(),
        has_more,
        highlighter,
    })
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

/// Identifies a search in its cursors.
fn digest(query: &str, filter: &SearchFilter) -> u32 {
    let kinds = filter.kinds.as_ref();
    let kinds = kinds.map(|kinds| kinds.iter().copied().map(i16::from).collect::<Vec<_>>());
    let hash = Sha256::digest(format!("{query}\n{kinds:?} {:?}", filter.course_id));
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// Looks up a query's terms in the dictionary. `None` if they have no letters.
async fn look_up(
    conn: &mut Connection,
    viewer: &Viewer,
    query: &Query,
) -> Result<Option<(Plan, Highlighter)>, Error> {
    let texts = query.terms().map(|term| term.text.clone()).collect();
    let with_similar = query
        .terms()
        .enumerate()
        .map(|(at, term)| at < MAX_SIMILAR_TERMS && !term.quoted);
    let with_similar = with_similar.collect();
    let matches = store::look_up(conn, viewer.user_id, texts, with_similar).await?;
    Ok(plan::plan(query, &matches))
}
