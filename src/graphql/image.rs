//! Images in the API: the object, and the mutations that upload, set and remove a document's image.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::ContextExt,
    document::DocumentPayload,
    payload::{mutations, payload, respond},
};
use crate::{
    error::Error,
    images::model::{self, RequestImageUploadInput},
    scalars::{DateTime, ObjectId, Url, id_of},
};

/// A document's image.
pub(crate) struct Image(pub(crate) model::Image);

/// An image of the page that a document was made from. The service removes metadata from it, such as the camera model,
/// the location and the time.
#[Object]
impl Image {
    /// A link to the image. It is usually valid for at least one hour, but for less if the service's S3 credentials expire
    /// earlier. Requests within an hour usually get the same link. Anyone who has the link can see the image.
    async fn url(&self, ctx: &Context<'_>) -> Result<Url, Error> {
        Ok(Url(ctx.services().images.url(&self.0).await?))
    }

    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`, detected from the bytes.
    fn content_type(&self) -> &str {
        self.0.content_type.as_str()
    }

    /// Size in bytes (1–20,971,520).
    fn byte_size(&self) -> i32 {
        self.0.byte_size
    }

    /// Displayed width in pixels (1–20,000).
    fn width(&self) -> i32 {
        self.0.width
    }

    /// Displayed height in pixels (1–20,000).
    fn height(&self) -> i32 {
        self.0.height
    }

    /// The image's thumbnail. Null until it is made: usually when the image is set, otherwise later. Null for images of more than 64
    /// megapixels, for images that cannot be decoded, and for images whose decoding needs more than 256 MiB of memory. The last is
    /// possible for WebP and progressive JPEG images from 22 megapixels. A thumbnail that is made later does not change the
    /// document's version.
    fn thumbnail(&self) -> Option<Thumbnail> {
        let thumbnail = self.0.thumbnail.clone()?;
        Some(Thumbnail {
            image: self.0.id,
            thumbnail,
        })
    }
}

/// A thumbnail, with the id of its image.
pub(crate) struct Thumbnail {
    image: Uuid,
    thumbnail: model::Thumbnail,
}

/// A small version of an image. Maximum 512 by 512 pixels, and never larger than the image. The orientation is applied, and metadata
/// is removed. PNG if a pixel is transparent, otherwise JPEG. Shows the first frame of an animation.
#[Object]
impl Thumbnail {
    /// A link to the thumbnail. It is valid for as long as `Image.url`. Anyone who has the link can see the thumbnail.
    async fn url(&self, ctx: &Context<'_>) -> Result<Url, Error> {
        let images = &ctx.services().images;
        Ok(Url(images
            .thumbnail_url(self.image, &self.thumbnail)
            .await?))
    }

    /// Displayed width in pixels (1–512).
    fn width(&self) -> i32 {
        self.thumbnail.width
    }

    /// Displayed height in pixels (1–512).
    fn height(&self) -> i32 {
        self.thumbnail.height
    }
}

/// How to upload an image: send the bytes to `url` with this method and these headers, before `expiresAt`.
#[derive(SimpleObject)]
pub(crate) struct ImageUpload {
    /// The upload's id. Pass it to `setDocumentImage` as `uploadId`.
    id: ID,
    /// The HTTP method, always `PUT`.
    method: String,
    /// The URL to send the bytes to. Anyone who has it can upload the image. Do not send the access token to it.
    url: Url,
    /// The headers to send, in addition to those that HTTP clients set themselves, such as `Content-Length`.
    headers: Vec<HttpHeader>,
    /// When the upload expires: 15 minutes after the request.
    expires_at: DateTime,
}

/// A header of an HTTP request.
#[derive(SimpleObject)]
pub(crate) struct HttpHeader {
    /// The header's name.
    name: String,
    /// The header's value.
    value: String,
}

impl From<model::Upload> for ImageUpload {
    fn from(upload: model::Upload) -> Self {
        let headers = upload.headers.into_iter();
        ImageUpload {
            id: id_of(upload.id),
            method: upload.method.to_owned(),
            url: Url(upload.url),
            headers: headers
                .map(|(name, value)| HttpHeader {
                    name: name.to_owned(),
                    value,
                })
                .collect(),
            expires_at: DateTime(upload.expires_at),
        }
    }
}

payload! {
    /// The result of `requestImageUpload`.
    ImageUploadPayload {
        /// How to upload the image. Null if the mutation failed.
        upload: ImageUpload
    }
}

/// An uploaded image and the document to attach it to.
#[derive(InputObject)]
pub(crate) struct SetDocumentImageInput {
    /// The id of the document that the upload was requested for, which must be active. An id that is not a UUID matches nothing.
    document_id: ObjectId,
    /// The `id` that `requestImageUpload` returned. Each upload can be used once. An id that is not a UUID matches nothing.
    upload_id: ObjectId,
}

/// The document whose image is removed.
#[derive(InputObject)]
pub(crate) struct RemoveDocumentImageInput {
    /// The id of the document, which must be active. An id that is not a UUID matches nothing.
    document_id: ObjectId,
}

mutations! {
    /// Mutations of images.
    ImageMutation;

    /// Step 1 of 2: returns a link to upload an image with a plain HTTP request. UNSUPPORTED_TYPE unless it is JPEG, PNG, WebP or
    /// GIF. TOO_LARGE if it exceeds 20 MiB. RATE_LIMITED if you already have 20 open uploads.
    /// `userErrors`: INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LARGE, UNSUPPORTED_TYPE.
    #[doc = example!("request_image_upload")]
    async fn request_image_upload(
        ctx,
        input: RequestImageUploadInput = "The document, and the type and size of the image.",
    ) -> ImageUploadPayload {
        let viewer = ctx.viewer()?;
        let (images, mut conn) = (&ctx.services().images, ctx.connection().await?);
        respond(images.request_upload(&mut conn, viewer, &input).await)
    }

    /// Step 2 of 2: makes the uploaded image the document's image, in place of any previous one. INVALID, UNSUPPORTED_TYPE or
    /// TOO_LARGE if the file is not an image of the requested type and size. LIMIT_REACHED if you would have more bytes than a user
    /// may have. The upload is deleted after these errors.
    /// `userErrors`: INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LARGE, UNSUPPORTED_TYPE.
    #[doc = example!("set_document_image")]
    async fn set_document_image(
        ctx,
        input: SetDocumentImageInput = "The document and the upload.",
    ) -> DocumentPayload {
        let (viewer, client) = (ctx.viewer()?, &ctx.caller().client);
        let (document, upload) = (input.document_id.0, input.upload_id.0);
        let images = &ctx.services().images;
        respond(images.set(viewer, client, document, upload).await)
    }

    /// Removes a document's image. A document without an image stays unchanged.
    /// `userErrors`: IN_TRASH, NOT_FOUND.
    #[doc = example!("remove_document_image")]
    async fn remove_document_image(
        ctx,
        input: RemoveDocumentImageInput = "The document.",
    ) -> DocumentPayload {
        let (viewer, document) = (ctx.viewer()?, input.document_id.0);
        let (images, mut conn) = (&ctx.services().images, ctx.connection().await?);
        respond(images.remove(&mut conn, viewer, document).await)
    }
}
