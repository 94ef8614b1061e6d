//! The sweep removes objects that are no longer needed: uploads that were used or never finished, images that a document no
//! longer refers to, with their thumbnails, and the remains of killed processes. It works in small steps, in one process at a time.
//!
//! The sweep only queries the tables. An object is removed before its row, so a process that dies in between leaves a
//! row for the next run. A row is claimed only when no process can still be writing its object and no document has it.
//!
//! An object that cannot be removed is set aside for a day and logged as an error; the others are removed.

use uuid::Uuid;

use super::{
    Images,
    model::{ObjectKind, ObjectRef},
    store,
};
use crate::{
    db::background::{REST, isolate},
    error::Error,
};

/// Maximum number of objects per step.
const STEP: usize = 100;

/// An object that could not be removed, or whose row could not be deleted.
type Failed = (Uuid, Error);

/// Removes all objects that are due, and returns how many.
///
/// # Errors
/// UNAVAILABLE if the database or the store cannot be reached.
pub async fn sweep(images: &Images) -> Result<u64, Error> {
    let mut all = 0;
    loop {
        let mut conn = images.inner.database.connection().await?;
        let claimed = conn
            .transaction(async |conn| store::claim(conn, STEP).await)
            .await?;
        drop(conn);
        if claimed.is_empty() {
            return Ok(all);
        }
        // Objects that become due meanwhile are left to the next run, so that a run ends.
        let is_last = claimed.len() < STEP;
        let (removed, mut failed) = remove(images, claimed).await;
        if removed.is_empty() && !failed.is_empty() {
            check_store(images).await?;
        }
        all += removed.len() as u64;
        failed.extend(delete_rows(images, removed).await?);
        set_aside(images, failed).await?;
        if is_last {
            return Ok(all);
        }
        tokio::time::sleep(REST).await;
    }
}

async fn remove(images: &Images, claimed: Vec<ObjectRef>) -> (Vec<Uuid>, Vec<Failed>) {
    let (mut removed, mut failed) = (Vec::with_capacity(claimed.len()), Vec::new());
    for object in claimed {
        match remove_object(images, object).await {
            Ok(()) => removed.push(object.id),
            Err(error) => failed.push((object.id, error)),
        }
    }
    (removed, failed)
}

/// Removes an object, and the thumbnail of an image, which has no row of its own.
async fn remove_object(images: &Images, object: ObjectRef) -> Result<(), Error> {
    let storage = &images.inner.storage;
    if object.kind == ObjectKind::Image {
        storage.remove(ObjectRef::thumbnail(object.id)).await?;
    }
    storage.remove(object).await
}

/// Checks whether the store works: removing a missing object must succeed. If it does not, the objects are not the
/// cause, and are tried again when their claims expire.
async fn check_store(images: &Images) -> Result<(), Error> {
    let absent = ObjectRef::upload(Uuid::new_v4());
    images.inner.storage.remove(absent).await
}

/// Deletes the rows of removed objects. Returns those whose deletion failed.
async fn delete_rows(images: &Images, removed: Vec<Uuid>) -> Result<Vec<Failed>, Error> {
    let isolated = isolate(removed, |ids| {
        Box::pin(async move {
            let mut conn = images.inner.database.connection().await?;
            store::delete_rows(&mut conn, ids).await
        })
    });
    let isolated = isolated.await?;
    match isolated.too_many {
        Some(error) => Err(error),
        None => Ok(isolated.failed),
    }
}

async fn set_aside(images: &Images, failed: Vec<Failed>) -> Result<(), Error> {
    if failed.is_empty() {
        return Ok(());
    }
    for (object, error) in &failed {
        let error = error.log_text();
        tracing::error!(job = "images", %object, error, "removing an image failed; retrying in a day");
    }
    let ids = failed.into_iter().map(|(id, _)| id).collect();
    let mut conn = images.inner.database.connection().await?;
    store::set_aside(&mut conn, ids).await
}
