//! The trash in the API: the list of what lies in it, and the mutations of any item.

use async_graphql::{Context, ID, Object, SimpleObject};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{
    context::ContextExt,
    error::{UserError, outcome},
    loaders::Loaders,
    node::{Item, ItemIdsInput},
    page::{Connection, Listed, PageArguments, Selected},
    scalars::id_of,
};
use crate::{
    db::keyset::{Page, Position, time_key},
    error::{Error, Failure},
    items::ItemRef,
    trash,
};

impl Listed for Item {
    /// Last deleted first: there is no other.
    type Order = ();

    fn cursor(&self, (): ()) -> String {
        let (id, deleted_at) = match self {
            Item::Course(course) => course.trashed(),
            Item::Document(document) => document.trashed(),
            Item::Task(task) => task.trashed(),
        };
        trash::ORDER.cursor(&Position {
            key: time_key(deleted_at.unwrap_or_default()),
            id,
        })
    }
}

/// Loads items by what is known of them, in that order; those that are gone by now are left out.
async fn load(ctx: &Context<'_>, items: Vec<ItemRef>) -> Result<Vec<Item>, Error> {
    let loaders = Loaders::of(ctx);
    let loaded = try_join_all(
        items
            .iter()
            .map(|item| Item::load(loaders, item.kind, item.id)),
    )
    .await?;
    Ok(loaded.into_iter().flatten().collect())
}

/// What lies in the trash.
#[derive(Default)]
pub(crate) struct TrashQuery;

#[Object]
impl TrashQuery {
    /// Everything in the trash, last deleted first.
    async fn trash(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 1 to 100; 50 if left out.")] first: Option<i32>,
        #[graphql(desc = "Only what stands behind this cursor.")] after: Option<String>,
    ) -> Result<Connection<Item>, Error> {
        let viewer = ctx.viewer()?;
        let count = Selected::of(ctx).total;
        let slice = PageArguments {
            first,
            after,
            ..Default::default()
        }
        .slice(trash::ORDER)?;
        let mut conn = ctx.connection().await?;
        let (mut items, total) = trash::page(
            &mut conn,
            viewer.user_id,
            slice.after.as_ref(),
            slice.size + 1,
            count,
        )
        .await?;
        drop(conn);
        let has_next = i64::try_from(items.len()).is_ok_and(|found| found > slice.size);
        items.truncate(usize::try_from(slice.size).unwrap_or(usize::MAX));
        let page = Page {
            items: load(ctx, items).await?,
            total,
            has_next,
            has_previous: slice.after.is_some(),
        };
        Ok(Connection::new(page, (), |item| item))
    }
}

/// What a mutation of several items answers.
#[derive(SimpleObject)]
pub(crate) struct ItemsPayload {
    /// The items as they are now, in the order of the ids, each once; null if nothing was done.
    items: Option<Vec<Item>>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// The result of a mutation that deletes permanently.
#[derive(SimpleObject)]
pub(crate) struct DeletePayload {
    /// The ids of everything that was deleted, including what was in deleted courses. Null if the mutation failed.
    deleted_ids: Option<Vec<ID>>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

impl DeletePayload {
    pub(crate) fn new(deleted_ids: Option<Vec<ID>>, user_errors: Vec<UserError>) -> Self {
        DeletePayload {
            deleted_ids,
            user_errors,
        }
    }
}

/// Mutations of any item.
#[derive(Default)]
pub(crate) struct TrashMutation;

#[Object]
impl TrashMutation {
    /// Moves items to the trash, all of them or none. A course takes its documents and tasks along: they are in the trash at
    /// once. Their versions, and their entries in the change feed, may follow a moment later if the course has many. Items
    /// that are in the trash already stay as they are.
    async fn trash_items(
        &self,
        ctx: &Context<'_>,
        input: ItemIdsInput,
    ) -> Option<Result<ItemsPayload, Error>> {
        Some(trash_items(ctx, input).await)
    }

    /// Brings items back from the trash, all of them or none. A course brings back the items that it took along, at once, but
    /// not those that were in the trash before. Their versions, and their entries in the change feed, may follow a moment
    /// later if the course has many. IN_TRASH if an item's course stays in the trash. Active items stay as they are.
    async fn restore_items(
        &self,
        ctx: &Context<'_>,
        input: ItemIdsInput,
    ) -> Option<Result<ItemsPayload, Error>> {
        Some(restore_items(ctx, input).await)
    }

    /// Deletes items in the trash permanently, all of them or none; a course with its documents and tasks. They are gone at
    /// once; their entries in the change feed may follow a moment later if there are many.
    async fn delete_items(
        &self,
        ctx: &Context<'_>,
        input: ItemIdsInput,
    ) -> Option<Result<DeletePayload, Error>> {
        Some(delete_items(ctx, input).await)
    }

    /// Deletes everything in the trash permanently. It is gone at once; the entries in the change feed may follow a moment
    /// later if there is much.
    async fn empty_trash(&self, ctx: &Context<'_>) -> Option<Result<DeletePayload, Error>> {
        Some(empty_trash(ctx).await)
    }
}

async fn trash_items(ctx: &Context<'_>, input: ItemIdsInput) -> Result<ItemsPayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let done = trash::trash(&mut conn, viewer, &input.known_ids()).await;
    drop(conn);
    items_payload(ctx, done).await
}

async fn restore_items(ctx: &Context<'_>, input: ItemIdsInput) -> Result<ItemsPayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let done = trash::restore(&mut conn, viewer, &input.known_ids()).await;
    drop(conn);
    items_payload(ctx, done).await
}

async fn items_payload(
    ctx: &Context<'_>,
    done: Result<Vec<ItemRef>, Failure>,
) -> Result<ItemsPayload, Error> {
    let done = outcome(done)?;
    let items = match done.value {
        Some(items) => Some(load(ctx, items).await?),
        None => None,
    };
    Ok(ItemsPayload {
        items,
        user_errors: done.user_errors,
    })
}

async fn delete_items(ctx: &Context<'_>, input: ItemIdsInput) -> Result<DeletePayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let done = outcome(trash::delete(&mut conn, viewer, &input.known_ids()).await)?;
    Ok(DeletePayload::new(done.value.map(ids), done.user_errors))
}

async fn empty_trash(ctx: &Context<'_>) -> Result<DeletePayload, Error> {
    let viewer = ctx.viewer()?;
    let deleted = trash::empty(&mut ctx.connection().await?, viewer).await?;
    Ok(DeletePayload::new(Some(ids(deleted)), Vec::new()))
}

fn ids(deleted: Vec<Uuid>) -> Vec<ID> {
    deleted.into_iter().map(id_of).collect()
}
