//! The order of hits.
//!
//! The score is the sum of three numbers. The class of the match is a whole number from 0 to 7. It depends on whether all words are
//! in the title, and whether they match as written, by stem, by similarity or as misspellings. Recency adds up to 0.1. The number
//! and position of the matches add up to 0.8.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SearchCursor, SearchFilter, item::Attributes, user_index::UserIndex};
use crate::items::ItemRef;

/// The age at which the bonus for recency has fallen to about a third: 180 days, in seconds.
const RECENCY: f64 = 15_552_000.0;

/// An item that matches a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    /// The item.
    pub(crate) item: ItemRef,
    /// How well the item matches. Higher is better.
    pub(crate) score: f64,
}

/// The active items that match a query and a filter, best first, after a cursor.
pub(super) fn hits(
    index: &UserIndex,
    query: &text_index::Query,
    filter: &SearchFilter,
    searched_at: DateTime<Utc>,
    after: Option<&SearchCursor>,
) -> Vec<Hit> {
    let is_wanted = |item: &Attributes| {
        let kinds = filter.kinds.as_ref();
        kinds.is_none_or(|kinds| kinds.contains(&item.kind))
            && (filter.course_id.is_none() || item.course_id == filter.course_id)
            && index.is_active(item)
    };
    let found = index.items.search(query, is_wanted).into_iter();
    let mut hits: Vec<Hit> = found
        .map(|hit| Hit {
            item: ItemRef {
                kind: hit.attributes.kind,
                id: Uuid::from_u128(hit.key),
            },
            score: score(&hit, searched_at),
        })
        .filter(|hit| after.is_none_or(|after| is_after(hit, after)))
        .collect();
    hits.sort_unstable_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then(one.item.id.cmp(&other.item.id))
    });
    hits
}

fn score(hit: &text_index::Hit<Attributes>, searched_at: DateTime<Utc>) -> f64 {
    let age = (searched_at - hit.attributes.updated_at)
        .as_seconds_f64()
        .max(0.0);
    f64::from(hit.class) + 0.1 * (-age / RECENCY).exp() + 0.8 * hit.rank
}

#[expect(clippy::float_cmp, reason = "the cursor has the exact score")]
fn is_after(hit: &Hit, cursor: &SearchCursor) -> bool {
    hit.score < cursor.score || (hit.score == cursor.score && hit.item.id > cursor.id)
}
