//! The bytes of images: in a local folder, or in S3 or a compatible store, both through `object_store`.
//!
//! A key consists of a kind and an id that the service makes, and never of anything that a client sent. This module does not know the
//! owner or the type of the bytes. In a folder, each object has its own folder, so that partial files of a killed
//! process are removed with it. `presigned` makes links to S3.

use std::{fs, io, os::unix::fs::DirBuilderExt, path::PathBuf, sync::Arc};

use object_store::{
    Attribute, Attributes, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutOptions, PutPayload, local::LocalFileSystem, path::Path,
};
use tokio_util::bytes::Bytes;
use url::Url;
use uuid::Uuid;

use super::{
    model::{ContentType, MAX_BYTES, ObjectRef},
    presigned::{self, Bucket},
};
use crate::error::Error;

/// Bytes of an upload that are buffered before they are written.
const PART_SIZE: usize = 256 * 1024;

/// The store.
#[derive(Clone)]
pub enum StorageSettings {
    /// A local folder. Created if it does not exist.
    Folder(PathBuf),
    /// S3 or a compatible store. Not `Debug`: the environment contains the credentials.
    S3 {
        /// `s3://bucket/prefix?endpoint=…&region=…&style=path|host`
        url: Url,
        /// The `AWS_…` variables.
        environment: Vec<(String, String)>,
    },
}

/// Writes an object to the store, reads it and deletes it, to check the settings.
///
/// # Errors
/// A message that says what failed.
pub async fn probe(settings: &StorageSettings) -> Result<(), String> {
    let storage = Storage::open(settings)?;
    let object = ObjectRef::upload(Uuid::new_v4());
    let failed = |error: Error| error.log_text();
    let bytes = Bytes::from_static(b"snapnote check");
    let written = storage.write(object, ContentType::Png, bytes.clone()).await;
    written.map_err(failed)?;
    let found = storage.read(object).await.map_err(failed);
    // Deletes it in any case.
    storage.remove(object).await.map_err(failed)?;
    match found? {
        Contents::Bytes(found) if found == bytes => Ok(()),
        _ => Err("an object that was written could not be read".to_owned()),
    }
}

/// The store of all images.
pub(super) struct Storage {
    objects: Arc<dyn ObjectStore>,
    backend: Backend,
}

enum Backend {
    Folder(PathBuf),
    Bucket { links: Bucket, prefix: String },
}

/// The contents of an object.
pub(super) enum Contents {
    Missing,
    /// Larger than an image may be.
    TooLarge,
    Bytes(Bytes),
}

impl Storage {
    /// Opens the store. Does not connect to S3 yet.
    ///
    /// # Errors
    /// A message that says what is wrong with the store's address.
    pub(super) fn open(settings: &StorageSettings) -> Result<Storage, String> {
        match settings {
            StorageSettings::Folder(folder) => {
                let shown = folder.display();
                let wrong = |error: &dyn std::fmt::Display| {
                    format!("The image folder {shown} cannot be used: {error}.")
                };
                // Other users of this machine must not read the images.
                let mut builder = fs::DirBuilder::new();
                let made = builder.recursive(true).mode(0o700).create(folder);
                made.map_err(|error| wrong(&error))?;
                let objects = LocalFileSystem::new_with_prefix(folder);
                let objects = objects.map_err(|error| wrong(&error))?;
                Ok(Storage {
                    objects: Arc::new(objects.with_fsync(true)),
                    backend: Backend::Folder(folder.clone()),
                })
            }
            StorageSettings::S3 { url, environment } => {
                let opened = presigned::open(url, environment);
                let (objects, links, prefix) =
                    opened.map_err(|why| format!("SNAPNOTE_STORAGE_URL cannot be used: {why}."))?;
                Ok(Storage {
                    objects: Arc::new(objects),
                    backend: Backend::Bucket { links, prefix },
                })
            }
        }
    }

    /// Whether the store is a local folder, from which only this service can serve images.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.backend, Backend::Folder(_))
    }

    /// The maker of links to an object, with the object's key. `None` if the service itself makes links.
    pub(super) fn links(&self, object: ObjectRef) -> Option<(&Bucket, String)> {
        match &self.backend {
            Backend::Folder(_) => None,
            Backend::Bucket { links, .. } => Some((links, self.key(object))),
        }
    }

    fn key(&self, object: ObjectRef) -> String {
        let (kind, id) = (object.kind.as_str(), object.id);
        match &self.backend {
            Backend::Folder(_) => format!("{kind}s/{id}/picture"),
            Backend::Bucket { prefix, .. } => format!("{prefix}{kind}s/{id}"),
        }
    }

    fn path(&self, object: ObjectRef) -> Path {
        Path::from(self.key(object))
    }

    /// Starts receiving an upload.
    pub(super) async fn stage(&self, id: Uuid) -> Result<Staging, Error> {
        let path = self.path(ObjectRef::upload(id));
        let writer = self.objects.put_multipart(&path).await;
        Ok(Staging {
            writer: writer.map_err(store_error)?,
            parts: Vec::new(),
            buffered: 0,
        })
    }

    /// Reads an object, unless it is larger than an image may be.
    pub(super) async fn read(&self, object: ObjectRef) -> Result<Contents, Error> {
        let found = match self.objects.get(&self.path(object)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(Contents::Missing),
            Err(error) => return Err(store_error(error)),
        };
        if found.meta.size > MAX_BYTES.unsigned_abs().into() {
            return Ok(Contents::TooLarge);
        }
        let bytes = found.bytes().await.map_err(store_error)?;
        Ok(Contents::Bytes(bytes))
    }

    /// Writes an image or a thumbnail completely or not at all.
    pub(super) async fn write(
        &self,
        object: ObjectRef,
        content_type: ContentType,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let mut options = PutOptions::default();
        if let Backend::Bucket { .. } = self.backend {
            let mut attributes = Attributes::new();
            attributes.insert(Attribute::ContentType, content_type.as_str().into());
            let disposition = super::disposition(object.id, content_type);
            attributes.insert(Attribute::ContentDisposition, disposition.into());
            options.attributes = attributes;
        }
        let path = self.path(object);
        let written = self.objects.put_opts(&path, bytes.into(), options).await;
        written.map(|_| ()).map_err(store_error)
    }

    /// Opens an object in the folder, and returns its size. `None` if it does not exist or the store is not a folder.
    pub(super) async fn open_file(
        &self,
        object: ObjectRef,
    ) -> Result<Option<(tokio::fs::File, u64)>, Error> {
        let Backend::Folder(_) = self.backend else {
            return Ok(None);
        };
        let found = match self.objects.get(&self.path(object)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(store_error(error)),
        };
        let GetResultPayload::File(file, _) = found.payload else {
            let detail = "the local store returned a stream instead of a file";
            return Err(Error::internal(detail));
        };
        Ok(Some((tokio::fs::File::from_std(file), found.meta.size)))
    }

    /// Deletes the bytes of an upload. A write in progress may still add them again.
    pub(super) async fn delete_upload(&self, id: Uuid) -> Result<(), Error> {
        let path = self.path(ObjectRef::upload(id));
        deleted(self.objects.delete(&path).await)
    }

    /// Removes an object and the remains of failed writes. Succeeds if there is none.
    pub(super) async fn remove(&self, object: ObjectRef) -> Result<(), Error> {
        let Backend::Folder(folder) = &self.backend else {
            let path = self.path(object);
            return deleted(self.objects.delete(&path).await);
        };
        let folder = folder
            .join(format!("{}s", object.kind.as_str()))
            .join(object.id.to_string());
        let removed = tokio::task::spawn_blocking(move || remove_folder(&folder)).await;
        let removed = removed.map_err(Error::of_task)?;
        removed.map_err(|error| Error::unavailable(format!("removing an image failed: {error}")))
    }
}

/// Removes a folder durably, before its row is deleted. Succeeds if there is none.
fn remove_folder(folder: &std::path::Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    let parent = folder.parent().unwrap_or(folder);
    fs::File::open(parent)?.sync_all()
}

fn deleted(removed: object_store::Result<()>) -> Result<(), Error> {
    match removed {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(store_error(error)),
    }
}

/// Any error of the store may be temporary. Its text is for the log.
fn store_error(error: object_store::Error) -> Error {
    Error::unavailable(format!("the image store failed: {error}"))
}

/// An upload that is being received. It is invisible until it is complete, and discarded if this is dropped before.
pub(crate) struct Staging {
    writer: Box<dyn MultipartUpload>,
    parts: Vec<Bytes>,
    buffered: usize,
}

impl Staging {
    /// Adds the next bytes.
    pub(crate) async fn take(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.buffered += bytes.len();
        self.parts.push(bytes);
        if self.buffered < PART_SIZE {
            return Ok(());
        }
        self.write().await
    }

    async fn write(&mut self) -> Result<(), Error> {
        self.buffered = 0;
        let part = self.parts.drain(..).collect::<PutPayload>();
        self.writer.put_part(part).await.map_err(store_error)
    }

    /// Completes the upload, and replaces what was there before.
    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        if self.buffered > 0 {
            self.write().await?;
        }
        self.writer.complete().await.map_err(store_error)?;
        Ok(())
    }
}
