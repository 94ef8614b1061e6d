//! The rows and inputs of images and uploads, and their maximum size.

use std::fmt;

use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    db::{named, row},
    scalars::ObjectId,
};

/// Maximum size of an image in bytes.
pub const MAX_BYTES: i32 = 20 * 1024 * 1024;

row! {
    /// A document's image.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Image {
        /// Part of its object's key.
        pub id: Uuid,
        /// Detected from the bytes.
        pub content_type: ContentType,
        /// Size of the cleaned image.
        pub byte_size: i32,
        /// In pixels, at least 1.
        pub width: i32,
        /// In pixels, at least 1.
        pub height: i32,
        /// `None` if it is not made yet, or cannot be made.
        pub thumbnail: Option<Thumbnail>,
    }
}

row! {
    /// The thumbnail of an image. Its object's key contains the id of the image.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Thumbnail {
        /// JPEG or PNG.
        pub content_type: ContentType,
        /// In pixels, 1 to 512.
        pub width: i32,
        /// In pixels, 1 to 512.
        pub height: i32,
    }
}

/// The accepted types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// JPEG.
    Jpeg,
    /// PNG, including animated ones.
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

    /// The type that a client names, in any case. Parameters are ignored, and other names of a type are accepted.
    pub fn of_media_type(sent: &str) -> Option<Self> {
        let name = sent.split(';').next().unwrap_or_default();
        let name = name.trim_matches([' ', '\t']).to_ascii_lowercase();
        match name.as_str() {
            "image/jpg" | "image/pjpeg" => Some(ContentType::Jpeg),
            "image/apng" | "image/x-png" => Some(ContentType::Png),
            name => ContentType::parse(name),
        }
    }

    /// The extension of files of this type.
    pub fn extension(self) -> &'static str {
        match self {
            ContentType::Jpeg => "jpg",
            ContentType::Png => "png",
            ContentType::WebP => "webp",
            ContentType::Gif => "gif",
        }
    }

    /// The type with this extension.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.extension() == extension)
    }
}

// The media type, as in HTTP.
named!(ContentType {
    Jpeg = "image/jpeg",
    Png = "image/png",
    WebP = "image/webp",
    Gif = "image/gif",
});

/// An image to upload: JPEG, PNG, WebP or GIF. Maximum 20 MiB.
#[derive(InputObject, Debug, Clone)]
pub struct RequestImageUploadInput {
    /// The id of the document that the image is for, which must be active. An id that is not a UUID matches nothing.
    pub document_id: ObjectId,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`. The uploaded image must have this type. Case and parameters do not
    /// matter, and `image/jpg` is JPEG.
    pub content_type: String,
    /// The exact number of bytes that you will upload (1–20,971,520).
    pub byte_size: i32,
}

/// How to send an image. `Debug` omits the link, since anyone who has it can send the image.
#[derive(Clone)]
pub struct Upload {
    /// The id to pass to the second step.
    pub id: Uuid,
    /// The HTTP method.
    pub method: &'static str,
    /// The URL.
    pub url: String,
    /// Headers that the request must have, apart from those that every client sets.
    pub headers: Vec<(&'static str, String)>,
    /// The request must start before this time.
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

row! {
    /// The announced type and size of an upload.
    #[derive(Debug, Clone)]
    pub struct Announced {
        /// The announced type.
        pub content_type: ContentType,
        /// The announced number of bytes.
        pub byte_size: i32,
    }
}

/// The content of an object in the store. Kind and id form its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ObjectKind {
    /// Bytes as they were sent.
    Upload,
    /// A checked and cleaned image.
    Image,
    /// A small version of an image. Has the id of the image, whose row stands for both.
    Thumbnail,
}

named!(ObjectKind {
    Upload = "upload",
    Image = "image",
    Thumbnail = "thumbnail",
});

row! {
    /// An object in the store. Identifies its key.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) struct ObjectRef {
        pub(crate) kind: ObjectKind,
        pub(crate) id: Uuid,
    }
}

impl ObjectRef {
    pub(super) fn upload(id: Uuid) -> Self {
        let kind = ObjectKind::Upload;
        ObjectRef { kind, id }
    }

    pub(super) fn image(id: Uuid) -> Self {
        let kind = ObjectKind::Image;
        ObjectRef { kind, id }
    }

    pub(super) fn thumbnail(id: Uuid) -> Self {
        let kind = ObjectKind::Thumbnail;
        ObjectRef { kind, id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_accepted_in_any_spelling() {
        for (sent, expected) in [
            ("image/jpeg", Some(ContentType::Jpeg)),
            ("image/JPG", Some(ContentType::Jpeg)),
            ("Image/Jpeg; x=y", Some(ContentType::Jpeg)),
            ("image/pjpeg", Some(ContentType::Jpeg)),
            (" IMAGE/PNG ;q=\"a;b\"", Some(ContentType::Png)),
            ("image/apng", Some(ContentType::Png)),
            ("image/webp;", Some(ContentType::WebP)),
            ("image/gif", Some(ContentType::Gif)),
            ("image/svg+xml", None),
            ("image/png, image/gif", None),
            ("image/png\r\nx: y", None),
            ("image/", None),
            ("png", None),
            ("", None),
        ] {
            assert_eq!(ContentType::of_media_type(sent), expected, "{sent:?}");
        }
    }
}
