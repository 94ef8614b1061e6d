//! The SQL of images. Every statement takes the owner, except those for signed links and those with which jobs claim
//! work.

use chrono::{DateTime, Utc};
use image_intake::ImageInfo;
use uuid::Uuid;

use super::{
    model::{Announced, ContentType, Image, ObjectRef},
    thumbnails::Outcome,
};
use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    pending,
};

/// Maximum number of open uploads per user.
pub(super) const MAX_OPEN_UPLOADS: i64 = 20;

row! {
    /// The result of opening an upload.
    #[derive(Default)]
    pub(super) struct Opened {
        /// The document's status. `None` if there is no such document.
        pub(super) document_status: Option<String>,
        /// When the link expires. `None` if no upload was opened.
        pub(super) expires_at: Option<DateTime<Utc>>,
        /// Milliseconds until the first open upload expires. `None` if there is none.
        pub(super) first_expires_in: Option<i64>,
    }
}

/// A link is valid for 15 minutes. Uploads that have started by then may take 15 more, and the sweep waits for them.
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

/// Opens an upload, in the caller's transaction. The lock makes a user's requests wait for each other, so that the
/// count is exact.
pub(super) async fn open(
    conn: &mut Connection,
    owner: UserId,
    id: Uuid,
    document: Uuid,
    announced: &Announced,
) -> Result<Opened, Error> {
    pending::lock_owner(conn, owner).await?;
    let statement = Statement::new(OPEN)
        .bind(owner)
        .bind(id)
        .bind(document)
        .bind(announced.content_type)
        .bind(announced.byte_size)
        .bind(MAX_OPEN_UPLOADS);
    Ok(conn.row(statement).await?.unwrap_or_default())
}

const ANNOUNCED: &str = "
    SELECT content_type, byte_size FROM image_objects WHERE id = $1 AND state = 'open' AND expires_at > now()";

/// The announced type and size of an open upload, identified by its link.
pub(super) async fn announced(conn: &mut Connection, id: Uuid) -> Result<Option<Announced>, Error> {
    conn.row(Statement::new(ANNOUNCED).bind(id)).await
}

row! {
    /// An upload and its document before they are changed.
    #[derive(Default)]
    pub(super) struct UploadState {
        /// The document's status. `None` if there is no such document.
        pub(super) document_status: Option<String>,
        /// The upload, if it is open and for this document.
        pub(super) upload: Option<Announced>,
        /// Whether the document's image was made from this upload.
        pub(super) done: bool,
    }
}

const UPLOAD_STATE: &str = "
    SELECT document.status, upload.content_type, upload.byte_size, coalesce(image.upload_id = $3, false)
    FROM (VALUES (1)) AS one
    LEFT JOIN current_documents AS document ON document.user_id = $1 AND document.id = $2
    LEFT JOIN image_objects AS upload ON upload.user_id = $1 AND upload.id = $3 AND upload.document_id = $2
        AND upload.state = 'open' AND upload.expires_at > now()
    LEFT JOIN image_objects AS image ON image.user_id = $1 AND image.id = document.image_id";

pub(super) async fn upload_state(
    conn: &mut Connection,
    owner: UserId,
    document: Uuid,
    upload: Uuid,
) -> Result<UploadState, Error> {
    let statement = Statement::new(UPLOAD_STATE)
        .bind(owner)
        .bind(document)
        .bind(upload);
    Ok(conn.row(statement).await?.unwrap_or_default())
}

/// Inserts the row before the object is written, so that the sweep knows it. The sweep waits an hour, and writing takes
/// less.
const ANNOUNCE_IMAGE: &str = "
    INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height, upload_id,
        sweep_at)
    VALUES ($1, $2, $3, 'image', 'pending', $4, $5, $6, $7, $8, now() + interval '1 hour')";

/// An image that is about to be written.
pub(super) struct NewImage {
    pub(super) id: Uuid,
    pub(super) document: Uuid,
    pub(super) upload: Uuid,
    pub(super) info: ImageInfo,
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
        .bind(new.info.content_type)
        .bind(new.byte_size)
        .bind(pixels(new.info.width)?)
        .bind(pixels(new.info.height)?)
        .bind(new.upload);
    conn.execute(statement).await?;
    Ok(())
}

/// Changes document, upload and image in one statement, which locks the document first. A trigger hands the previous
/// image to the sweep. A thumbnail that was not made in time is due in a minute, when no
/// write of it can be in flight.
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
        UPDATE image_objects SET state = 'stored', sweep_at = NULL, thumbnail_type = $5, thumbnail_width = $6,
            thumbnail_height = $7, thumbnail_at = now() + CASE WHEN $8 THEN interval '1 minute' END
        WHERE user_id = $1 AND id = $4 AND state = 'pending' AND EXISTS (SELECT FROM upload)
        RETURNING id
    )
    UPDATE documents SET image_id = image.id FROM image, document
    WHERE (SELECT set_origin($address, $program)) AND documents.user_id = $1 AND documents.id = document.id";

/// Makes a written image the document's, in the caller's transaction. If this returns `false`, roll back.
pub(super) async fn attach(
    conn: &mut Connection,
    owner: UserId,
    new: &NewImage,
    thumbnail: &Outcome,
) -> Result<bool, Error> {
    let statement = Statement::write(ATTACH, owner)
        .bind(new.document)
        .bind(new.upload)
        .bind(new.id);
    Ok(conn.execute(with_outcome(statement, thumbnail)).await? == 1)
}

const END_UPLOAD: &str = "
    UPDATE image_objects SET state = 'removing' WHERE user_id = $1 AND id = $2 AND state = 'open'";

/// Closes an upload. Its row stays for as long as a client may still be sending bytes.
pub(super) async fn end_upload(
    conn: &mut Connection,
    owner: UserId,
    id: Uuid,
) -> Result<(), Error> {
    let statement = Statement::new(END_UPLOAD).bind(owner).bind(id);
    conn.execute(statement).await?;
    Ok(())
}

const DETACH: &str = "
    UPDATE documents SET image_id = NULL
    WHERE (SELECT set_origin($address, $program))
        AND user_id = $1 AND id = $2 AND (status = 'active' OR trashed_with IS NOT NULL) AND image_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = documents.course_id AND courses.status = 'trash')
        AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')";

pub(super) async fn detach(
    conn: &mut Connection,
    owner: UserId,
    document: Uuid,
) -> Result<(), Error> {
    conn.execute(Statement::write(DETACH, owner).bind(document))
        .await?;
    Ok(())
}

const IMAGES_OF: &str = "
    SELECT documents.id, image.id, content_type, byte_size, width, height, thumbnail_type, thumbnail_width, thumbnail_height
    FROM documents JOIN image_objects AS image ON image.user_id = documents.user_id AND image.id = documents.image_id
    WHERE documents.user_id = $1 AND documents.id = ANY($2)";

/// The images of these documents, each with its document's id.
pub(super) async fn images_of(
    conn: &mut Connection,
    owner: UserId,
    documents: Vec<Uuid>,
) -> Result<Vec<(Uuid, Image)>, Error> {
    conn.rows(Statement::new(IMAGES_OF).bind(owner).bind(documents))
        .await
}

/// Claims one image for ten minutes. An attempt takes half of that, and the sweep waits for the claim.
const CLAIM_THUMBNAIL: &str = "
    UPDATE image_objects SET thumbnail_at = now() + interval '10 minutes', thumbnail_attempts = thumbnail_attempts + 1
    FROM (
        SELECT user_id, id FROM image_objects
        WHERE state = 'stored' AND thumbnail_at <= now() AND thumbnail_attempts < 5
        ORDER BY thumbnail_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE image_objects.user_id = due.user_id AND image_objects.id = due.id
    RETURNING image_objects.user_id, image_objects.id";

/// On a sharded database: several, because other processes may claim the first ones at the same time.
const DUE_THUMBNAILS: &str = "
    SELECT user_id, id FROM image_objects WHERE state = 'stored' AND thumbnail_at <= now() AND thumbnail_attempts < 5
    ORDER BY thumbnail_at LIMIT 10";
const CLAIM_THUMBNAIL_OF: &str = "
    UPDATE image_objects SET thumbnail_at = now() + interval '10 minutes', thumbnail_attempts = thumbnail_attempts + 1
    WHERE user_id = $1 AND id = $2 AND state = 'stored' AND thumbnail_at <= now() AND thumbnail_attempts < 5
    RETURNING user_id, id";

/// Claims an image of any user whose thumbnail is due.
pub(super) async fn claim_thumbnail(
    conn: &mut Connection,
) -> Result<Option<(UserId, Uuid)>, Error> {
    if !conn.is_sharded() {
        return conn.row(Statement::new(CLAIM_THUMBNAIL)).await;
    }
    let due: Vec<(UserId, Uuid)> = conn.rows(Statement::new(DUE_THUMBNAILS)).await?;
    for (owner, image) in due {
        let claim = Statement::new(CLAIM_THUMBNAIL_OF).bind(owner).bind(image);
        let claimed: Option<(UserId, Uuid)> = conn.row(claim).await?;
        if claimed.is_some() {
            return Ok(claimed);
        }
    }
    Ok(None)
}

const END_THUMBNAIL: &str = "
    UPDATE image_objects SET thumbnail_type = $3, thumbnail_width = $4, thumbnail_height = $5, thumbnail_attempts = 0,
        thumbnail_at = now() + CASE WHEN $6 THEN interval '1 hour' END
    WHERE user_id = $1 AND id = $2 AND state = 'stored'";

/// Records the end of an attempt, unless the document has lost its image.
pub(super) async fn end_thumbnail(
    conn: &mut Connection,
    owner: UserId,
    image: Uuid,
    outcome: &Outcome,
) -> Result<(), Error> {
    let statement = with_outcome(
        Statement::new(END_THUMBNAIL).bind(owner).bind(image),
        outcome,
    );
    conn.execute(statement).await?;
    Ok(())
}

/// Binds the type, the width and the height of the thumbnail, and whether it is postponed.
fn with_outcome(statement: Statement<()>, outcome: &Outcome) -> Statement<()> {
    let made = outcome.made();
    statement
        .bind(made.map(|made| made.content_type))
        .bind(made.map(|made| made.width))
        .bind(made.map(|made| made.height))
        .bind(matches!(outcome, Outcome::Postponed))
}

/// Returns one row if no other process is sweeping.
const LOCK: &str = "SELECT WHERE pg_try_advisory_xact_lock(5037824460182939401)";

/// Images of documents are never claimed. If this process dies, the claim expires after 10 minutes.
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

/// On a sharded database, where the lock keeps other processes from claiming them.
const DUE: &str = "
    SELECT user_id, array_agg(id) FROM (
        SELECT user_id, id FROM image_objects WHERE state <> 'stored' AND sweep_at < now() ORDER BY sweep_at LIMIT $1
    ) AS due GROUP BY user_id ORDER BY user_id";
const CLAIM_OF: &str = "
    UPDATE image_objects SET state = 'removing', sweep_at = now() + interval '10 minutes'
    WHERE user_id = $1 AND id = ANY($2) AND state <> 'stored' AND sweep_at < now() AND NOT EXISTS (
        SELECT FROM documents WHERE documents.user_id = $1 AND documents.image_id = image_objects.id)
    RETURNING kind, id";

/// Claims objects of all users that are no longer needed. Claims none if another process is sweeping.
pub(super) async fn claim(conn: &mut Connection, limit: usize) -> Result<Vec<ObjectRef>, Error> {
    if conn.execute(Statement::new(LOCK)).await? == 0 {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    if !conn.is_sharded() {
        return conn.rows(Statement::new(CLAIM).bind(limit)).await;
    }
    let due: Vec<(UserId, Vec<Uuid>)> = conn.rows(Statement::new(DUE).bind(limit)).await?;
    let mut claimed = Vec::new();
    for (owner, ids) in due {
        let claim = Statement::new(CLAIM_OF).bind(owner).bind(ids);
        claimed.extend(conn.rows::<ObjectRef>(claim).await?);
    }
    Ok(claimed)
}

const DELETE_ROWS: &str = "DELETE FROM image_objects WHERE id = ANY($1) AND state = 'removing'";

/// Deletes the rows of removed objects, and returns how many there were.
pub(super) async fn delete_rows(conn: &mut Connection, ids: Vec<Uuid>) -> Result<u64, Error> {
    Ok(conn.execute(Statement::new(DELETE_ROWS).bind(ids)).await? as u64)
}

const SET_ASIDE: &str = "
    UPDATE image_objects SET sweep_at = now() + interval '1 day' WHERE id = ANY($1) AND state = 'removing'";

/// Sets objects that could not be removed aside for a day.
pub(super) async fn set_aside(conn: &mut Connection, ids: Vec<Uuid>) -> Result<(), Error> {
    conn.execute(Statement::new(SET_ASIDE).bind(ids)).await?;
    Ok(())
}

row! {
    /// A stored image, with its type and that of its thumbnail.
    #[derive(Debug, Clone)]
    pub(super) struct StoredImage {
        pub(super) id: Uuid,
        pub(super) content_type: ContentType,
        pub(super) thumbnail_type: Option<ContentType>,
    }
}

const STORED: &str = "
    SELECT id, content_type, thumbnail_type FROM image_objects WHERE state = 'stored' AND id > $1 ORDER BY id LIMIT $2";

/// The stored images of all users with ids after this one, in the order of their ids.
pub(super) async fn stored(
    conn: &mut Connection,
    after: Uuid,
    limit: i64,
) -> Result<Vec<StoredImage>, Error> {
    conn.rows(Statement::new(STORED).bind(after).bind(limit))
        .await
}

#[cfg(test)]
mod tests {
    use super::{super::model::ObjectKind, *};

    #[test]
    fn statements_use_the_names_of_the_kinds() {
        for (text, kind) in [
            (OPEN, ObjectKind::Upload),
            (ANNOUNCE_IMAGE, ObjectKind::Image),
        ] {
            assert!(text.contains(&format!("'{}'", kind.as_str())));
        }
    }
}
