//! Reading images, links to them, and what the service's own HTTP endpoints for a local folder need.

use std::collections::HashMap;

use chrono::Utc;
use uuid::Uuid;

use super::{
    Images, Staging,
    copies::Copies,
    model::{Announced, ContentType, Image, ObjectRef, Thumbnail},
    store,
};
use crate::{auth::Viewer, db::Connection, error::Error};

impl Images {
    /// The store alone, for exports.
    pub(crate) fn copies(&self) -> Copies {
        Copies::of(self.inner.storage.clone())
    }

    /// Whether this service receives and serves images itself. Otherwise the store does.
    pub(crate) fn are_served(&self) -> bool {
        self.inner.storage.is_folder()
    }

    /// A link to an image. The same within each hour, and valid for at least an hour, unless temporary credentials of S3
    /// change or expire earlier.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no credentials to sign it.
    pub async fn url(&self, image: &Image) -> Result<String, Error> {
        let object = ObjectRef::image(image.id);
        self.link(object, image.content_type).await
    }

    /// A link to the thumbnail of the image with this id, valid as that of the image.
    ///
    /// # Errors
    /// As [`Images::url`].
    pub async fn thumbnail_url(&self, image: Uuid, thumbnail: &Thumbnail) -> Result<String, Error> {
        let object = ObjectRef::thumbnail(image);
        self.link(object, thumbnail.content_type).await
    }

    async fn link(&self, object: ObjectRef, content_type: ContentType) -> Result<String, Error> {
        let now = Utc::now();
        match self.inner.storage.links(object) {
            Some((links, key)) => links.image(&key, object.id, content_type, now).await,
            None => Ok(self.inner.links.image(object, content_type, now)),
        }
    }

    /// The announced type and size of an upload. `None` if the link is invalid or has expired, or the upload was used.
    pub(crate) async fn announced_upload(
        &self,
        id: Uuid,
        expires: i64,
        signature: &str,
    ) -> Result<Option<Announced>, Error> {
        let links = &self.inner.links;
        if !links.may_upload(id, expires, signature, Utc::now()) {
            return Ok(None);
        }
        let mut conn = self.inner.database.connection().await?;
        store::announced(&mut conn, id).await
    }

    /// Starts receiving an upload.
    pub(crate) async fn stage(&self, id: Uuid) -> Result<Staging, Error> {
        self.inner.storage.stage(id).await
    }

    /// Opens the file of an image or a thumbnail, and returns its size. `None` if the link is invalid or has expired, or
    /// the image was deleted.
    pub(crate) async fn open(
        &self,
        object: ObjectRef,
        content_type: ContentType,
        until: i64,
        signature: &str,
    ) -> Result<Option<(tokio::fs::File, u64)>, Error> {
        let links = &self.inner.links;
        if !links.may_read(object, content_type, until, signature, Utc::now()) {
            return Ok(None);
        }
        self.inner.storage.open_file(object).await
    }
}

/// The images of these documents. Documents without an image are omitted.
pub(crate) async fn of_documents(
    conn: &mut Connection,
    viewer: &Viewer,
    documents: Vec<Uuid>,
) -> Result<HashMap<Uuid, Image>, Error> {
    let images = store::images_of(conn, viewer.user_id, documents).await?;
    Ok(images.into_iter().collect())
}

/// The `Content-Disposition` of an image, with a file name for saving it.
pub(crate) fn disposition(id: Uuid, content_type: ContentType) -> String {
    format!("inline; filename=\"{id}.{}\"", content_type.extension())
}
