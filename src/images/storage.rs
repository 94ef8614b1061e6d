//! Where the bytes are: a local folder, or S3 and what speaks it, both by way of `object_store`.
//!
//! A key is made of a kind and an id of ours; nothing that a caller sent is ever in one. Nothing here knows whose the bytes
//! are, or what. In the folder each object has a folder of its own, so that what a process leaves behind that dies while it
//! writes is removed with it. What S3 presigns for callers is in `presigned`.

use std::{fs, io, os::unix::fs::DirBuilderExt, path::PathBuf, sync::Arc};

use object_store::{
    Attribute, Attributes, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutOptions, PutPayload, local::LocalFileSystem, path::Path,
};
use tokio_util::bytes::Bytes;
use url::Url;
use uuid::Uuid;

use super::{
    model::{ContentType, MOST_BYTES, ObjectKind, ObjectRef},
    presigned::{self, Bucket},
};
use crate::error::Error;

/// How much of an upload is held before it is written, in bytes.
const PIECE: usize = 256 * 1024;

/// Which store.
#[derive(Clone)]
pub enum StorageSettings {
    /// A local folder; it is made if it is not there.
    Folder(PathBuf),
    /// S3, or what speaks it. Not `Debug`: the environment holds the credentials.
    S3 {
        /// `s3://bucket/prefix?endpoint=…&region=…&style=path|host`
        url: Url,
        /// The variables `AWS_…`.
        environment: Vec<(String, String)>,
    },
}

/// The store of all pictures.
pub(super) struct Storage {
    objects: Arc<dyn ObjectStore>,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Bucket { links: Bucket, prefix: String },
}

/// What was found under a key.
pub(super) enum Found {
    Nothing,
    /// More than a picture may have.
    TooMuch,
    Bytes(Vec<u8>),
}

impl Storage {
    /// Opens a folder; connects to nothing yet.
    ///
    /// # Errors
    /// A message that says what is wrong with the store's address.
    pub(super) fn open(settings: &StorageSettings) -> Result<Storage, String> {
        match settings {
            StorageSettings::Folder(folder) => {
                let wrong = |error: &dyn std::fmt::Display| {
                    format!(
                        "The folder of pictures {} cannot be used: {error}.",
                        folder.display()
                    )
                };
                // Nobody else on the machine is to look at them.
                let made = fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder);
                made.map_err(|error| wrong(&error))?;
                let objects =
                    LocalFileSystem::new_with_prefix(folder).map_err(|error| wrong(&error))?;
                Ok(Storage {
                    objects: Arc::new(objects.with_fsync(true)),
                    place: Place::Folder(folder.clone()),
                })
            }
            StorageSettings::S3 { url, environment } => {
                let opened = presigned::open(url, environment);
                let (objects, links, prefix) =
                    opened.map_err(|why| format!("SNAPNOTE_STORAGE_URL cannot be used: {why}."))?;
                Ok(Storage {
                    objects: Arc::new(objects),
                    place: Place::Bucket { links, prefix },
                })
            }
        }
    }

    /// Whether it is a local folder, which nobody but this service can hand out.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// Who makes links to the objects, with their key; `None`: the service itself.
    pub(super) fn links(&self, object: ObjectRef) -> Option<(&Bucket, String)> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Bucket { links, .. } => Some((links, self.key(object))),
        }
    }

    fn key(&self, object: ObjectRef) -> String {
        let (kind, id) = (object.kind.name(), object.id);
        match &self.place {
            Place::Folder(_) => format!("{kind}s/{id}/picture"),
            Place::Bucket { prefix, .. } => format!("{prefix}{kind}s/{id}"),
        }
    }

    /// Begins to take an upload in.
    pub(super) async fn stage(&self, id: Uuid) -> Result<Staging, Error> {
        let kind = ObjectKind::Upload;
        let path = Path::from(self.key(ObjectRef { kind, id }));
        let writer = self.objects.put_multipart(&path).await.map_err(away)?;
        Ok(Staging {
            writer,
            pieces: Vec::new(),
            held: 0,
        })
    }

    /// All the bytes of an upload, if they are no more than a picture may have.
    pub(super) async fn read_upload(&self, id: Uuid) -> Result<Found, Error> {
        let kind = ObjectKind::Upload;
        let path = Path::from(self.key(ObjectRef { kind, id }));
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(Found::Nothing),
            Err(error) => return Err(away(error)),
        };
        if found.meta.size > MOST_BYTES.unsigned_abs().into() {
            return Ok(Found::TooMuch);
        }
        let bytes = found.bytes().await.map_err(away)?;
        Ok(Found::Bytes(bytes.into()))
    }

    /// Writes a picture, whole or not at all.
    pub(super) async fn write_image(
        &self,
        id: Uuid,
        content_type: ContentType,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        let kind = ObjectKind::Image;
        let path = Path::from(self.key(ObjectRef { kind, id }));
        let mut options = PutOptions::default();
        if let Place::Bucket { .. } = self.place {
            let mut attributes = Attributes::new();
            attributes.insert(Attribute::ContentType, content_type.name().into());
            let disposition = super::disposition(id, content_type);
            attributes.insert(Attribute::ContentDisposition, disposition.into());
            options.attributes = attributes;
        }
        let payload = PutPayload::from(bytes);
        self.objects
            .put_opts(&path, payload, options)
            .await
            .map_err(away)?;
        Ok(())
    }

    /// A picture in the folder, and how many bytes it has; `None` if it is not there, or not in a folder.
    pub(super) async fn open_image(
        &self,
        id: Uuid,
    ) -> Result<Option<(tokio::fs::File, u64)>, Error> {
        let Place::Folder(_) = self.place else {
            return Ok(None);
        };
        let kind = ObjectKind::Image;
        let path = Path::from(self.key(ObjectRef { kind, id }));
        match self.objects.get(&path).await {
            Ok(found) => match found.payload {
                GetResultPayload::File(file, _) => {
                    Ok(Some((tokio::fs::File::from_std(file), found.meta.size)))
                }
                GetResultPayload::Stream(_) => Err(Error::internal("a folder gave no file")),
            },
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(away(error)),
        }
    }

    /// Removes the bytes of an upload. What is being written there now may come after it.
    pub(super) async fn empty_upload(&self, id: Uuid) -> Result<(), Error> {
        let kind = ObjectKind::Upload;
        let path = Path::from(self.key(ObjectRef { kind, id }));
        gone(self.objects.delete(&path).await)
    }

    /// Removes an object and whatever was left of attempts to write it. Succeeds if nothing is there.
    pub(super) async fn remove(&self, object: ObjectRef) -> Result<(), Error> {
        let Place::Folder(folder) = &self.place else {
            let path = Path::from(self.key(object));
            return gone(self.objects.delete(&path).await);
        };
        let folder = folder
            .join(format!("{}s", object.kind.name()))
            .join(object.id.to_string());
        let removed = tokio::task::spawn_blocking(move || remove_folder(&folder)).await;
        let removed = removed.map_err(Error::internal)?;
        removed.map_err(|error| Error::unavailable(format!("removing a picture: {error}")))
    }
}

/// Removes a folder if it is there, for good before its row goes.
fn remove_folder(folder: &std::path::Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    let parent = folder.parent().unwrap_or(folder);
    fs::File::open(parent)?.sync_all()
}

fn gone(removed: object_store::Result<()>) -> Result<(), Error> {
    match removed {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(away(error)),
    }
}

/// Whatever goes wrong with the store may go well later; its words are for the log.
fn away(error: object_store::Error) -> Error {
    Error::unavailable(format!("the store of pictures: {error}"))
}

/// An upload that is being taken in: invisible until it is whole, and nothing if it is dropped before.
pub(crate) struct Staging {
    writer: Box<dyn MultipartUpload>,
    pieces: Vec<Bytes>,
    held: usize,
}

impl Staging {
    /// Takes the next bytes.
    pub(crate) async fn take(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.held += bytes.len();
        self.pieces.push(bytes);
        if self.held < PIECE {
            return Ok(());
        }
        self.write().await
    }

    async fn write(&mut self) -> Result<(), Error> {
        self.held = 0;
        let piece = self.pieces.drain(..).collect::<PutPayload>();
        self.writer.put_part(piece).await.map_err(away)
    }

    /// Puts all that was taken in the place of what was there before.
    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        if self.held > 0 {
            self.write().await?;
        }
        self.writer.complete().await.map_err(away)?;
        Ok(())
    }
}
