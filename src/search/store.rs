//! All SQL of the search: the texts of a user's items, and the stored indexes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    items::ItemKind,
};

/// Maximum number of characters of a text that are searched.
pub(crate) const MAX_TEXT: usize = 200_000;

row! {
    /// The searched texts of an item: the first [`MAX_TEXT`] characters of each.
    #[derive(Debug, Clone)]
    pub(super) struct Texts {
        /// The title of a document or a task, the name of a course or a tag.
        pub(super) title: String,
        /// The note of a document, the description of a course or a task.
        pub(super) note: String,
        /// The recognized text of a document.
        pub(super) recognized: String,
    }
}

row! {
    /// What the index reads of an item.
    #[derive(Debug, Clone)]
    pub(super) struct ItemRow {
        pub(super) kind: ItemKind,
        pub(super) id: Uuid,
        pub(super) course_id: Option<Uuid>,
        /// Whether the item was moved to the trash by itself.
        pub(super) is_trashed: bool,
        pub(super) updated_at: DateTime<Utc>,
        pub(super) version: i32,
        /// `None` if they have not changed since the version in the index.
        pub(super) texts: Option<Texts>,
    }
}

impl Texts {
    pub(super) fn bytes(&self) -> usize {
        self.title.len() + self.note.len() + self.recognized.len()
    }
}

/// Selects items of a kind as [`ItemRow`]s. `texts_if` is the condition on which their texts are read.
fn select(kind: ItemKind, texts_if: &str) -> String {
    let (course, trashed) = match kind.is_in_courses() {
        true => (
            "course_id",
            "deleted_at IS NOT NULL AND trashed_with IS NULL",
        ),
        false => ("NULL::uuid", "deleted_at IS NOT NULL"),
    };
    let text =
        |column| format!("CASE WHEN {texts_if} THEN left(coalesce({column}, ''), {MAX_TEXT}) END");
    let texts = kind.searched_columns().map(text).join(", ");
    let (number, table) = (i16::from(kind), kind.table());
    format!(
        "SELECT {number}::smallint, item.id, {course}, {trashed}, updated_at, item.version, {texts} FROM {table} AS item"
    )
}

/// The owner's items of a kind with ids after `after`, in the order of their ids.
pub(super) async fn items(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    after: Uuid,
    limit: usize,
) -> Result<Vec<ItemRow>, Error> {
    let select = select(kind, "true");
    let text = format!("{select} WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    conn.rows(Statement::new(text).bind(owner).bind(after).bind(limit))
        .await
}

/// The condition that a text of an item of a kind may have changed since the version in the index. The change log of an update names
/// the changed fields, unless it was pruned. Reading the log takes much less time than reading a long text. The entry of the item's
/// creation has no later version than the index; without it, `audit_logs_entity_idx` finds the entries.
fn text_changed(kind: ItemKind) -> String {
    let fields = kind.searched_columns().map(field_name).join(", ");
    format!(
        "(known.version = 0 OR EXISTS (
        SELECT FROM audit_logs
        WHERE user_id = $1 AND entity_id = item.id AND action <> 'CREATED' AND audit_logs.version > known.version
            AND (changes ?| ARRAY[{fields}] OR changes IS NULL AND action = 'UPDATED')))"
    )
}

/// The name of a column's field in the API and in the change log, as an SQL string: `'formattedNote'`. An absent column, which is
/// an empty SQL string, stays as it is.
fn field_name(column: &str) -> String {
    let mut words = column.trim_matches('\'').split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        name.extend([&first.to_ascii_uppercase(), rest]);
    }
    format!("'{name}'")
}

/// Those of the owner's items of a kind that have these ids and exist. Their texts are read only if they have changed after the
/// given versions.
pub(super) async fn changed_items(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    known: &[(Uuid, i32)],
) -> Result<Vec<ItemRow>, Error> {
    let select = select(kind, &text_changed(kind));
    let text = format!(
        "{select}
        JOIN unnest($2, $3) AS known (id, version) ON known.id = item.id
        WHERE user_id = $1"
    );
    let (ids, versions): (Vec<Uuid>, Vec<i32>) = known.iter().copied().unzip();
    conn.rows(Statement::new(text).bind(owner).bind(ids).bind(versions))
        .await
}

/// Users with ids after `after`, and whether each has no stored index and at least `documents` documents. The statement
/// reads `limit` users, so it stays short even if few of them need an index.
pub(super) async fn users_to_index(
    conn: &mut Connection,
    after: Uuid,
    documents: i64,
    limit: i64,
) -> Result<Vec<(Uuid, bool)>, Error> {
    if conn.is_sharded() {
        return users_to_index_on_shards(conn, after, documents, limit).await;
    }
    let statement = Statement::new(
        "SELECT id, NOT EXISTS (SELECT FROM search_indexes WHERE user_id = users.id)
            AND (SELECT count(*) FROM (SELECT FROM documents WHERE user_id = users.id LIMIT $2) AS few) = $2
        FROM users WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $3",
    );
    conn.rows(statement.bind(after).bind(documents).bind(limit))
        .await
}

/// As [`users_to_index`] on a sharded database. A statement cannot read users and items.
async fn users_to_index_on_shards(
    conn: &mut Connection,
    after: Uuid,
    documents: i64,
    limit: i64,
) -> Result<Vec<(Uuid, bool)>, Error> {
    let users = users(conn, after, limit).await?;
    let many = Statement::<Uuid>::new(
        "SELECT user_id FROM documents WHERE user_id = ANY($1) GROUP BY user_id HAVING count(*) >= $2",
    );
    let many = conn.rows(many.bind(users.clone()).bind(documents)).await?;
    let indexed = Statement::<Uuid>::new(
        "SELECT user_id FROM search_indexes WHERE user_id = ANY($1) AND part = 0",
    );
    let indexed = conn.rows(indexed.bind(users.clone())).await?;
    let needs_index = |user: &Uuid| many.contains(user) && !indexed.contains(user);
    Ok(users
        .into_iter()
        .map(|user| (user, needs_index(&user)))
        .collect())
}

/// Users with ids after `after`.
pub(super) async fn users(
    conn: &mut Connection,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let statement = Statement::new(
        "SELECT id FROM users WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2",
    );
    let users: Vec<(Uuid,)> = conn.rows(statement.bind(after).bind(limit)).await?;
    Ok(users.into_iter().map(|(id,)| id).collect())
}

row! {
    /// How many users have a stored index.
    #[derive(Debug, Clone, Copy)]
    pub struct IndexStatus {
        /// The number of all users.
        pub users: i64,
        /// The number of users with a stored index.
        pub indexed: i64,
        /// The size of all stored indexes, in bytes.
        pub bytes: i64,
    }
}

/// How many users have a stored index.
pub(super) async fn status(conn: &mut Connection) -> Result<IndexStatus, Error> {
    if conn.is_sharded() {
        let mut number = async |text: &'static str| -> Result<i64, Error> {
            Ok(conn.only_row(Statement::<(i64,)>::new(text)).await?.0)
        };
        return Ok(IndexStatus {
            users: number("SELECT count(*) FROM users WHERE deleted_at IS NULL").await?,
            indexed: number("SELECT count(*) FROM search_indexes WHERE part = 0").await?,
            bytes: number("SELECT citus_total_relation_size('search_indexes')").await?,
        });
    }
    let statement = Statement::new(
        "SELECT (SELECT count(*) FROM users WHERE deleted_at IS NULL),
            (SELECT count(*) FROM search_indexes WHERE part = 0), pg_total_relation_size('search_indexes')",
    );
    conn.only_row(statement).await
}

/// The stored index of a user with its generation, if there is one.
pub(super) async fn stored_index(
    conn: &mut Connection,
    owner: UserId,
) -> Result<Option<(Vec<u8>, Option<Uuid>)>, Error> {
    let statement = Statement::new(
        "SELECT data, generation FROM search_indexes WHERE user_id = $1 ORDER BY part",
    );
    let parts: Vec<(Vec<u8>, Option<Uuid>)> = conn.rows(statement.bind(owner)).await?;
    let Some((_, generation)) = parts.first() else {
        return Ok(None);
    };
    let generation = *generation;
    let parts: Vec<Vec<u8>> = parts.into_iter().map(|(part, _)| part).collect();
    Ok(Some((parts.concat(), generation)))
}

/// The generation of the stored index of a user. `None` also if there is no index.
pub(super) async fn generation(
    conn: &mut Connection,
    owner: UserId,
) -> Result<Option<Uuid>, Error> {
    let statement =
        Statement::new("SELECT generation FROM search_indexes WHERE user_id = $1 AND part = 0");
    let row: Option<(Option<Uuid>,)> = conn.row(statement.bind(owner)).await?;
    Ok(row.and_then(|(generation,)| generation))
}

/// Whether a user has a stored index.
pub(super) async fn has_index(conn: &mut Connection, owner: UserId) -> Result<bool, Error> {
    let statement =
        Statement::<(i32,)>::new("SELECT 1 FROM search_indexes WHERE user_id = $1 AND part = 0");
    Ok(conn.row(statement.bind(owner)).await?.is_some())
}

/// Replaces the stored index of a user with these parts, unless the user is being deleted. The caller's transaction has the lock.
pub(super) async fn replace_index(
    conn: &mut Connection,
    owner: UserId,
    generation: Option<Uuid>,
    parts: &[Vec<u8>],
) -> Result<(), Error> {
    let statement = Statement::<()>::new("DELETE FROM search_indexes WHERE user_id = $1");
    conn.execute(statement.bind(owner)).await?;
    let statement = Statement::<()>::new(
        "SELECT id FROM users WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE",
    );
    if conn.execute(statement.bind(owner)).await? == 0 {
        return Ok(());
    }
    for (part, number) in parts.iter().zip(0_i32..) {
        let statement = Statement::<()>::new(
            "INSERT INTO search_indexes (user_id, part, data, generation) VALUES ($1, $2, $3, $4)",
        );
        let statement = statement.bind(owner).bind(number).bind(part.clone());
        conn.execute(statement.bind(generation)).await?;
    }
    Ok(())
}

/// Locks the stored index of a user for this transaction: one process writes it at a time.
pub(super) async fn lock_index(conn: &mut Connection, owner: UserId) -> Result<(), Error> {
    let lock =
        "SELECT pg_advisory_xact_lock(hashtextextended('search_indexes ' || $1::uuid::text, 0))";
    conn.execute(Statement::<()>::new(lock).bind(owner)).await?;
    Ok(())
}

/// Whether no other process builds missing indexes. If so, locks this work for this transaction.
pub(super) async fn is_only_builder(conn: &mut Connection) -> Result<bool, Error> {
    let lock = "SELECT pg_try_advisory_xact_lock(hashtextextended('snapnote search indexes', 0))";
    let row = conn.row(Statement::<(bool,)>::new(lock)).await?;
    Ok(row.is_some_and(|(locked,)| locked))
}
