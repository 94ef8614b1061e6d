//! What has an id: the interfaces `Node` and `Item`, and finding any of it by its id.

use async_graphql::{Context, Enum, ID, InputObject, Interface, Object};
use chrono::Utc;
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{
    context::ContextExt,
    course::Course,
    document::Document,
    loaders::{CourseById, DocumentById, KindOfItem, Loaders, TaskById, ViewersUser},
    scalars::{DateTime, known_id},
    session::Session,
    task::Task,
    user::User,
};
use crate::{
    error::Error,
    items::{ItemKind, StatusFilter},
};

/// Ids that `nodes` takes at most.
const MOST_NODES: usize = 100;

/// An object with an id that is unique across all types that you can see: a UUID (RFC 9562), version 7 where the service
/// makes it.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "A UUID, unique across all that you can see."
))]
pub(crate) enum Node {
    User(User),
    Session(Session),
    Course(Course),
    Document(Document),
    Task(Task),
}

/// What a person keeps: a course, a document or a task.
#[expect(clippy::duplicated_attributes, reason = "two fields may have one type")]
#[derive(Interface)]
#[graphql(
    field(
        name = "id",
        ty = "ID",
        desc = "A UUID, unique across all that you can see."
    ),
    field(
        name = "status",
        ty = "ItemStatus",
        desc = "Whether it is active or in the trash."
    ),
    field(
        name = "version",
        ty = "i32",
        desc = "Counts up with every change; send it back as `version` to update only what you have seen."
    ),
    field(name = "created_at", ty = "DateTime", desc = "When it was made."),
    field(
        name = "updated_at",
        ty = "DateTime",
        desc = "When it last changed; going to the trash and coming back is no change."
    ),
    field(
        name = "deleted_at",
        ty = "Option<DateTime>",
        desc = "When it went to the trash; null while active."
    )
)]
pub(crate) enum Item {
    Course(Course),
    Document(Document),
    Task(Task),
}

impl Item {
    /// Loads an item of a known kind; `None` if it is gone.
    pub(crate) async fn load(
        loaders: &Loaders,
        kind: ItemKind,
        id: Uuid,
    ) -> Result<Option<Item>, Error> {
        Ok(match kind {
            ItemKind::Course => loaders
                .maybe(CourseById(id))
                .await?
                .map(|course| Item::Course(course.into())),
            ItemKind::Document => loaders
                .maybe(DocumentById(id))
                .await?
                .map(|row| Item::Document(row.into())),
            ItemKind::Task => loaders
                .maybe(TaskById(id))
                .await?
                .map(|task| Item::Task(task.into())),
        })
    }
}

impl From<Item> for Node {
    fn from(item: Item) -> Self {
        match item {
            Item::Course(course) => Node::Course(course),
            Item::Document(document) => Node::Document(document),
            Item::Task(task) => Node::Task(task),
        }
    }
}

/// Where an item is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemStatus {
    /// Where it is worked with.
    Active,
    /// In the trash: it can be restored, and is deleted for good after a while (30 days, if the operator sets nothing else).
    Trash,
}

impl ItemStatus {
    pub(crate) fn of(deleted_at: Option<chrono::DateTime<Utc>>) -> Self {
        if deleted_at.is_some() {
            ItemStatus::Trash
        } else {
            ItemStatus::Active
        }
    }
}

impl From<Option<ItemStatus>> for StatusFilter {
    fn from(status: Option<ItemStatus>) -> Self {
        match status {
            Some(ItemStatus::Active) => StatusFilter::Active,
            Some(ItemStatus::Trash) => StatusFilter::Trash,
            None => StatusFilter::Any,
        }
    }
}

/// Several items: all of them or none.
#[derive(InputObject)]
pub(crate) struct ItemIdsInput {
    /// 1 to 100 ids; one that is there twice counts once.
    ids: Vec<ID>,
}

impl ItemIdsInput {
    pub(crate) fn known_ids(&self) -> Vec<Uuid> {
        self.ids.iter().map(known_id).collect()
    }
}

/// Finding any object by its id.
#[derive(Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object of yours by its id; null where there is none.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Node, Error>> {
        find(ctx, known_id(&id)).await.transpose()
    }

    /// Objects of yours by their ids, in the order of the ids; null where there is none. 100 at most.
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>, Error> {
        ctx.viewer()?;
        if ids.len() > MOST_NODES {
            return Err(Error::bad_input(format!(
                "ids must be {MOST_NODES} at most."
            )));
        }
        try_join_all(ids.iter().map(|id| find(ctx, known_id(id)))).await
    }
}

async fn find(ctx: &Context<'_>, id: Uuid) -> Result<Option<Node>, Error> {
    let viewer = ctx.viewer()?;
    let loaders = Loaders::of(ctx);
    if id == viewer.user_id.0 {
        return Ok(loaders.maybe(ViewersUser).await?.map(Node::User));
    }
    if let Some(kind) = loaders.maybe(KindOfItem(id)).await? {
        return Ok(Item::load(loaders, kind, id).await?.map(Node::from));
    }
    Ok(Session::find(ctx, id).await?.map(Node::Session))
}
