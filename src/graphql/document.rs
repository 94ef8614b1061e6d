//! Documents in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object};

use super::{
    connection::{Connection, ItemObject},
    context::ContextExt,
    course::Course,
    image::Image,
    list::list,
    loaders::{ImageOfDocument, Loaders, TextsOfDocument, ViewersUser},
    node::find,
    page::PageArguments,
    payload::{payload, respond, respond_to_update},
    user::User,
};
use crate::{
    documents::{self, CreateDocumentInput, DocumentFilter, DocumentOrder, UpdateDocumentInput},
    error::Error,
    items::ItemStatus,
    scalars::{DateTime, JsonObject, ObjectId, id_of},
};

/// A document.
pub(crate) struct Document(pub(super) documents::Document);

impl From<documents::Document> for Document {
    fn from(row: documents::Document) -> Self {
        Document(row)
    }
}

impl ItemObject for Document {
    type Row = documents::Document;

    fn row(&self) -> &Self::Row {
        &self.0
    }
}

/// A document: the recognised text of a lecture page, and the note made from it.
#[Object]
impl Document {
    /// A UUID, unique among all objects that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.0.id)
    }

    /// The document's title. 1–500 characters.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// The recognised text of the page. May be empty.
    async fn original_text(&self, ctx: &Context<'_>) -> Result<String, Error> {
        if let Some(text) = &self.0.original_text {
            return Ok(text.clone());
        }
        let texts = Loaders::of(ctx).get(TextsOfDocument(self.0.id)).await?;
        Ok(texts.original_text)
    }

    /// The note made from the text, in Markdown. May be empty.
    async fn formatted_note(&self, ctx: &Context<'_>) -> Result<String, Error> {
        if let Some(note) = &self.0.formatted_note {
            return Ok(note.clone());
        }
        let texts = Loaders::of(ctx).get(TextsOfDocument(self.0.id)).await?;
        Ok(texts.formatted_note)
    }

    /// The start of the note as plain text, or the excerpt that you set. Maximum 200 characters.
    fn excerpt(&self) -> &str {
        &self.0.excerpt
    }

    /// The image of the page. Null if there is none.
    async fn image(&self, ctx: &Context<'_>) -> Option<Result<Image, Error>> {
        let image = Loaders::of(ctx).find(ImageOfDocument(self.0.id)).await;
        Some(image.transpose()?.map(Image))
    }

    /// Seconds that recognition and formatting took. Null if unknown.
    fn processing_time(&self) -> Option<f64> {
        self.0.processing_time
    }

    /// Your own data: a JSON object, `{}` by default.
    fn metadata(&self) -> JsonObject {
        JsonObject(self.0.metadata.clone())
    }

    /// Whether the document is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// The document's version: 1 at first, and 1 more after each change. Pass it to an update as `version`, so that the update
    /// overwrites no change that you have not seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When the document was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the document last changed. Moving it to the trash or restoring it does not count.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When the document was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The document's owner, who is always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).get(ViewersUser).await
    }

    /// The document's course.
    async fn course(&self, ctx: &Context<'_>) -> Result<Course, Error> {
        Loaders::of(ctx).get_item(self.0.course_id).await
    }

    /// The course that the document was moved to the trash with. Null while the document is active, or if it was moved to the trash
    /// itself.
    async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = self.0.deleted_at.and(self.0.trashed_with)?;
        Some(Loaders::of(ctx).get_item(course).await)
    }
}

/// Queries of documents.
#[derive(Default)]
pub(crate) struct DocumentQuery;

#[Object]
impl DocumentQuery {
    /// Your document with this id, active or in the trash. Null if you have none.
    async fn document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document's id.")] id: ObjectId,
    ) -> Option<Result<Document, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your documents.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter. By default, only active items.")] filter: Option<
            DocumentFilter,
        >,
        #[graphql(desc = "The order (default: `CREATED_AT`, newest first).")] order_by: Option<
            DocumentOrder,
        >,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Number of items to skip (0–10,000). Can only be combined with `first`.")]
        offset: Option<i32>,
    ) -> Result<Connection<Document>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        list(ctx, filter, order_by, &page).await
    }
}

payload! {
    /// The result of a mutation of a document.
    DocumentPayload {
        /// The document after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        document: Document
    }
}

/// Mutations of documents.
#[derive(Default)]
pub(crate) struct DocumentMutation;

#[Object]
impl DocumentMutation {
    /// Creates a document in an active course.
    async fn create_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document to create.")] input: CreateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a document that is not in the trash.
    async fn update_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document's id and its new values.")] input: UpdateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(update(ctx, &input).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateDocumentInput) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    respond(documents::create(&mut ctx.connection().await?, viewer, input).await)
}

async fn update(ctx: &Context<'_>, input: &UpdateDocumentInput) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    respond_to_update(documents::update(&mut ctx.connection().await?, viewer, input).await)
}
