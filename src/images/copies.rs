//! Reads and writes images without the service around them, for backups, restores and exports.

use std::sync::Arc;

use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::{
    StorageSettings,
    model::{ContentType, ObjectRef},
    storage::{Contents, Storage},
    store,
};
use crate::{
    db::{Connection, Database},
    error::Error,
};

/// Images that are read from the database at once.
const PAGE: i64 = 1000;

/// The store of images, without the service around it.
pub(crate) struct Copies {
    storage: Arc<Storage>,
}

/// An image or a thumbnail that the database names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    /// The id of the image.
    pub(crate) id: Uuid,
    pub(crate) is_thumbnail: bool,
    content_type: ContentType,
}

impl Object {
    fn key(self) -> ObjectRef {
        match self.is_thumbnail {
            true => ObjectRef::thumbnail(self.id),
            false => ObjectRef::image(self.id),
        }
    }
}

impl Copies {
    /// Opens the store.
    ///
    /// # Errors
    /// A message that says what is wrong with its address.
    pub(crate) fn open(settings: &StorageSettings) -> Result<Copies, String> {
        Ok(Copies::of(Arc::new(Storage::open(settings)?)))
    }

    /// Those of a store that is open.
    pub(super) fn of(storage: Arc<Storage>) -> Copies {
        Copies { storage }
    }

    /// The bytes of the image with this id. `None` if it does not exist (any more).
    ///
    /// # Errors
    /// UNAVAILABLE if the store fails.
    pub(crate) async fn read_image(&self, id: Uuid) -> Result<Option<Bytes>, Error> {
        self.read_object(ObjectRef::image(id)).await
    }

    /// The bytes of an object. `None` if it does not exist (any more).
    ///
    /// # Errors
    /// UNAVAILABLE if the store fails.
    pub(crate) async fn read(&self, object: Object) -> Result<Option<Bytes>, Error> {
        self.read_object(object.key()).await
    }

    async fn read_object(&self, key: ObjectRef) -> Result<Option<Bytes>, Error> {
        match self.storage.read(key).await? {
            Contents::Bytes(bytes) => Ok(Some(bytes)),
            Contents::Missing => Ok(None),
            Contents::TooLarge => Err(Error::internal("a stored image is larger than allowed")),
        }
    }

    /// Writes an object, or replaces it.
    ///
    /// # Errors
    /// UNAVAILABLE if the store fails.
    pub(crate) async fn write(&self, object: Object, bytes: Bytes) -> Result<(), Error> {
        let key = object.key();
        self.storage.write(key, object.content_type, bytes).await
    }
}

/// The objects that the database names, with their images' ids after `after`: a page in the order of ids, empty at the end.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn objects(database: &Database, after: Uuid) -> Result<Vec<Object>, Error> {
    let mut conn: Connection = database.connection().await?;
    let images = store::stored(&mut conn, after, PAGE).await?;
    let of = |image: store::StoredImage| {
        let id = image.id;
        let object = |is_thumbnail, content_type| Object {
            id,
            is_thumbnail,
            content_type,
        };
        let thumbnail = image.thumbnail_type.map(|kind| object(true, kind));
        [Some(object(false, image.content_type)), thumbnail]
    };
    Ok(images.into_iter().flat_map(of).flatten().collect())
}
