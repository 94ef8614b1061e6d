//! Images of documents: upload, check, clean, store and remove.
//!
//! An image takes two steps. [`Images::request_upload`] returns a link to which the client sends the bytes unchanged,
//! either to the store itself (S3) or to this service (a local folder). [`Images::set`] reads them, detects their type,
//! removes private metadata, and makes the result the document's image.
//!
//! - [`model`]: rows. `store`: all SQL.
//! - `storage` and `presigned`: the bytes, in a folder or in S3. `links`: the service's own links.
//! - `serving`: reading images, links to them, and what the service's own HTTP endpoints need.
//! - `check`: checks and cleans an upload. [`thumbnails`]: small versions of images.
//! - `copies`: reads and writes all objects, for backups.
//! - [`sweep`]: removes objects that are no longer needed.
//!
//! # Design decisions
//! - **A row before its object.** Every object in the store has a row in `image_objects` before it is written, and
//!   until no process can still be writing it. So the sweep queries an index and never lists a bucket, and a process
//!   may be killed between any two steps. An upload's row outlives its link by a quarter of an hour, longer than
//!   sending to the service itself may take. S3 has no such limit, so a lifecycle rule of the bucket must delete later
//!   uploads (docs/operations.md). Objects are removed before their rows.
//! - A trigger hands an image to the sweep whenever its document loses it. A foreign key keeps the row while a document
//!   refers to it.
//! - **Sent under one key, stored under another.** Uploaded bytes are never served. They are read, checked, cleaned and
//!   written under a new key, which was in no upload link.
//! - **Four images at the same time** are read, cleaned and written per process, and each is in memory once, since it
//!   is cleaned in place. Other requests wait without holding a database connection.
//! - `images` is above the nouns in the order of modules. It sets a document's image and finds its owner; `documents`
//!   only knows whether there is one (`hasImage`). `Document.image` is loaded in one statement for all documents of a
//!   request.

mod check;
pub(crate) mod copies;
mod links;
pub mod model;
mod presigned;
mod s3_requests;
mod serving;
mod storage;
mod store;
pub mod sweep;
pub mod thumbnails;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use image_intake::ImageInfo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::bytes::Bytes;
use url::Url;
use uuid::Uuid;

use check::check_off_thread;
use links::Links;
use model::{Announced, ContentType, MAX_BYTES, ObjectRef, RequestImageUploadInput, Upload};
pub(crate) use serving::{disposition, of_documents};
pub(crate) use storage::Staging;
use storage::{Contents, Storage};
pub use storage::{StorageSettings, probe};
use store::{NewImage, UploadState};
use thumbnails::Outcome;

use crate::{
    auth::{Client, Viewer, keys::Secrets},
    db::{Connection, Database},
    documents::Document,
    error::{Error, Failure, Refusal, RefusalCode},
    items::{self, Quotas, Usage},
    rules::Problems,
};

/// Maximum number of images that are processed at the same time. Each is held in memory.
const MAX_CONCURRENT: usize = 4;

/// Where images are stored, and how clients reach them. Not `Debug`: it holds the secret.
#[derive(Clone)]
pub struct ImageSettings {
    /// The store.
    pub storage: StorageSettings,
    /// The public URL of this service, http or https.
    pub public_url: Url,
    /// The keys of links are derived from these.
    pub secrets: Secrets,
}

/// Commands on images. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    storage: Arc<Storage>,
    links: Links,
    permits: Arc<Semaphore>,
    thumbnail_permits: Arc<Semaphore>,
    quotas: Quotas,
}

impl Images {
    /// Opens the store with these settings. `quotas`: how much each user may have.
    ///
    /// # Errors
    /// A message that names the invalid setting.
    pub fn new(
        database: Database,
        settings: &ImageSettings,
        quotas: Quotas,
    ) -> Result<Images, String> {
        let inner = Inner {
            database,
            storage: Arc::new(Storage::open(&settings.storage)?),
            links: Links::new(&settings.public_url, &settings.secrets),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            thumbnail_permits: Arc::new(Semaphore::new(thumbnails::MAX_CONCURRENT)),
            quotas,
        };
        Ok(Images {
            inner: Arc::new(inner),
        })
    }

    /// Creates an upload for an image of the viewer's document.
    ///
    /// # Errors
    /// The errors of the input. NOT_FOUND or IN_TRASH for the document. RATE_LIMITED if too many uploads are open.
    pub async fn request_upload(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        input: &RequestImageUploadInput,
    ) -> Result<Upload, Failure> {
        let announced = announced(input)?;
        let document = input.document_id.0;
        let id = Uuid::new_v4();
        let opened = conn.transaction(async |conn| {
            store::open(conn, viewer.user_id, id, document, &announced).await
        });
        let opened = opened.await?;
        if let Some(expires_at) = opened.expires_at {
            return Ok(self.upload(id, &announced, expires_at).await?);
        }
        require_active(opened.document_status.as_deref())?;
        let wait = opened.first_expires_in.unwrap_or_default().max(1000);
        Err(Error::rate_limited(Duration::from_millis(wait.unsigned_abs())).into())
    }

    async fn upload(
        &self,
        id: Uuid,
        announced: &Announced,
        expires_at: DateTime<Utc>,
    ) -> Result<Upload, Error> {
        let now = Utc::now();
        let url = match self.inner.storage.links(ObjectRef::upload(id)) {
            Some((links, key)) => links.upload(&key, announced, now, expires_at).await?,
            None => self.inner.links.upload(id, expires_at),
        };
        let content_type = announced.content_type.as_str().to_owned();
        Ok(Upload {
            id,
            method: "PUT",
            url,
            headers: vec![("Content-Type", content_type)],
            expires_at,
        })
    }

    /// Makes an upload the document's image, and replaces the previous one. Succeeds if that was done already.
    ///
    /// # Errors
    /// NOT_FOUND or IN_TRASH for the document. NOT_FOUND for an upload that does not belong to this document and
    /// viewer, has expired, was used, or was not sent. INVALID, UNSUPPORTED_TYPE or TOO_LARGE for an upload that is not
    /// the announced image, and LIMIT_REACHED if the image exceeds a quota; these end the upload.
    pub async fn set(
        &self,
        viewer: &Viewer,
        client: &Client,
        document: Uuid,
        upload: Uuid,
    ) -> Result<Document, Failure> {
        let state = self.upload_state(viewer, document, upload).await?;
        if state.done {
            return self.document(viewer, document).await;
        }
        let announced = state.upload.ok_or_else(no_such_upload)?;
        let permit = self.permit().await?;
        let bytes = match self.inner.storage.read(ObjectRef::upload(upload)).await? {
            Contents::Bytes(bytes) => bytes.into(),
            Contents::Missing => return Err(no_such_upload().into()),
            Contents::TooLarge => {
                return self.reject_upload(viewer, upload, too_large()).await;
            }
        };
        let (checked, permit) = check_off_thread(bytes, announced, permit).await?;
        let (info, bytes) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return self.reject_upload(viewer, upload, refusal).await,
        };
        let (new, thumbnail) = self.write(viewer, document, upload, info, bytes).await?;
        drop(permit);
        if let Err(failure) = self.attach(viewer, client, &new, &thumbnail).await {
            // Otherwise, each repetition would store another image.
            if failure.is(RefusalCode::LimitReached) {
                self.end_upload(viewer, upload).await?;
            }
            return Err(failure);
        }
        // The sweep deletes what this leaves.
        if let Err(error) = self.inner.storage.delete_upload(upload).await {
            let error = error.log_text();
            tracing::warn!(error, "deleting an upload failed; the sweep retries");
        }
        self.document(viewer, document).await
    }

    /// Writes a cleaned image under a new key, after inserting its row, and makes its thumbnail meanwhile.
    async fn write(
        &self,
        viewer: &Viewer,
        document: Uuid,
        upload: Uuid,
        info: ImageInfo,
        bytes: Vec<u8>,
    ) -> Result<(NewImage, Outcome), Error> {
        let content_type = ContentType::parse(info.content_type);
        let new = NewImage {
            id: Uuid::new_v4(),
            document,
            upload,
            info,
            byte_size: i32::try_from(bytes.len()).map_err(Error::internal)?,
        };
        let mut conn = self.inner.database.connection().await?;
        store::announce_image(&mut conn, viewer.user_id, &new).await?;
        drop(conn);
        let unknown = || Error::internal("a cleaned image has an unknown type");
        let content_type = content_type.ok_or_else(unknown)?;
        let bytes = Bytes::from(bytes);
        let object = ObjectRef::image(new.id);
        let (written, thumbnail) = tokio::join!(
            self.inner
                .storage
                .write(object, content_type, bytes.clone()),
            self.thumbnail_in_time(new.id, bytes),
        );
        written?;
        Ok((new, thumbnail))
    }

    /// Waits for a permit to check an image. Without a connection, so that waiting requests hold nothing that others need.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        let permit = self.inner.permits.clone().acquire_owned().await;
        permit.map_err(Error::internal)
    }

    /// The state of an upload for an active document.
    async fn upload_state(
        &self,
        viewer: &Viewer,
        document: Uuid,
        upload: Uuid,
    ) -> Result<UploadState, Failure> {
        let mut conn = self.inner.database.connection().await?;
        let state = store::upload_state(&mut conn, viewer.user_id, document, upload).await?;
        require_active(state.document_status.as_deref())?;
        Ok(state)
    }

    async fn attach(
        &self,
        viewer: &Viewer,
        client: &Client,
        new: &NewImage,
        thumbnail: &Outcome,
    ) -> Result<(), Failure> {
        let conn = self.inner.database.connection().await?;
        let mut conn = conn.for_changes_from(client.origin());
        let (owner, quotas) = (viewer.user_id, &self.inner.quotas);
        let growth = Usage {
            items: 0,
            bytes: new.byte_size.into(),
        };
        let attached = conn.transaction(async |conn| {
            let changed = || Error::unavailable("the document or upload of an image changed");
            let before = quotas.before(conn, owner, growth).await?;
            let attached = store::attach(conn, owner, new, thumbnail).await?;
            attached.then_some(()).ok_or_else(changed)?;
            quotas.after(conn, owner, before).await
        });
        let ended = attached.await;
        drop(conn);
        let error = match ended {
            Ok(()) => return Ok(()),
            Err(Failure::Refused(refusals)) => return Err(Failure::Refused(refusals)),
            Err(Failure::Error(error)) => error,
        };
        // The document was trashed or deleted meanwhile, or the upload used. The caller gets that error then.
        let state = self.upload_state(viewer, new.document, new.upload).await?;
        if state.done {
            return Ok(());
        }
        state.upload.ok_or_else(no_such_upload)?;
        Err(error.into())
    }

    /// Ends an unusable upload and deletes its bytes.
    async fn reject_upload<T>(
        &self,
        viewer: &Viewer,
        upload: Uuid,
        refusal: Refusal,
    ) -> Result<T, Failure> {
        self.end_upload(viewer, upload).await?;
        Err(refusal.into())
    }

    async fn end_upload(&self, viewer: &Viewer, upload: Uuid) -> Result<(), Error> {
        let mut conn = self.inner.database.connection().await?;
        store::end_upload(&mut conn, viewer.user_id, upload).await?;
        drop(conn);
        self.inner.storage.delete_upload(upload).await
    }

    /// Removes the document's image. Succeeds if there is none.
    ///
    /// # Errors
    /// NOT_FOUND or IN_TRASH.
    pub async fn remove(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        document: Uuid,
    ) -> Result<Document, Failure> {
        store::detach(conn, viewer.user_id, document).await?;
        let found = items::find::<Document>(conn, viewer, document).await?;
        let found = found.ok_or_else(|| items::not_found("documentId", "document"))?;
        if found.deleted_at.is_some() {
            return Err(items::in_trash("documentId", "document").into());
        }
        Ok(found)
    }

    async fn document(&self, viewer: &Viewer, id: Uuid) -> Result<Document, Failure> {
        let found = items::find::<Document>(&self.inner.database, viewer, id).await?;
        found.ok_or_else(|| items::not_found("documentId", "document").into())
    }
}

fn announced(input: &RequestImageUploadInput) -> Result<Announced, Failure> {
    let mut problems = Problems::default();
    let content_type = ContentType::of_media_type(&input.content_type);
    if content_type.is_none() {
        let message =
            "`contentType` must be `image/jpeg`, `image/png`, `image/webp` or `image/gif`.";
        problems.add("contentType", RefusalCode::UnsupportedType, message);
    }
    if input.byte_size < 1 {
        let message = "`byteSize` must be 1 or more.";
        problems.add("byteSize", RefusalCode::Invalid, message);
    }
    if input.byte_size > MAX_BYTES {
        let message = format!("`byteSize` must be at most {MAX_BYTES} (20 MiB).");
        problems.add("byteSize", RefusalCode::TooLarge, message);
    }
    problems.finish()?;
    Ok(Announced {
        content_type: content_type.unwrap_or(ContentType::Jpeg),
        byte_size: input.byte_size,
    })
}

fn require_active(document_status: Option<&str>) -> Result<(), Failure> {
    match document_status {
        None => Err(items::not_found("documentId", "document").into()),
        Some("trash") => Err(items::in_trash("documentId", "document").into()),
        Some(_) => Ok(()),
    }
}

fn no_such_upload() -> Refusal {
    let message =
        "The upload does not exist, has no bytes, was used or has expired. Request another upload.";
    Refusal::of("uploadId", RefusalCode::NotFound, message)
}

fn too_large() -> Refusal {
    let message = "The uploaded file is larger than 20 MiB. Request another upload.";
    Refusal::of("uploadId", RefusalCode::TooLarge, message)
}
