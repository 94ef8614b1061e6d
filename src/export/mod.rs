//! Exports all data of a user as a zip file: JSON objects, one per line (NDJSON), and images. docs/backup.md describes the files.
//!
//! - `archive`: the zip file, which is streamed while it is made. `store`: all SQL.
//!
//! # Design decisions
//! - **One snapshot.** All rows are read in one transaction (REPEATABLE READ), so they fit together. It lasts no longer than
//!   5 minutes, because an old snapshot keeps the database from cleaning up. Images are read after it: they never change.
//!   One that was deleted meanwhile is missing from the file.
//! - **Bounded memory.** Rows are read in pages of limited size, and the next page is read when the client has taken the
//!   previous one.
//! - A failure after the first byte cannot be reported as a status. The stream ends with an error instead, so that no client takes a part
//!   for the whole.

mod archive;
mod store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use serde_json::json;
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use archive::Archive;
use store::{Page, Part};

use crate::{
    audit,
    auth::{Client, UserId},
    db::{Connection, Database, share::Holder},
    error::Error,
    images::copies::Copies,
};

/// Maximum time of the transaction. With a slower client, the export fails.
const MAX_SNAPSHOT: Duration = Duration::from_secs(5 * 60);
/// Maximum time of the whole export, so that slow clients do not keep others from theirs.
const MAX_TIME: Duration = Duration::from_secs(60 * 60);
/// Maximum time in which a client must take a piece.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The version of the layout.
const FORMAT: u32 = 1;

/// A piece of the file, or why the export failed.
pub(crate) type Piece = Result<Bytes, Error>;

/// Who exports the data, for the audit log.
pub(crate) struct Reader {
    /// `None`: an operator.
    pub(crate) user: Option<UserId>,
    pub(crate) client: Client,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exported {
    /// Courses, documents, tasks and tags.
    pub(crate) items: u64,
    /// Images.
    pub(crate) images: u64,
}

/// Writes the data of a user to `out`, as fast as its receiver takes it. Before that, the export is written to the user's audit log. The
/// connection counts as the user's. If it fails, the last piece is the error.
///
/// # Errors
/// UNAUTHENTICATED if the user was deleted. UNAVAILABLE if the database or the image storage cannot be reached. TIMEOUT if the receiver is too
/// slow.
pub(crate) async fn export(
    database: &Database,
    copies: &Copies,
    user: UserId,
    reader: &Reader,
    out: mpsc::Sender<Piece>,
) -> Result<Exported, Error> {
    let work = async {
        let mut conn = database.connection().await?;
        audit::note_export(&mut conn, reader.user, user, &reader.client).await?;
        drop(conn);
        write(database, copies, user, out.clone()).await
    };
    let work = database.for_holder(Some(Holder::User(user.0)), work);
    let exported = timeout(MAX_TIME, work).await;
    let exported = exported.unwrap_or_else(|_| Err(Error::timeout("an export took too long")));
    if let Err(error) = &exported {
        // The receiver may be gone.
        let _ = timeout(MAX_PAUSE, out.send(Err(error.clone()))).await;
    }
    exported
}

async fn write(
    database: &Database,
    copies: &Copies,
    user: UserId,
    out: mpsc::Sender<Piece>,
) -> Result<Exported, Error> {
    let archive = Arc::new(Mutex::new(Archive::new(out)));
    let rows = timeout(MAX_SNAPSHOT, write_rows(database, user, archive.clone()));
    let too_slow = |_| Error::timeout("the client did not take its export in time");
    let (items, pictures) = rows.await.map_err(too_slow)??;
    let mut archive = archive.lock().await;
    let mut images = 0;
    for picture in pictures {
        if let Some(bytes) = copies.read_image(picture.id).await? {
            archive.begin(&picture.path(), false)?;
            archive.write(&bytes).await?;
            images += 1;
        }
    }
    archive.finish().await?;
    Ok(Exported { items, images })
}

/// An image of a document.
#[derive(Debug, Clone)]
struct Picture {
    id: Uuid,
    extension: &'static str,
}

impl Picture {
    /// Its name in the file. The documents name it, too.
    fn path(&self) -> String {
        format!("images/{}.{}", self.id, self.extension)
    }
}

/// Writes all rows, from one snapshot. Returns the number of items, and the images.
async fn write_rows(
    database: &Database,
    user: UserId,
    archive: Arc<Mutex<Archive>>,
) -> Result<(u64, Vec<Picture>), Error> {
    let mut conn = database.connection().await?;
    let began = Arc::new(AtomicBool::new(false));
    conn.transaction(async move |conn| {
        // What was sent cannot be taken back.
        if began.swap(true, Ordering::Relaxed) {
            return Err(Error::unavailable(
                "the transaction of an export was interrupted",
            ));
        }
        store::begin_snapshot(conn).await?;
        let mut archive = archive.lock().await;
        write_parts(conn, user, &mut archive).await
    })
    .await
}

async fn write_parts(
    conn: &mut Connection,
    user: UserId,
    archive: &mut Archive,
) -> Result<(u64, Vec<Picture>), Error> {
    let profile = store::profile(conn, user).await?;
    let profile = profile.ok_or_else(|| Error::unauthenticated("This user was deleted."))?;
    let about = json!({ "format": FORMAT, "program": env!("CARGO_PKG_VERSION"), "exportedAt": Utc::now(), "userId": user.0 });
    archive.add("export.json", &format!("{about}\n")).await?;
    archive
        .add("profile.ndjson", &format!("{profile}\n"))
        .await?;
    let mut items = 0;
    for part in Part::ALL {
        archive.begin(part.file(), true)?;
        let mut after = Uuid::nil();
        loop {
            let Page { lines, last } = store::page(conn, user, part, after).await?;
            let Some(last) = last else { break };
            after = last;
            for line in lines {
                archive.write(line.as_bytes()).await?;
                archive.write(b"\n").await?;
                items += 1;
            }
        }
    }
    Ok((items, store::pictures(conn, user).await?))
}
