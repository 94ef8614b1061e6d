//! Pictures as they are stored and handed out, and how much one may be.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Integer, Text, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::db::Row;

/// Bytes of a picture at most.
pub const MOST_BYTES: i32 = 20 * 1024 * 1024;

/// A document's picture.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Image {
    /// Names its object in the store.
    pub id: Uuid,
    /// What it is, told from its bytes.
    #[diesel(deserialize_as = String)]
    pub content_type: ContentType,
    /// Of the cleaned picture.
    pub byte_size: i32,
    /// In pixels, 1 or more.
    pub width: i32,
    /// In pixels, 1 or more.
    pub height: i32,
}

impl Row for Image {
    type Sql = (SqlUuid, Text, Integer, Integer, Integer);
}

/// What pictures may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// JPEG.
    Jpeg,
    /// PNG, animated ones, too.
    Png,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
}

impl ContentType {
    const ALL: [ContentType; 4] = [
        ContentType::Jpeg,
        ContentType::Png,
        ContentType::WebP,
        ContentType::Gif,
    ];

    /// As HTTP and the tables have it.
    pub fn name(self) -> &'static str {
        match self {
            ContentType::Jpeg => "image/jpeg",
            ContentType::Png => "image/png",
            ContentType::WebP => "image/webp",
            ContentType::Gif => "image/gif",
        }
    }

    /// Of a file of this type.
    pub fn extension(self) -> &'static str {
        match self {
            ContentType::Jpeg => "jpg",
            ContentType::Png => "png",
            ContentType::WebP => "webp",
            ContentType::Gif => "gif",
        }
    }

    /// The type with that name; `None` if pictures may not be of it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The type with that extension.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.extension() == extension)
    }
}

impl TryFrom<String> for ContentType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        ContentType::of_name(&name).ok_or_else(|| format!("{name} is no type of pictures"))
    }
}

/// A picture that somebody wants to send.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The active document that it is for.
    pub document_id: Uuid,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub content_type: String,
    /// 1 to [`MOST_BYTES`].
    pub byte_size: i32,
}

/// Where and how to send a picture. Its link lets anybody send it: `Debug` leaves it out.
#[derive(Clone)]
pub struct Upload {
    /// What to name it by when all is sent.
    pub id: Uuid,
    /// The method of the request.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers that the request must have, beside those that every client sets by itself.
    pub headers: Vec<(&'static str, String)>,
    /// Until when the request may begin.
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Upload")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An upload as it was announced.
#[derive(Debug, Clone, Queryable)]
pub struct Announced {
    /// What the bytes are said to be.
    #[diesel(deserialize_as = String)]
    pub content_type: ContentType,
    /// How many there will be.
    pub byte_size: i32,
}

impl Row for Announced {
    type Sql = (Text, Integer);
}

/// What an object in the store holds; with its id, its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ObjectKind {
    /// Bytes as they were sent.
    Upload,
    /// A checked and cleaned picture.
    Image,
}

impl ObjectKind {
    /// As the table has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            ObjectKind::Upload => "upload",
            ObjectKind::Image => "image",
        }
    }
}

impl TryFrom<String> for ObjectKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        [ObjectKind::Upload, ObjectKind::Image]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("{name} is no kind of object"))
    }
}

/// An object in the store, as its key says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Queryable)]
pub(super) struct ObjectRef {
    #[diesel(deserialize_as = String)]
    pub(super) kind: ObjectKind,
    pub(super) id: Uuid,
}

impl Row for ObjectRef {
    type Sql = (Text, SqlUuid);
}
