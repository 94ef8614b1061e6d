//! Pictures of documents: asked for, sent, checked, cleaned, kept and removed.
//!
//! A picture comes in two steps. [`Images::request_upload`] gives a link by which its bytes are sent as they are, to the
//! store itself (S3) or to this service (a local folder); [`Images::set`] reads them, tells from them what they are, takes
//! out what is not for others, and makes the result the document's, under a key that was never in a link to send to.
//!
//! Rows are in [`model`], all the SQL in `store`, the bytes' place in `storage` and `presigned`, the service's own links in
//! `links`, what pictures are in the crate `image_intake`, and in [`sweep`] what becomes of those that nobody needs. Whatever is written to
//! the store has its row before: a process may die at any moment.

mod links;
pub mod model;
mod presigned;
mod storage;
mod store;
pub mod sweep;

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use image_intake::{ImageError, ImageInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;
use uuid::Uuid;

use links::Links;
use model::{Announced, ContentType, Image, MOST_BYTES, NewUpload, ObjectKind, ObjectRef, Upload};
pub(crate) use storage::Staging;
pub use storage::StorageSettings;
use storage::{Found, Storage};
use store::{NewImage, Standing};

use crate::{
    auth::{Client, Viewer},
    db::{Connection, Database},
    documents::{self, Document},
    error::{Error, Failure, Refusal, RefusalCode},
    items,
    rules::Problems,
};

/// Pictures that are read, cleaned and written at a time: each is held in memory.
const AT_A_TIME: usize = 4;

/// Where pictures are kept, and how callers reach them. Not `Debug`: it holds the secret.
#[derive(Clone)]
pub struct ImageSettings {
    /// The store.
    pub storage: StorageSettings,
    /// The address under which callers reach this service, http or https.
    pub public_url: Url,
    /// The key that the key of links is made of.
    pub secret: Vec<u8>,
}

/// All that is done with pictures. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    storage: Storage,
    links: Links,
    permits: Arc<Semaphore>,
}

impl Images {
    /// With these settings, on that database.
    ///
    /// # Errors
    /// A message that names the setting that is wrong.
    pub fn new(database: Database, settings: &ImageSettings) -> Result<Images, String> {
        let inner = Inner {
            database,
            storage: Storage::open(&settings.storage)?,
            links: Links::new(&settings.public_url, &settings.secret),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        };
        Ok(Images {
            inner: Arc::new(inner),
        })
    }

    /// Whether this service itself takes pictures in and hands them out; if not, the store does.
    pub(crate) fn are_served(&self) -> bool {
        self.inner.storage.is_folder()
    }

    /// A link by which a picture of the viewer's document can be sent.
    ///
    /// # Errors
    /// What is wrong with the input; NOT_FOUND or IN_TRASH of the document; RATE_LIMITED if too many uploads are open.
    pub async fn request_upload(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        new: &NewUpload,
    ) -> Result<Upload, Failure> {
        let announced = announced(new)?;
        let id = Uuid::new_v4();
        let opened = conn.transaction(async |conn| {
            store::open(conn, viewer.user_id, id, new.document_id, &announced).await
        });
        let opened = opened.await?;
        if let Some(expires_at) = opened.expires_at {
            return Ok(self.upload(id, &announced, expires_at).await?);
        }
        must_be_active(opened.document_status.as_deref())?;
        let wait = opened.first_expires_in.unwrap_or_default().max(1000);
        Err(Error::rate_limited(Duration::from_millis(wait.unsigned_abs())).into())
    }

    async fn upload(
        &self,
        id: Uuid,
        announced: &Announced,
        expires_at: DateTime<Utc>,
    ) -> Result<Upload, Error> {
        let kind = ObjectKind::Upload;
        let url = match self.inner.storage.links(ObjectRef { kind, id }) {
            Some((links, key)) => {
                links
                    .upload(&key, announced, Utc::now(), expires_at)
                    .await?
            }
            None => self.inner.links.upload(id, expires_at),
        };
        let content_type = announced.content_type.name().to_owned();
        Ok(Upload {
            id,
            method: "PUT",
            url,
            headers: vec![("Content-Type", content_type)],
            expires_at,
        })
    }

    /// Makes the picture that was sent the document's, in place of the one that it had. Done already, it succeeds.
    ///
    /// # Errors
    /// NOT_FOUND or IN_TRASH of the document; NOT_FOUND of an upload that is not the viewer's for this document, has
    /// expired, was used, or was not sent; INVALID or TOO_LONG of one that is no such picture as was announced, which ends
    /// it.
    pub async fn set(
        &self,
        viewer: &Viewer,
        client: &Client,
        document: Uuid,
        upload: Uuid,
    ) -> Result<Document, Failure> {
        let standing = self.standing(viewer, document, upload).await?;
        if standing.done {
            return self.document(viewer, document).await;
        }
        let announced = standing.upload.ok_or_else(no_such_upload)?;
        // Permits are waited for without a connection: whoever waits holds nothing that others need.
        let permit = self.inner.permits.clone().acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        let bytes = match self.inner.storage.read_upload(upload).await? {
            Found::Bytes(bytes) => bytes,
            Found::Nothing => return Err(no_such_upload().into()),
            Found::TooMuch => return self.refuse(viewer, upload, too_large()).await,
        };
        let (checked, permit) = checked(bytes, announced, permit).await?;
        let (picture, bytes) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return self.refuse(viewer, upload, refusal).await,
        };
        let new = self.write(viewer, document, upload, picture, bytes).await?;
        drop(permit);
        self.attach(viewer, client, &new).await?;
        // What this leaves is the sweep's.
        if let Err(error) = self.inner.storage.empty_upload(upload).await {
            tracing::warn!(error = error.log_text(), "an upload is left to the sweep");
        }
        self.document(viewer, document).await
    }

    /// Writes a cleaned picture under a key of its own; its row comes first.
    async fn write(
        &self,
        viewer: &Viewer,
        document: Uuid,
        upload: Uuid,
        picture: ImageInfo,
        bytes: Vec<u8>,
    ) -> Result<NewImage, Error> {
        let content_type = ContentType::try_from(picture.content_type.to_owned());
        let new = NewImage {
            id: Uuid::new_v4(),
            document,
            upload,
            picture,
            byte_size: i32::try_from(bytes.len()).map_err(Error::internal)?,
        };
        let mut conn = self.inner.database.connection().await?;
        store::announce_image(&mut conn, viewer.user_id, &new).await?;
        drop(conn);
        let content_type = content_type.map_err(Error::internal)?;
        let written = self.inner.storage.write_image(new.id, content_type, bytes);
        written.await?;
        Ok(new)
    }

    /// The upload as it stands, of an active document.
    async fn standing(
        &self,
        viewer: &Viewer,
        document: Uuid,
        upload: Uuid,
    ) -> Result<Standing, Failure> {
        let mut conn = self.inner.database.connection().await?;
        let standing = store::standing(&mut conn, viewer.user_id, document, upload).await?;
        must_be_active(standing.document_status.as_deref())?;
        Ok(standing)
    }

    async fn attach(
        &self,
        viewer: &Viewer,
        client: &Client,
        new: &NewImage,
    ) -> Result<(), Failure> {
        let conn = self.inner.database.connection().await?;
        let mut conn = conn.for_changes_from(client.origin());
        let attached = conn.transaction(async |conn| {
            if store::attach(conn, viewer.user_id, new).await? {
                Ok(())
            } else {
                Err(Error::unavailable("a picture's document or upload changed"))
            }
        });
        let ended = attached.await;
        drop(conn);
        let Err(error) = ended else {
            return Ok(());
        };
        // Somebody trashed or deleted the document, or used the upload, meanwhile: then that is what is told.
        let standing = self.standing(viewer, new.document, new.upload).await?;
        if standing.done {
            return Ok(());
        }
        standing.upload.ok_or_else(no_such_upload)?;
        Err(error.into())
    }

    /// Ends an upload that is none that can be used; nothing of it stays.
    async fn refuse<T>(
        &self,
        viewer: &Viewer,
        upload: Uuid,
        refusal: Refusal,
    ) -> Result<T, Failure> {
        let mut conn = self.inner.database.connection().await?;
        store::end_upload(&mut conn, viewer.user_id, upload).await?;
        drop(conn);
        self.inner.storage.empty_upload(upload).await?;
        Err(refusal.into())
    }

    /// Takes the document's picture from it. One that has none stays as it is.
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
        let found = documents::find(conn, viewer, document).await?;
        let found = found.ok_or_else(|| items::not_found("documentId", "document"))?;
        if found.deleted_at.is_some() {
            return Err(items::in_trash("documentId", "document"));
        }
        Ok(found)
    }

    async fn document(&self, viewer: &Viewer, id: Uuid) -> Result<Document, Failure> {
        let mut conn = self.inner.database.connection().await?;
        let found = documents::find(&mut conn, viewer, id).await?;
        found.ok_or_else(|| items::not_found("documentId", "document"))
    }

    /// A link to read that picture by: the same within each hour, and good for an hour at least.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no credentials to sign it with.
    pub async fn url(&self, image: &Image) -> Result<String, Error> {
        let (id, kind) = (image.id, ObjectKind::Image);
        match self.inner.storage.links(ObjectRef { kind, id }) {
            Some((links, key)) => {
                let now = Utc::now();
                links.image(&key, id, image.content_type, now).await
            }
            None => Ok(self.inner.links.image(id, image.content_type, Utc::now())),
        }
    }

    /// What was announced of the upload that a link names; `None` if the link is none of ours, has expired, or the upload
    /// was used.
    pub(crate) async fn awaited(
        &self,
        id: Uuid,
        expires: i64,
        signature: &str,
    ) -> Result<Option<Announced>, Error> {
        if !self
            .inner
            .links
            .may_upload(id, expires, signature, Utc::now())
        {
            return Ok(None);
        }
        let mut conn = self.inner.database.connection().await?;
        store::announced(&mut conn, id).await
    }

    /// Begins to take an awaited upload in.
    pub(crate) async fn stage(&self, id: Uuid) -> Result<Staging, Error> {
        self.inner.storage.stage(id).await
    }

    /// The picture that a link names, and how many bytes it has; `None` if the link is none of ours, has expired, or the
    /// picture is gone.
    pub(crate) async fn open(
        &self,
        id: Uuid,
        content_type: ContentType,
        until: i64,
        signature: &str,
    ) -> Result<Option<(tokio::fs::File, u64)>, Error> {
        let now = Utc::now();
        if !self
            .inner
            .links
            .may_read(id, content_type, until, signature, now)
        {
            return Ok(None);
        }
        self.inner.storage.open_image(id).await
    }
}

/// The pictures of these documents of the viewer's; those without one are left out.
pub(crate) async fn of_documents(
    conn: &mut Connection,
    viewer: &Viewer,
    documents: Vec<Uuid>,
) -> Result<HashMap<Uuid, Image>, Error> {
    let images = store::images_of(conn, viewer.user_id, documents).await?;
    Ok(images.into_iter().collect())
}

/// How a picture is shown and, if somebody keeps it, named.
pub(crate) fn disposition(id: Uuid, content_type: ContentType) -> String {
    format!("inline; filename=\"{id}.{}\"", content_type.extension())
}

fn announced(new: &NewUpload) -> Result<Announced, Failure> {
    let mut problems = Problems::default();
    let content_type = ContentType::of_name(&new.content_type);
    if content_type.is_none() {
        let message = "contentType must be image/jpeg, image/png, image/webp or image/gif.";
        problems.add("contentType", RefusalCode::UnsupportedType, message);
    }
    if new.byte_size < 1 {
        let message = "byteSize must be 1 or more.";
        problems.add("byteSize", RefusalCode::Invalid, message);
    }
    if new.byte_size > MOST_BYTES {
        let message = format!("byteSize must be {MOST_BYTES} (20 MiB) at most.");
        problems.add("byteSize", RefusalCode::TooLarge, message);
    }
    problems.finish()?;
    Ok(Announced {
        content_type: content_type.unwrap_or(ContentType::Jpeg),
        byte_size: new.byte_size,
    })
}

fn must_be_active(document_status: Option<&str>) -> Result<(), Failure> {
    match document_status {
        None => Err(items::not_found("documentId", "document")),
        Some("trash") => Err(items::in_trash("documentId", "document")),
        Some(_) => Ok(()),
    }
}

fn no_such_upload() -> Refusal {
    let message = "There is no such upload, or nothing was sent to it, or it was used or has expired. Request another one.";
    Refusal::of("uploadId", RefusalCode::NotFound, message)
}

fn too_large() -> Refusal {
    let message = "What was sent is larger than 20 MiB. Request another upload.";
    Refusal::of("uploadId", RefusalCode::TooLarge, message)
}

/// Checks and cleans, off the async threads. The permit goes along, so that a request that gives up makes no room for
/// another picture before this one's memory is free.
async fn checked(
    bytes: Vec<u8>,
    announced: Announced,
    permit: OwnedSemaphorePermit,
) -> Result<(Result<(ImageInfo, Vec<u8>), Refusal>, OwnedSemaphorePermit), Error> {
    let work = move || (judged(bytes, &announced), permit);
    let task = tokio::task::spawn_blocking(work).await;
    task.map_err(|error| Error::internal(format!("cleaning a picture: {error}")))
}

fn judged(bytes: Vec<u8>, announced: &Announced) -> Result<(ImageInfo, Vec<u8>), Refusal> {
    let refused_as = |code, message: String| Err(Refusal::of("uploadId", code, message));
    let refused = |message: String| refused_as(RefusalCode::Invalid, message);
    if i32::try_from(bytes.len()).ok() != Some(announced.byte_size) {
        return refused("What was sent is not as long as was announced.".to_owned());
    }
    match image_intake::clean(bytes) {
        Ok((picture, _)) if picture.content_type != announced.content_type.name() => {
            let (is, said) = (picture.content_type, announced.content_type.name());
            refused(format!("What was sent is {is}, and {said} was announced."))
        }
        Ok(cleaned) => Ok(cleaned),
        Err(ImageError::UnknownType) => {
            let message = "The uploaded file is not a JPEG, PNG, WebP or GIF.";
            refused_as(RefusalCode::UnsupportedType, message.to_owned())
        }
        Err(ImageError::Invalid(why)) => {
            refused(format!("The uploaded file is not a valid image: {why}."))
        }
        Err(ImageError::TooManyPixels) => {
            let message = "The image is too large. Maximum 20,000 pixels per side and 100 million pixels in total.";
            refused_as(RefusalCode::TooLarge, message.to_owned())
        }
    }
}
