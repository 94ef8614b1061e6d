//! All the SQL of pictures. Every statement is its owner's alone, but for what a signed link names and for the sweep.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use image_intake::ImageInfo;
use uuid::Uuid;

use super::model::{Announced, Image, ObjectRef};
use crate::{
    auth::UserId,
    db::{Connection, Row, Statement},
    error::Error,
};

/// Uploads of one person that may be open at a time.
pub(super) const MOST_OPEN: i64 = 20;

const LOCK_OWNER: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";

/// How a request for an upload ended.
pub(super) struct Opened {
    /// The document's status; `None`: there is no such document.
    pub(super) document_status: Option<String>,
    /// When the link expires; `None`: nothing was opened.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Milliseconds until the first of the open ones expires; `None` if there is none.
    pub(super) first_expires_in: Option<i64>,
}

type OpenedRow = (Option<String>, Option<DateTime<Utc>>, Option<i64>);

impl Row for OpenedRow {
    type Sql = (Nullable<Text>, Nullable<Timestamptz>, Nullable<BigInt>);
}

/// A link works for a quarter of an hour; whoever has begun by then has another one to end, and the sweep waits for them.
const OPEN: &str = "
    WITH document AS (
        SELECT status FROM current_documents WHERE user_id = $1 AND id = $3
    ), others AS (
        SELECT count(*) AS number, extract(epoch FROM min(expires_at) - now()) * 1000 AS first_expires_in
        FROM image_objects WHERE user_id = $1 AND state = 'open' AND expires_at > now()
    ), made AS (
        INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, expires_at, sweep_at)
        SELECT $1, $2, $3, 'upload', 'open', $4, $5, date_trunc('second', now()) + interval '15 minutes',
            now() + interval '30 minutes'
        FROM document, others WHERE document.status = 'active' AND others.number < $6
        RETURNING expires_at
    )
    SELECT (SELECT status FROM document), (SELECT expires_at FROM made), first_expires_in::bigint FROM others";

/// Opens an upload, in the caller's transaction: requests of one person wait for each other, so that they are counted.
pub(super) async fn open(
    conn: &mut Connection,
    owner: UserId,
    id: Uuid,
    document: Uuid,
    announced: &Announced,
) -> Result<Opened, Error> {
    conn.rows(Statement::<(Uuid,)>::new(LOCK_OWNER).bind(owner))
        .await?;
    let statement = Statement::<OpenedRow>::new(OPEN)
        .bind(owner)
        .bind(id)
        .bind(document)
        .bind(announced.content_type.name())
        .bind(announced.byte_size)
        .bind(MOST_OPEN);
    let (document_status, expires_at, first_expires_in) =
        conn.row(statement).await?.unwrap_or_default();
    Ok(Opened {
        document_status,
        expires_at,
        first_expires_in,
    })
}

const ANNOUNCED: &str = "
    SELECT content_type, byte_size FROM image_objects WHERE id = $1 AND state = 'open' AND expires_at > now()";

/// What was announced of an upload that may be sent; the link to it names it.
pub(super) async fn announced(conn: &mut Connection, id: Uuid) -> Result<Option<Announced>, Error> {
    conn.row(Statement::new(ANNOUNCED).bind(id)).await
}

/// An upload and its document before anything is done to them.
pub(super) struct Standing {
    /// The document's status; `None`: there is no such document.
    pub(super) document_status: Option<String>,
    /// The upload, if it is open and for this document.
    pub(super) upload: Option<Announced>,
    /// Whether the document's picture was made of that upload.
    pub(super) done: bool,
}

type StandingRow = (Option<String>, Option<Announced>, bool);

impl Row for StandingRow {
    type Sql = (Nullable<Text>, Nullable<<Announced as Row>::Sql>, Bool);
}

const STANDING: &str = "
    SELECT document.status, upload.content_type, upload.byte_size, coalesce(image.upload_id = $3, false)
    FROM (VALUES (1)) AS one
    LEFT JOIN current_documents AS document ON document.user_id = $1 AND document.id = $2
    LEFT JOIN image_objects AS upload ON upload.user_id = $1 AND upload.id = $3 AND upload.document_id = $2
        AND upload.state = 'open' AND upload.expires_at > now()
    LEFT JOIN image_objects AS image ON image.user_id = $1 AND image.id = document.image_id";

pub(super) async fn standing(
    conn: &mut Connection,
    owner: UserId,
    document: Uuid,
    upload: Uuid,
) -> Result<Standing, Error> {
    let statement = Statement::<StandingRow>::new(STANDING)
        .bind(owner)
        .bind(document)
        .bind(upload);
    let row = conn.row(statement).await?;
    let (document_status, upload, done) = row.unwrap_or_default();
    Ok(Standing {
        document_status,
        upload,
        done,
    })
}

/// The row before the object: from now on the sweep knows of it. It waits for an hour, and writing takes less.
const ANNOUNCE_IMAGE: &str = "
    INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height, upload_id,
        sweep_at)
    VALUES ($1, $2, $3, 'image', 'pending', $4, $5, $6, $7, $8, now() + interval '1 hour')";

/// A picture that is about to be written.
pub(super) struct NewImage {
    pub(super) id: Uuid,
    pub(super) document: Uuid,
    pub(super) upload: Uuid,
    pub(super) picture: ImageInfo,
    pub(super) byte_size: i32,
}

pub(super) async fn announce_image(
    conn: &mut Connection,
    owner: UserId,
    new: &NewImage,
) -> Result<(), Error> {
    let pixels = |number: u32| i32::try_from(number).map_err(Error::internal);
    let statement = Statement::new(ANNOUNCE_IMAGE)
        .bind(owner)
        .bind(new.id)
        .bind(new.document)
        .bind(new.picture.content_type)
        .bind(new.byte_size)
        .bind(pixels(new.picture.width)?)
        .bind(pixels(new.picture.height)?)
        .bind(new.upload);
    conn.execute(statement).await?;
    Ok(())
}

/// Document, upload and picture in one statement, the document locked first. A trigger leaves the picture that it had to
/// the sweep.
const ATTACH: &str = "
    WITH document AS MATERIALIZED (
        SELECT id FROM documents
        WHERE user_id = $1 AND id = $2 AND (status = 'active' OR trashed_with IS NOT NULL) AND NOT EXISTS (
            SELECT FROM courses WHERE user_id = $1 AND id = documents.course_id AND courses.status = 'trash')
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')
        FOR NO KEY UPDATE
    ), upload AS (
        UPDATE image_objects SET state = 'removing'
        WHERE user_id = $1 AND id = $3 AND state = 'open' AND EXISTS (SELECT FROM document)
        RETURNING id
    ), image AS (
        UPDATE image_objects SET state = 'stored', sweep_at = NULL
        WHERE user_id = $1 AND id = $4 AND state = 'pending' AND EXISTS (SELECT FROM upload)
        RETURNING id
    )
    UPDATE documents SET image_id = image.id FROM image, document
    WHERE documents.user_id = $1 AND documents.id = document.id";

/// Makes a written picture the document's, in the caller's transaction; without success it must be rolled back.
pub(super) async fn attach(
    conn: &mut Connection,
    owner: UserId,
    new: &NewImage,
) -> Result<bool, Error> {
    let statement = Statement::new(ATTACH)
        .by(owner)
        .bind(new.document)
        .bind(new.upload)
        .bind(new.id);
    Ok(conn.execute(statement).await? == 1)
}

const END_UPLOAD: &str = "
    UPDATE image_objects SET state = 'removing' WHERE user_id = $1 AND id = $2 AND state = 'open'";

/// Takes no more bytes for that upload. Its row stays for as long as somebody could still be sending some.
pub(super) async fn end_upload(
    conn: &mut Connection,
    owner: UserId,
    id: Uuid,
) -> Result<(), Error> {
    conn.execute(Statement::new(END_UPLOAD).bind(owner).bind(id))
        .await?;
    Ok(())
}

const DETACH: &str = "
    UPDATE documents SET image_id = NULL
    WHERE user_id = $1 AND id = $2 AND (status = 'active' OR trashed_with IS NOT NULL) AND image_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = documents.course_id AND courses.status = 'trash')
        AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')";

pub(super) async fn detach(
    conn: &mut Connection,
    owner: UserId,
    document: Uuid,
) -> Result<(), Error> {
    conn.execute(Statement::new(DETACH).by(owner).bind(document))
        .await?;
    Ok(())
}

const IMAGES_OF: &str = "
    SELECT documents.id, image.id, content_type, byte_size, width, height
    FROM documents JOIN image_objects AS image ON image.user_id = documents.user_id AND image.id = documents.image_id
    WHERE documents.user_id = $1 AND documents.id = ANY($2)";

type ImageOf = (Uuid, Image);

impl Row for ImageOf {
    type Sql = (SqlUuid, <Image as Row>::Sql);
}

/// The pictures of these documents of the owner's, each beside its document.
pub(super) async fn images_of(
    conn: &mut Connection,
    owner: UserId,
    documents: Vec<Uuid>,
) -> Result<Vec<ImageOf>, Error> {
    conn.rows(Statement::new(IMAGES_OF).bind(owner).bind(documents))
        .await
}

/// One row if this process may sweep: no other holds the lock.
const LOCK: &str = "SELECT 1::bigint WHERE pg_try_advisory_xact_lock(5037824460182939401)";

/// Nothing that a document has is ever claimed. If this process dies before it is done, the next one may try in a while.
const CLAIM: &str = "
    UPDATE image_objects SET state = 'removing', sweep_at = now() + interval '10 minutes'
    FROM (
        SELECT user_id, id FROM image_objects
        WHERE state <> 'stored' AND sweep_at < now() AND NOT EXISTS (
            SELECT FROM documents
            WHERE documents.user_id = image_objects.user_id AND documents.image_id = image_objects.id)
        ORDER BY sweep_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE image_objects.user_id = due.user_id AND image_objects.id = due.id
    RETURNING image_objects.kind, image_objects.id";

/// Claims objects that nobody needs, everybody's, for this process to remove: none, if another process sweeps.
pub(super) async fn claim(conn: &mut Connection, most: i64) -> Result<Vec<ObjectRef>, Error> {
    if conn.row(Statement::<(i64,)>::new(LOCK)).await?.is_none() {
        return Ok(Vec::new());
    }
    conn.rows(Statement::new(CLAIM).bind(most)).await
}

const FORGET: &str = "DELETE FROM image_objects WHERE id = ANY($1) AND state = 'removing'";

/// Deletes the rows of objects that are removed; returns how many there were.
pub(super) async fn forget(conn: &mut Connection, ids: Vec<Uuid>) -> Result<u64, Error> {
    Ok(conn.execute(Statement::new(FORGET).bind(ids)).await? as u64)
}

const SET_ASIDE: &str = "
    UPDATE image_objects SET sweep_at = now() + interval '1 day' WHERE id = ANY($1) AND state = 'removing'";

/// Leaves objects that could not be removed alone for a day.
pub(super) async fn set_aside(conn: &mut Connection, ids: Vec<Uuid>) -> Result<(), Error> {
    conn.execute(Statement::new(SET_ASIDE).bind(ids)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::model::ObjectKind, *};

    #[test]
    fn statements_name_the_kinds_as_the_code_does() {
        for (text, kind) in [
            (OPEN, ObjectKind::Upload),
            (ANNOUNCE_IMAGE, ObjectKind::Image),
        ] {
            assert!(text.contains(&format!("'{}'", kind.name())));
        }
    }
}
