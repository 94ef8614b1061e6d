//! Folded titles, which filters by a part of a title compare: without case and accents, as the search has them.
//!
//! They are a column of each item's table, written with the title. The folding needs Unicode tables that PostgreSQL does not have, so
//! a title that another program writes has no folded title at first. A background job makes it. The same job folds the titles of
//! a database from before the column existed. Until then, such a title is compared ignoring case.

use text_analysis::fold as fold_text;

use super::{ItemKind, store};
use crate::{
    db::{Connection, Database, background::in_steps},
    error::Error,
};

/// Maximum length of a folded title in bytes. PostgreSQL does not index longer ones. Only titles with many characters such as ﷺ,
/// each of which stands for several words, are longer; their ends are not found.
const MAX_FOLDED_BYTES: usize = 2_400;
/// Maximum number of titles per step.
const STEP: u32 = 500;

/// Folds a title, or a part of one.
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
        let titles = rows
            .into_iter()
            .map(|(owner, id, title)| (owner, (id, fold(&title))));
        let (owners, (ids, folded)): (_, (_, _)) = titles.unzip();
        store::set_folded(conn, kind, (owners, ids, folded)).await?;
    }
    Ok(number)
}
