//! Folded titles: titles without case and accents, folded as the search folds words. Filters by a part of a title compare them.
//!
//! They are a column of each item's table, written with the title. Folding needs Unicode tables that PostgreSQL does not have. So
//! if another program writes a title, its folded title is null until a background job folds it. The same job folds the titles
//! that existed before the column. Until then, filters compare such a title as it is, ignoring case.

mod store;

use store::Folded;
use text_analysis::fold as fold_text;

use super::ItemKind;
use crate::{
    db::{Connection, Database, background::in_steps},
    error::Error,
};

/// Maximum length of a folded title in bytes. PostgreSQL cannot index longer ones. Only titles with many characters that each stand
/// for several words, such as ﷺ, exceed it. Filters do not find the ends of such titles.
const MAX_FOLDED_BYTES: usize = 2_400;
/// Maximum number of titles per step.
const STEP: u32 = 500;

/// Folds a title or a part of a title.
pub(crate) fn fold(title: &str) -> String {
    let mut folded = fold_text(title);
    folded.truncate(folded.floor_char_boundary(MAX_FOLDED_BYTES));
    folded
}

/// Folds the titles that are not folded yet, and returns their number.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn fold_all(database: &Database) -> Result<u64, Error> {
    let mut all = 0;
    for kind in ItemKind::ALL {
        all += in_steps(database, u64::from(STEP), async move |conn| {
            fold_some(conn, kind).await
        })
        .await?;
    }
    Ok(all)
}

async fn fold_some(conn: &mut Connection, kind: ItemKind) -> Result<u64, Error> {
    let rows = store::lock_unfolded(conn, kind, STEP).await?;
    let number = rows.len() as u64;
    if number > 0 {
        let items = rows.into_iter().map(|(owner, id, title)| Folded {
            owner,
            id,
            folded: fold(&title),
            title,
        });
        store::set_folded(conn, kind, items.collect()).await?;
    }
    Ok(number)
}
