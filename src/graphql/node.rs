//! Objects with an id: the interfaces `Node` and `Item`, and finding objects by their ids.

use std::collections::{HashMap, HashSet};

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{
    connection::ItemObject,
    context::ContextExt,
    course::Course,
    document::Document,
    loaders::{KindOfItem, Loaders, ViewersUser},
    session::Session,
    tag::Tag,
    task::Task,
    user::User,
};
use crate::{
    auth::Viewer,
    db::{Database, keyset::Keyed as _},
    error::Error,
    items::{self, Item as _, ItemKind, ItemRef, ItemStatus},
    scalars::{DateTime, ObjectId},
};

/// Maximum number of ids in `nodes`.
pub(super) const MAX_NODES: usize = 100;
/// Maximum length of `ids` with duplicates, because each of them is a part of the response.
const MAX_GIVEN: usize = 2 * MAX_NODES;

/// An object with an id that is unique among all objects that you can see: a UUID (RFC 9562), version 7 if the service
/// generated it.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "A UUID, unique among all objects that you can see."
))]
pub(crate) enum Node {
    User(User),
    Session(Session),
    Course(Course),
    Document(Document),
    Task(Task),
    Tag(Tag),
}

/// An item of a user: a course, a document, a task or a tag.
#[expect(clippy::duplicated_attributes, reason = "two fields may have one type")]
#[derive(Interface)]
#[graphql(
    field(
        name = "id",
        ty = "ID",
        desc = "A UUID, unique among all objects that you can see."
    ),
    field(
        name = "status",
        ty = "ItemStatus",
        desc = "Whether the item is active or in the trash."
    ),
    field(
        name = "version",
        ty = "i32",
        desc = "The item's version. It starts at 1 and increases by 1 with each change. Pass it to an update as `version`, so that the update does not overwrite a change that you have not seen."
    ),
    field(
        name = "created_at",
        ty = "DateTime",
        desc = "When the item was created."
    ),
    field(
        name = "updated_at",
        ty = "DateTime",
        desc = "When the item last changed. Moving it to the trash or restoring it does not count."
    ),
    field(
        name = "deleted_at",
        ty = "Option<DateTime>",
        desc = "When the item was moved to the trash. Null while it is active."
    )
)]
pub(crate) enum Item {
    Course(Course),
    Document(Document),
    Task(Task),
    Tag(Tag),
}

impl Item {
    /// Loads an item of a known kind; `None` if it was deleted.
    pub(crate) async fn load(
        loaders: &Loaders,
        kind: ItemKind,
        id: Uuid,
    ) -> Result<Option<Item>, Error> {
        Ok(match kind {
            ItemKind::Course => loaders.find_item(id).await?.map(Item::Course),
            ItemKind::Document => loaders.find_item(id).await?.map(Item::Document),
            ItemKind::Task => loaders.find_item(id).await?.map(Item::Task),
            ItemKind::Tag => loaders.find_item(id).await?.map(Item::Tag),
        })
    }

    /// Loads different items of known kinds in their order, with one statement per kind. `None` for each that was deleted. Unlike
    /// [`Item::load`], it does not wait for a batch.
    pub(crate) async fn load_all(
        ctx: &Context<'_>,
        items: &[ItemRef],
    ) -> Result<Vec<Option<Item>>, Error> {
        let (viewer, database) = (ctx.viewer()?, &ctx.services().reads);
        let mut loaded = HashMap::with_capacity(items.len());
        for kind in ItemKind::ALL {
            let of_kind = items.iter().filter(|item| item.kind == kind);
            let ids: Vec<Uuid> = of_kind.map(|item| item.id).collect();
            if ids.is_empty() {
                continue;
            }
            loaded.extend(match kind {
                ItemKind::Course => of_kind_with(database, viewer, ids, Item::Course).await?,
                ItemKind::Document => of_kind_with(database, viewer, ids, Item::Document).await?,
                ItemKind::Task => of_kind_with(database, viewer, ids, Item::Task).await?,
                ItemKind::Tag => of_kind_with(database, viewer, ids, Item::Tag).await?,
            });
        }
        Ok(items.iter().map(|item| loaded.remove(&item.id)).collect())
    }
}

/// The items of one kind with these ids.
async fn of_kind_with<N: ItemObject>(
    database: &Database,
    viewer: &Viewer,
    ids: Vec<Uuid>,
    as_item: fn(N) -> Item,
) -> Result<Vec<(Uuid, Item)>, Error> {
    let rows: Vec<N::Row> = items::find_all(database, viewer, ids).await?;
    let items = rows
        .into_iter()
        .map(|row| (row.id(), as_item(N::from(row))));
    Ok(items.collect())
}

impl Item {
    /// The item's id, and when it was moved to the trash.
    pub(super) fn id_and_deleted_at(&self) -> (Uuid, Option<chrono::DateTime<chrono::Utc>>) {
        fn of<N: ItemObject>(item: &N) -> (Uuid, Option<chrono::DateTime<chrono::Utc>>) {
            (item.row().id(), item.row().deleted_at())
        }
        match self {
            Item::Course(course) => of(course),
            Item::Document(document) => of(document),
            Item::Task(task) => of(task),
            Item::Tag(tag) => of(tag),
        }
    }
}

impl From<Item> for Node {
    fn from(item: Item) -> Self {
        match item {
            Item::Course(course) => Node::Course(course),
            Item::Document(document) => Node::Document(document),
            Item::Task(task) => Node::Task(task),
            Item::Tag(tag) => Node::Tag(tag),
        }
    }
}

/// Queries that find any object by its id.
#[derive(Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Your object with this id: a course, document, task, tag or open session, or your own user. Null if you have no such object.
    #[doc = example!("node")]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The object's id. An id that is not a UUID matches nothing.")]
        id: ObjectId,
    ) -> Option<Result<Node, Error>> {
        find_any(ctx, id.0).await.transpose()
    }

    /// Your objects with these ids, in the order of the ids: the same kinds as `node`. Null for an id that none of your objects
    /// has.
    #[doc = example!("nodes")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The objects' ids (maximum 100 different ids, 200 in total). An id that is not a UUID matches nothing."
        )]
        ids: Vec<ObjectId>,
    ) -> Result<Vec<Option<Node>>, Error> {
        ctx.viewer()?;
        let different = ids.iter().collect::<HashSet<_>>().len();
        if different > MAX_NODES || ids.len() > MAX_GIVEN {
            let given = ids.len();
            return Err(Error::bad_input(format!(
                "`ids` must contain at most {MAX_NODES} different ids, and {MAX_GIVEN} in total; got {different} and {given}."
            )));
        }
        try_join_all(ids.iter().map(|id| find_any(ctx, id.0))).await
    }
}

async fn find_any(ctx: &Context<'_>, id: Uuid) -> Result<Option<Node>, Error> {
    let viewer = ctx.viewer()?;
    let loaders = Loaders::of(ctx);
    if id == viewer.user_id.0 {
        return Ok(loaders.find(ViewersUser).await?.map(Node::User));
    }
    if let Some(kind) = loaders.find(KindOfItem(id)).await? {
        return Ok(Item::load(loaders, kind, id).await?.map(Node::from));
    }
    Ok(Session::find(ctx, id).await?.map(Node::Session))
}

/// The viewer's item with that id.
pub(crate) async fn find<N: ItemObject>(ctx: &Context<'_>, id: Uuid) -> Result<Option<N>, Error> {
    let viewer = ctx.viewer()?;
    let item: Option<N::Row> = items::find(&ctx.services().reads, viewer, id).await?;
    Ok(item.map(N::from))
}
