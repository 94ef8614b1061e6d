//! The encoding of stored indexes: the cursor, the position in unread items, and the items.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    store,
    user_index::{Unread, UserIndex},
};
use crate::{
    auth::UserId,
    changes::Cursor,
    db::{Connection, Database},
    error::Error,
    items::ItemKind,
};

/// The version of the index's contents. Increase it when the rules by which texts become words change, or when a kind of item is
/// added. Indexes of another version are rebuilt: programs that do not know a kind skip its changes.
const ANALYSIS: &str = "2";
/// Maximum size of a stored part, in bytes.
const MAX_PART: usize = 1 << 20;

/// The stored index of a user. `None` if there is none, or if an earlier version of the service stored it.
pub(super) async fn load(conn: &mut Connection, owner: UserId) -> Result<Option<UserIndex>, Error> {
    let Some((bytes, generation)) = store::stored_index(conn, owner).await? else {
        return Ok(None);
    };
    // Megabytes take tens of milliseconds.
    let index = tokio::task::spawn_blocking(move || decode(&bytes));
    let index = index.await.map_err(Error::of_task)?;
    Ok(index.map(|index| UserIndex {
        generation,
        ..index
    }))
}

/// Stores an index that searches have kept up to date, unless another build has replaced the stored one meanwhile.
pub(super) async fn save(
    database: &Database,
    owner: UserId,
    index: Arc<UserIndex>,
) -> Result<(), Error> {
    let generation = index.generation;
    let parts = parts(index).await?;
    let mut conn = database.connection().await?;
    conn.transaction(async |conn| {
        store::lock_index(conn, owner).await?;
        match store::generation(conn, owner).await? == generation {
            true => store::replace_index(conn, owner, generation, &parts).await,
            false => Ok(()),
        }
    })
    .await
}

/// Stores an index that was built from all items, in a transaction of the caller. Processes with another index drop it.
pub(super) async fn replace(
    conn: &mut Connection,
    owner: UserId,
    index: UserIndex,
) -> Result<(), Error> {
    let parts = parts(Arc::new(index)).await?;
    store::lock_index(conn, owner).await?;
    store::replace_index(conn, owner, Some(Uuid::now_v7()), &parts).await
}

async fn parts(index: Arc<UserIndex>) -> Result<Vec<Vec<u8>>, Error> {
    let parts = tokio::task::spawn_blocking(move || {
        let parts = encode(&index);
        parts.chunks(MAX_PART).map(<[u8]>::to_vec).collect()
    });
    parts.await.map_err(Error::of_task)
}

/// The header is one line of text: the version, the cursor and, if items are unread, the kind and the id at which reading continues.
fn encode(index: &UserIndex) -> Vec<u8> {
    let unread = index
        .unread
        .map(|unread| format!("{} {}", i16::from(unread.kind), unread.after));
    let header = format!(
        "{ANALYSIS} {} {}\n",
        index.cursor.encode(),
        unread.unwrap_or_default()
    );
    let mut bytes = header.into_bytes();
    bytes.extend(index.items.to_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<UserIndex> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut header = std::str::from_utf8(&bytes[..end]).ok()?.split_whitespace();
    if header.next()? != ANALYSIS {
        return None;
    }
    let mut index = UserIndex::new(Cursor::decode(header.next()?)?);
    index.unread = match header.next() {
        None => None,
        Some(kind) => Some(Unread {
            kind: ItemKind::of_number(kind.parse().ok()?)?,
            after: Uuid::try_parse(header.next()?).ok()?,
        }),
    };
    index.items = text_index::Index::from_bytes(&bytes[end + 1..]).ok()?;
    index.read_vocabulary();
    index.stored = Some(index.cursor.clone());
    Some(index)
}
