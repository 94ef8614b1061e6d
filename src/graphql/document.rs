//! Documents in the API: the object, its lists, its queries and its mutations.

use std::collections::HashMap;

use async_graphql::{
    Context, Enum, ID, InputObject, MaybeUndefined, Object, SelectionField, SimpleObject,
};
use uuid::Uuid;

use super::{
    context::ContextExt,
    course::{Course, searchable},
    error::{UserError, outcome},
    image::Image,
    loaders::{CourseById, ImageOfDocument, Loaders, TextsOfDocument, ViewersUser},
    node::ItemStatus,
    page::{Connection, Given, Listed, OrderDirection, PageArguments, Selected},
    scalars::{DateTime, JsonObject, change, id_of, known_id},
    user::User,
};
use crate::{
    auth::Viewer,
    db::{self, keyset},
    documents::{
        self, DocumentChanges, DocumentColumns, DocumentList, DocumentSortKey, NewDocument,
    },
    error::Error,
    items::{StatusFilter, Updated},
    rules::Problems,
};

/// A document.
pub(crate) struct Document(pub(super) documents::Document);

impl Document {
    /// Its id and when it went to the trash.
    pub(crate) fn trashed(&self) -> (Uuid, Option<chrono::DateTime<chrono::Utc>>) {
        (self.0.id, self.0.deleted_at)
    }
}

impl From<documents::Document> for Document {
    fn from(row: documents::Document) -> Self {
        Document(row)
    }
}

/// A document: the recognised text of a lecture page, and the note made of it.
#[Object]
impl Document {
    /// A UUID, unique across all that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.0.id)
    }

    /// 1 to 500 characters.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// The text as it was recognised. May be empty.
    async fn original_text(&self, ctx: &Context<'_>) -> Result<String, Error> {
        match &self.0.original_text {
            Some(text) => Ok(text.clone()),
            None => Ok(Loaders::of(ctx)
                .one(TextsOfDocument(self.0.id))
                .await?
                .original_text),
        }
    }

    /// The note made of it, in Markdown. May be empty.
    async fn formatted_note(&self, ctx: &Context<'_>) -> Result<String, Error> {
        match &self.0.formatted_note {
            Some(note) => Ok(note.clone()),
            None => Ok(Loaders::of(ctx)
                .one(TextsOfDocument(self.0.id))
                .await?
                .formatted_note),
        }
    }

    /// The start of the note as plain text, 200 characters at most; or what you gave as such.
    fn excerpt(&self) -> &str {
        &self.0.excerpt
    }

    /// The picture of the page that it was made from; null if it has none.
    async fn image(&self, ctx: &Context<'_>) -> Option<Result<Image, Error>> {
        let image = Loaders::of(ctx).maybe(ImageOfDocument(self.0.id)).await;
        Some(image.transpose()?.map(Image))
    }

    /// Seconds that recognition and formatting took; null if nobody said.
    fn processing_time(&self) -> Option<f64> {
        self.0.processing_time
    }

    /// What you keep with it: a JSON object; `{}` at first.
    fn metadata(&self) -> JsonObject {
        JsonObject(self.0.metadata.clone())
    }

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// Counts up with every change, from 1; send it back as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed; going to the trash and coming back is no change.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it went to the trash; null while active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The course that it stands in.
    async fn course(&self, ctx: &Context<'_>) -> Result<Course, Error> {
        Ok(Loaders::of(ctx)
            .one(CourseById(self.0.course_id))
            .await?
            .into())
    }

    /// The course that took it to the trash; null if it went alone, and while active.
    async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = CourseById(self.0.trashed_with?);
        Some(Loaders::of(ctx).one(course).await.map(Course::from))
    }

    /// Whose it is.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
    }
}

impl Listed for Document {
    type Order = documents::DocumentOrder;

    fn cursor(&self, order: Self::Order) -> String {
        keyset::Order::from(order).cursor(&self.0.position(order))
    }
}

/// Which documents a list holds. What is left out, or null, is not asked; `status` apart.
#[derive(InputObject)]
pub(crate) struct DocumentFilter {
    /// Those of one course.
    course_id: Option<ID>,
    /// Active ones if left out; null: those in the trash, too.
    #[graphql(default_with = "Some(ItemStatus::Active)")]
    status: Option<ItemStatus>,
    /// Text that the title contains, in upper or lower case.
    title_contains: Option<String>,
    /// Documents whose metadata holds all of this (JSON containment).
    metadata_contains: Option<JsonObject>,
    /// Those with a picture; false: those without one.
    has_image: Option<bool>,
    /// Made at this moment or later.
    created_after: Option<DateTime>,
    /// Made before this moment.
    created_before: Option<DateTime>,
}

impl DocumentFilter {
    fn checked(self) -> Result<documents::DocumentFilter, Error> {
        searchable("titleContains", self.title_contains.as_deref())?;
        if let Some(metadata) = &self.metadata_contains {
            let mut problems = Problems::default();
            problems.metadata("metadataContains", &metadata.0);
            let refused = problems.finish();
            refused.map_err(|_| {
                Error::bad_input("metadataContains is too long, too deep, or contains U+0000.")
            })?;
        }
        Ok(documents::DocumentFilter {
            course_id: self.course_id.as_ref().map(known_id),
            status: StatusFilter::from(self.status),
            title_contains: self.title_contains,
            metadata_contains: self.metadata_contains.map(|metadata| metadata.0),
            has_image: self.has_image,
            created_after: self.created_after.map(|time| time.0),
            created_before: self.created_before.map(|time| time.0),
        })
    }
}

impl Default for DocumentFilter {
    fn default() -> Self {
        DocumentFilter {
            course_id: None,
            status: Some(ItemStatus::Active),
            title_contains: None,
            metadata_contains: None,
            has_image: None,
            created_after: None,
            created_before: None,
        }
    }
}

/// How a list of documents is sorted; ties by id, in the same direction.
#[derive(InputObject)]
pub(crate) struct DocumentOrder {
    /// By what.
    field: DocumentOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// What documents sort by.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "DocumentSortKey")]
pub(crate) enum DocumentOrderField {
    /// When they were made.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// The title, in Unicode's alphabetical order, the same on every server.
    Title,
}

/// A list of documents as a caller asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DocumentsArguments {
    pub(crate) list: DocumentList,
    slice: keyset::Slice,
    count: bool,
}

impl DocumentsArguments {
    pub(crate) fn new(
        filter: Option<DocumentFilter>,
        order_by: Option<DocumentOrder>,
        page: PageArguments,
        selected: &Selected<'_>,
    ) -> Result<Self, Error> {
        let order = order_by.map_or(
            documents::DocumentOrder {
                key: DocumentSortKey::CreatedAt,
                descending: true,
            },
            |order| documents::DocumentOrder {
                key: order.field.into(),
                descending: order.direction.is_descending(),
            },
        );
        let columns = DocumentColumns {
            original_text: selected.has("originalText"),
            formatted_note: selected.has("formattedNote"),
        };
        let list = DocumentList {
            filter: filter.unwrap_or_default().checked()?,
            order,
            columns,
        };
        Ok(DocumentsArguments {
            list,
            slice: page.slice(order.into())?,
            count: selected.total,
        })
    }

    /// The arguments of a field that is selected further down.
    pub(crate) fn of_field(field: &SelectionField<'_>) -> Result<Self, Error> {
        let mut given = Given::of(field)?;
        let (filter, order_by) = (given.take("filter")?, given.take("orderBy")?);
        DocumentsArguments::new(
            filter,
            order_by,
            given.page()?,
            &Selected::of_connection(Some(*field)),
        )
    }

    pub(crate) async fn pages(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
        courses: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, keyset::Page<documents::Document>>, Error> {
        documents::pages_of_courses(conn, viewer, courses, &self.list, &self.slice, self.count)
            .await
    }
}

/// Queries of documents.
#[derive(Default)]
pub(crate) struct DocumentQuery;

#[Object]
impl DocumentQuery {
    /// Your document with that id, active or in the trash; null if there is none.
    async fn document(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Document, Error>> {
        let found = async {
            let viewer = ctx.viewer()?;
            documents::find(&mut ctx.connection().await?, viewer, known_id(&id)).await
        };
        Some(found.await.transpose()?.map(Document))
    }

    /// Your documents; newest first if no order is given.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active ones if left out.")] filter: Option<DocumentFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, if left out.")] order_by: Option<
            DocumentOrder,
        >,
        #[graphql(desc = "The first so many: 1 to 100; 50 if `last` is left out too.")]
        first: Option<i32>,
        #[graphql(desc = "Only what stands behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 1 to 100. Not together with `first`.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Only what stands before this cursor.")] before: Option<String>,
        #[graphql(desc = "Passes over so many: 0 to 10,000. Goes with `first` alone.")]
        offset: Option<i32>,
    ) -> Result<Connection<Document>, Error> {
        let viewer = ctx.viewer()?;
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let arguments = DocumentsArguments::new(filter, order_by, page, &Selected::of(ctx))?;
        let mut conn = ctx.connection().await?;
        let page = documents::page(
            &mut conn,
            viewer,
            &arguments.list,
            &arguments.slice,
            arguments.count,
        )
        .await?;
        Ok(Connection::new(page, arguments.list.order, Document))
    }
}

/// A document to be made.
#[derive(InputObject)]
pub(crate) struct CreateDocumentInput {
    /// Your own UUID; left out, the service makes one. One that another object of yours has, or had, is TAKEN.
    id: Option<ID>,
    /// The course that it goes into; it must be active.
    course_id: ID,
    /// 1 to 500 characters, not only white space.
    title: String,
    /// The text as it was recognised. May be empty.
    original_text: String,
    /// Markdown. May be empty.
    formatted_note: String,
    /// 200 characters at most. Left out, it is made of the note.
    excerpt: Option<String>,
    /// Seconds, 0 or more.
    processing_time: Option<f64>,
    /// A JSON object: 64 KiB at most, 32 levels deep at most; `{}` if left out.
    metadata: Option<JsonObject>,
}

/// What to change of a document.
#[derive(InputObject)]
pub(crate) struct UpdateDocumentInput {
    /// Which document.
    id: ID,
    /// The version that you have seen; left out: whichever it is.
    version: Option<i32>,
    /// Moves it to this course, which must be active; not null.
    course_id: MaybeUndefined<ID>,
    /// 1 to 500 characters; not null.
    title: MaybeUndefined<String>,
    /// May be empty; not null.
    original_text: MaybeUndefined<String>,
    /// Markdown. May be empty; not null.
    formatted_note: MaybeUndefined<String>,
    /// 200 characters at most. Null: made of the note, and again whenever the note changes.
    excerpt: MaybeUndefined<String>,
    /// Seconds, 0 or more.
    processing_time: MaybeUndefined<f64>,
    /// Replaces all of it; not null. 64 KiB at most, 32 levels deep at most.
    metadata: MaybeUndefined<JsonObject>,
}

/// What a mutation of a document answers.
#[derive(SimpleObject)]
pub(crate) struct DocumentPayload {
    /// The document as it is now; null if nothing was done, but for a CONFLICT.
    pub(super) document: Option<Document>,
    /// What was wrong with the input; then nothing was changed.
    pub(super) user_errors: Vec<UserError>,
}

/// Mutations of documents.
#[derive(Default)]
pub(crate) struct DocumentMutation;

#[Object]
impl DocumentMutation {
    /// Makes a document in an active course.
    async fn create_document(
        &self,
        ctx: &Context<'_>,
        input: CreateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(create_document(ctx, input).await)
    }

    /// Changes a document that is not in the trash.
    async fn update_document(
        &self,
        ctx: &Context<'_>,
        input: UpdateDocumentInput,
    ) -> Option<Result<DocumentPayload, Error>> {
        Some(update_document(ctx, input).await)
    }
}

async fn create_document(
    ctx: &Context<'_>,
    input: CreateDocumentInput,
) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    let new = NewDocument {
        id: input.id.map(|id| id.0),
        course_id: known_id(&input.course_id),
        title: input.title,
        original_text: input.original_text,
        formatted_note: input.formatted_note,
        excerpt: input.excerpt,
        processing_time: input.processing_time,
        metadata: input
            .metadata
            .map_or_else(|| serde_json::json!({}), |metadata| metadata.0),
    };
    let made = outcome(documents::create(&mut ctx.connection().await?, viewer, new).await)?;
    Ok(DocumentPayload {
        document: made.value.map(Document),
        user_errors: made.user_errors,
    })
}

async fn update_document(
    ctx: &Context<'_>,
    input: UpdateDocumentInput,
) -> Result<DocumentPayload, Error> {
    let viewer = ctx.viewer()?;
    let text = |field: MaybeUndefined<String>| change(field, |text| text);
    let changes = DocumentChanges {
        id: known_id(&input.id),
        version: input.version,
        course_id: change(input.course_id, |id| known_id(&id)),
        title: text(input.title),
        original_text: text(input.original_text),
        formatted_note: text(input.formatted_note),
        excerpt: text(input.excerpt),
        processing_time: change(input.processing_time, |seconds| seconds),
        metadata: change(input.metadata, |metadata| metadata.0),
    };
    let changed = outcome(documents::update(&mut ctx.connection().await?, viewer, changes).await)?;
    let (document, user_errors) = match changed.value {
        Some(Updated::Done(document)) => (Some(document), changed.user_errors),
        Some(Updated::Conflict(document)) => (Some(document), vec![UserError::conflict()]),
        None => (None, changed.user_errors),
    };
    Ok(DocumentPayload {
        document: document.map(Document),
        user_errors,
    })
}
