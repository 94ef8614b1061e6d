//! Documents in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    context::ContextExt,
    course::Course,
    error::{UserError, outcome, update_outcome},
    image::Image,
    loaders::{ImageOfDocument, Loaders, TextsOfDocument, ViewersUser},
    node::find,
    page::{Connection, ItemObject, PageArguments, list},
    user::User,
};
use crate::{
    documents::{self, CreateDocumentInput, DocumentFilter, DocumentOrder, UpdateDocumentInput},
    error::Error,
    items::{self, ItemStatus},
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

    /// 1–500 characters.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// The recognised text. May be empty.
    async fn original_text(&self, ctx: &Context<'_>) -> Result<String, Error> {
        if let Some(text) = &self.0.original_text {
            return Ok(text.clone());
        }
        let texts = Loaders::of(ctx).one(TextsOfDocument(self.0.id)).await?;
        Ok(texts.original_text)
    }

    /// The note made from it, in Markdown. May be empty.
    async fn formatted_note(&self, ctx: &Context<'_>) -> Result<String, Error> {
        if let Some(note) = &self.0.formatted_note {
            return Ok(note.clone());
        }
        let texts = Loaders::of(ctx).one(TextsOfDocument(self.0.id)).await?;
        Ok(texts.formatted_note)
    }

    /// The start of the note as plain text, or the excerpt that you gave. Maximum 200 characters.
    fn excerpt(&self) -> &str {
        &self.0.excerpt
    }

    /// The picture of the page. Null if there is none.
    async fn image(&self, ctx: &Context<'_>) -> Option<Result<Image, Error>> {
        let image = Loaders::of(ctx).maybe(ImageOfDocument(self.0.id)).await;
        Some(image.transpose()?.map(Image))
    }

    /// Seconds that recognition and formatting took. Null if it was not given.
    fn processing_time(&self) -> Option<f64> {
        self.0.processing_time
    }

    /// Your own data: a JSON object, `{}` by default.
    fn metadata(&self) -> JsonObject {
        JsonObject(self.0.metadata.clone())
    }

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// Counts the changes, from 1. Pass it as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed. Moving it to the trash and restoring it are not changes.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The owner: always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
    }

    /// The course that it is in.
    async fn course(&self, ctx: &Context<'_>) -> Result<Course, Error> {
        Loaders::of(ctx).item(self.0.course_id).await
    }

    /// The course that took it to the trash. Null if it was trashed itself, and while it is active.
    async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = self.0.deleted_at.and(self.0.trashed_with)?;
        Some(Loaders::of(ctx).item(course).await)
    }
}

/// Queries of documents.
#[derive(Default)]
pub(crate) struct DocumentQuery;

#[Object]
impl DocumentQuery {
    /// Your document with this id, active or in the trash. Null if you have none.
    async fn document(&self, ctx: &Context<'_>, id: ObjectId) -> Option<Result<Document, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your documents.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active items by default.")] filter: Option<DocumentFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, by default.")] order_by: Option<
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

/// The result of a mutation of a document.
#[derive(SimpleObject)]
pub(crate) struct DocumentPayload {
    /// The document after the mutation. Null if the mutation failed. On CONFLICT, the current version.
    pub(super) document: Option<Document>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    pub(super) user_errors: Vec<UserError>,
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
        input: CreateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a document that is not in the trash.
    async fn update_document(
        &self,
        ctx: &Context<'_>,
        input: UpdateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(update(ctx, &input).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateDocumentInput) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    let created = outcome(items::create(&mut ctx.connection().await?, viewer, input).await)?;
    Ok(DocumentPayload {
        document: created.value.map(Document::from),
        user_errors: created.user_errors,
    })
}

async fn update(ctx: &Context<'_>, input: &UpdateDocumentInput) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    let updated = items::update(&mut ctx.connection().await?, viewer, input).await;
    let updated = update_outcome(updated)?;
    Ok(DocumentPayload {
        document: updated.value.map(Document::from),
        user_errors: updated.user_errors,
    })
}
