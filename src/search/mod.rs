//! The search: what somebody's active items say, found by words in any order and form, phrases, exclusions and
//! alternatives, by the beginnings and parts of words, and by words that are misspelt or badly recognised.
//!
//! Two statements answer it. The first looks each word up in the dictionary of the person's own words, where what resembles
//! it is found; the second asks one index for the items that have such words. Both stay within what is the person's own,
//! so that others may keep as much as they like: `docs/search.md` has the reasons and the figures.
//!
//! Read on: [`query`] takes apart what was typed, `plan` puts together what is asked, `marks` and `passages` show where it
//! was found.

mod marks;
mod passages;
mod plan;
mod query;
mod store;
pub mod sweep;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use marks::Marks;
pub(crate) use passages::{Field, Passage, passages};
use plan::Plan;
pub use query::MOST_QUERY;
use query::Query;
pub use store::Hit;

use crate::{auth::Viewer, db::Connection, error::Error, items::ItemKind};

/// Words that are looked for with what resembles them, at most; the others as they are.
const MOST_LOOKED_UP: usize = 8;

/// What is searched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowed {
    /// Only these kinds of items; `None`: all.
    pub(crate) kinds: Option<Vec<ItemKind>>,
    /// Only what stands in this course; `None`: wherever.
    pub(crate) course_id: Option<Uuid>,
}

/// The place of a hit among all that were found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    score: f64,
    id: Uuid,
    /// When it was asked for the first page: what is recent is so at that moment.
    asked_at: DateTime<Utc>,
    /// Which search it is a place in.
    search: u32,
}

impl Place {
    /// A cursor, opaque.
    pub(crate) fn cursor(&self) -> String {
        let (score, at) = (self.score.to_bits(), self.asked_at.timestamp_micros());
        let (id, search) = (self.id.simple(), self.search);
        URL_SAFE_NO_PAD.encode(format!("hit-{score:x}-{at:x}-{id}-{search:x}"))
    }

    /// `None` if that is no cursor of a search.
    pub(crate) fn of_cursor(cursor: &str) -> Option<Place> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.strip_prefix("hit-")?.split('-');
        let score = f64::from_bits(u64::from_str_radix(parts.next()?, 16).ok()?);
        let micros = i64::from_str_radix(parts.next()?, 16).ok()?;
        let place = Place {
            score,
            id: Uuid::try_parse(parts.next()?).ok()?,
            asked_at: DateTime::from_timestamp_micros(micros)?,
            search: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        (score.is_finite() && parts.next().is_none()).then_some(place)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Best first, with their places.
    pub(crate) hits: Vec<(Hit, Place)>,
    /// Whether there are more behind them.
    pub(crate) has_more: bool,
    /// What is to be marked in them.
    pub(crate) marks: Marks,
}

/// The viewer's active items that fit a query, best first, behind a place: `size` at most. Nothing for a query without
/// words.
///
/// # Errors
/// BAD_USER_INPUT if the query is too long, or the place is of another search.
pub(crate) async fn search(
    conn: &mut Connection,
    viewer: &Viewer,
    query: &str,
    narrowed: &Narrowed,
    after: Option<&Place>,
    size: usize,
) -> Result<Found, Error> {
    if query.chars().count() > MOST_QUERY {
        return Err(Error::bad_input(format!(
            "query must have at most {MOST_QUERY} characters."
        )));
    }
    let search = digest(query, narrowed);
    if after.is_some_and(|place| place.search != search) {
        return Err(Error::bad_input("after must be a cursor of this search."));
    }
    let query = query::parse(&query.replace('\0', " "));
    if query.branches.is_empty() {
        return Ok(Found::default());
    }
    let asked_at = after.map_or_else(Utc::now, |place| place.asked_at);
    let found = conn.transaction(async |conn| {
        store::go_by_index(conn).await?;
        let Some((plan, marks)) = look_up(conn, viewer, &query).await? else {
            return Ok::<_, Error>(None);
        };
        let one_more = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
        let hits = store::find(
            conn,
            viewer.user_id,
            &plan,
            narrowed,
            asked_at,
            after,
            one_more,
        );
        Ok(Some((hits.await?, marks)))
    });
    let Some((mut hits, marks)) = found.await? else {
        return Ok(Found::default());
    };
    let has_more = hits.len() > size;
    hits.truncate(size);
    let place = |hit: &Hit| Place {
        score: hit.score,
        id: hit.id,
        asked_at,
        search,
    };
    let hits = hits.into_iter().map(|hit| (hit, place(&hit))).collect();
    Ok(Found {
        hits,
        has_more,
        marks,
    })
}

/// What a search is known by in its cursors.
fn digest(query: &str, narrowed: &Narrowed) -> u32 {
    let hash = Sha256::digest(format!("{query}\n{narrowed:?}"));
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// What is to be asked for these terms; `None` if they have no letters.
async fn look_up(
    conn: &mut Connection,
    viewer: &Viewer,
    query: &Query,
) -> Result<Option<(Plan, Marks)>, Error> {
    let texts = query.terms().map(|term| term.text.clone()).collect();
    let looked_up = query
        .terms()
        .enumerate()
        .map(|(at, term)| at < MOST_LOOKED_UP && !term.quoted);
    let looked_up = store::look_up(conn, viewer.user_id, texts, looked_up.collect()).await?;
    Ok(plan::plan(query, &looked_up))
}
