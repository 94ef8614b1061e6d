//! Pictures in the API: the object, and the mutations that bring one in and take it away.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    context::ContextExt,
    document::{Document, DocumentPayload},
    error::{UserError, outcome},
};
use crate::{
    documents,
    error::{Error, Failure},
    images::model::{self, NewUpload},
    scalars::{DateTime, ObjectId, Url, id_of},
};

/// A picture of the page that a document was made from.
pub(crate) struct Image(pub(crate) model::Image);

/// A picture of the page that a document was made from. Where and when it was taken, and by what, has been taken out of it.
#[Object]
impl Image {
    /// A link that works for at least an hour, and is the same within each hour. Whoever has it can see the picture.
    async fn url(&self, ctx: &Context<'_>) -> Result<Url, Error> {
        Ok(Url(ctx.services().images.url(&self.0).await?))
    }

    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`, told from its bytes.
    fn content_type(&self) -> &str {
        self.0.content_type.as_str()
    }

    /// 1 to 20,971,520.
    fn byte_size(&self) -> i32 {
        self.0.byte_size
    }

    /// As it is displayed, in pixels: 1 to 20,000.
    fn width(&self) -> i32 {
        self.0.width
    }

    /// As it is displayed, in pixels: 1 to 20,000.
    fn height(&self) -> i32 {
        self.0.height
    }
}

/// A picture that you want to send. JPEG, PNG, WebP or GIF; 20 MiB at most.
#[derive(InputObject)]
pub(crate) struct RequestImageUploadInput {
    /// The document that it is for; it must be active.
    document_id: ObjectId,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`; what you send must be that.
    content_type: String,
    /// How many bytes you will send, exactly: 1 to 20,971,520.
    byte_size: i32,
}

/// Send the bytes with this method to this URL, with these headers, before it expires.
#[derive(SimpleObject)]
pub(crate) struct ImageUpload {
    /// What to give to `setDocumentImage`.
    id: ID,
    /// `PUT`
    method: String,
    /// Whoever has it can send the picture. No token goes along.
    url: Url,
    /// Beside those that every client sets by itself, such as Content-Length.
    headers: Vec<HttpHeader>,
    /// In a quarter of an hour.
    expires_at: DateTime,
}

/// A header of a request.
#[derive(SimpleObject)]
pub(crate) struct HttpHeader {
    /// Its name.
    name: String,
    /// Its value.
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

/// What a request for an upload answers.
#[derive(SimpleObject)]
pub(crate) struct ImageUploadPayload {
    /// Where to send the picture; null if nothing was done.
    upload: Option<ImageUpload>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// A picture that has been sent.
#[derive(InputObject)]
pub(crate) struct SetDocumentImageInput {
    /// The document that the upload was requested for; it must be active.
    document_id: ObjectId,
    /// The upload that `requestImageUpload` answered. Once used, it is gone.
    upload_id: ObjectId,
}

/// A document that is to have no picture.
#[derive(InputObject)]
pub(crate) struct RemoveDocumentImageInput {
    /// Which document; it must be active.
    document_id: ObjectId,
}

/// Mutations of pictures.
#[derive(Default)]
pub(crate) struct ImageMutation;

#[Object]
impl ImageMutation {
    /// Step 1 of 2: where to send the bytes of a picture, with a plain HTTP request. UNSUPPORTED_TYPE if it is none of
    /// JPEG, PNG, WebP and GIF; TOO_LARGE above 20 MiB. 20 uploads may be open at a time; more are RATE_LIMITED.
    async fn request_image_upload(
        &self,
        ctx: &Context<'_>,
        input: RequestImageUploadInput,
    ) -> Option<Result<ImageUploadPayload, Error>> {
        Some(request_image_upload(ctx, input).await)
    }

    /// Step 2 of 2: makes the picture that was sent the document's, in place of the one that it had. An upload that is no
    /// such picture as was announced is INVALID, UNSUPPORTED_TYPE or TOO_LARGE, and gone.
    async fn set_document_image(
        &self,
        ctx: &Context<'_>,
        input: SetDocumentImageInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(set_document_image(ctx, input).await)
    }

    /// Takes the picture from a document; one that has none stays as it is.
    async fn remove_document_image(
        &self,
        ctx: &Context<'_>,
        input: RemoveDocumentImageInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(remove_document_image(ctx, input).await)
    }
}

async fn request_image_upload(
    ctx: &Context<'_>,
    input: RequestImageUploadInput,
) -> Result<ImageUploadPayload, Error> {
    let viewer = ctx.viewer()?;
    let new = NewUpload {
        document_id: input.document_id.0,
        content_type: input.content_type,
        byte_size: input.byte_size,
    };
    let (images, mut conn) = (&ctx.services().images, ctx.connection().await?);
    let made = outcome(images.request_upload(&mut conn, viewer, &new).await)?;
    Ok(ImageUploadPayload {
        upload: made.value.map(ImageUpload::from),
        user_errors: made.user_errors,
    })
}

async fn set_document_image(
    ctx: &Context<'_>,
    input: SetDocumentImageInput,
) -> Result<DocumentPayload, Error> {
    let (viewer, client) = (ctx.viewer()?, &ctx.asker().client);
    let (document, upload) = (input.document_id.0, input.upload_id.0);
    let images = &ctx.services().images;
    payload(images.set(viewer, client, document, upload).await)
}

async fn remove_document_image(
    ctx: &Context<'_>,
    input: RemoveDocumentImageInput,
) -> Result<DocumentPayload, Error> {
    let (viewer, document) = (ctx.viewer()?, input.document_id.0);
    let (images, mut conn) = (&ctx.services().images, ctx.connection().await?);
    payload(images.remove(&mut conn, viewer, document).await)
}

fn payload(done: Result<documents::Document, Failure>) -> Result<DocumentPayload, Error> {
    let done = outcome(done)?;
    Ok(DocumentPayload {
        document: done.value.map(Document::from),
        user_errors: done.user_errors,
    })
}
