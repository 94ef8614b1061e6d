//! The trash in the API: its list, and the mutations that work for items of all kinds.

use async_graphql::{Context, ID, Object};
use uuid::Uuid;

use super::{
    connection::{Connection, HasCursor},
    context::ContextExt,
    node::Item,
    page::PageArguments,
    payload::{mutations, payload, respond},
    selection::Selected,
};
use crate::{
    db::keyset::Page,
    error::{Error, Failure},
    items::{ItemIdsInput, ItemRef},
    scalars::id_of,
    trash::{self, TrashPosition},
};

/// The trash has one fixed order: last trashed first.
impl HasCursor for Item {
    type Order = ();

    fn cursor(&self, (): &()) -> String {
        let (id, deleted_at) = self.id_and_deleted_at();
        trash::ORDER.cursor(&TrashPosition {
            id,
            deleted_at: deleted_at.unwrap_or_default(),
        })
    }
}

/// Loads items in their order. Omits those that have been deleted in the meantime.
async fn load(ctx: &Context<'_>, items: Vec<ItemRef>) -> Result<Vec<Item>, Error> {
    let loaded = Item::load_all(ctx, &items).await?;
    Ok(loaded.into_iter().flatten().collect())
}

/// Queries of the trash.
#[derive(Default)]
pub(crate) struct TrashQuery;

#[Object]
impl TrashQuery {
    /// Your items in the trash, most recently trashed first.
    #[doc = example!("trash")]
    async fn trash(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Item>, Error> {
        let viewer = ctx.viewer()?;
        let count = Selected::of(ctx).total;
        let slice = PageArguments::forward(first, after).slice(trash::ORDER)?;
        let mut conn = ctx.reading_connection().await?;
        let page = trash::page(&mut conn, viewer.user_id, &slice, count).await?;
        drop(conn);
        let page = Page {
            items: load(ctx, page.items).await?,
            total: page.total,
            has_next: page.has_next,
            has_previous: page.has_previous,
        };
        Ok(Connection::new(page, &(), |item| item))
    }
}

payload! {
    /// The result of moving items to the trash, restoring them, or changing their tags.
    ItemsPayload {
        /// The items after the mutation, in the order of the ids, without duplicates. Null if the mutation failed.
        items: Vec<Item>
    }
}

payload! {
    /// The result of a mutation that deletes permanently.
    DeletePayload {
        /// The ids of everything that was deleted, including the documents and tasks of deleted courses. Null if
        /// the mutation failed.
        deleted_ids: Vec<ID>
    }
}

mutations! {
    /// Mutations of items of all kinds.
    TrashMutation;

    /// Moves items to the trash, all of them or none. The documents and tasks of a course move with it immediately. If it has
    /// many, their new versions and their entries in the change feed may follow a moment later. Items that are already in the
    /// trash stay unchanged.
    /// `userErrors`: BLANK, NOT_FOUND, TOO_LONG.
    #[doc = example!("trash_items")]
    async fn trash_items(ctx, input: ItemIdsInput = "The items to move to the trash.") -> ItemsPayload {
        set_trashed(ctx, input, true).await
    }

    /// Restores items from the trash, all of them or none. A course is restored with the documents and tasks that moved with it,
    /// but not with those that were in the trash before. If there are many, their new versions and their entries in the change
    /// feed may follow a moment later. IN_TRASH if an item's course stays in the trash. TAKEN if another active tag has the name of
    /// a tag to restore. Active items stay unchanged.
    /// `userErrors`: BLANK, IN_TRASH, NOT_FOUND, TAKEN, TOO_LONG.
    #[doc = example!("restore_items")]
    async fn restore_items(ctx, input: ItemIdsInput = "The items to restore.") -> ItemsPayload {
        set_trashed(ctx, input, false).await
    }

    /// Permanently deletes items that are in the trash, all of them or none. A course is deleted with its documents and tasks.
    /// They disappear immediately. If there are many, their entries in the change feed may follow a moment later. A deleted tag is
    /// removed from its items, whose versions stay the same.
    /// `userErrors`: BLANK, NOT_FOUND, NOT_IN_TRASH, TOO_LONG.
    #[doc = example!("delete_items")]
    async fn delete_items(ctx, input: ItemIdsInput = "The items to delete permanently.") -> DeletePayload {
        let viewer = ctx.viewer()?;
        let mut conn = ctx.connection().await?;
        let deleted = trash::delete(&mut conn, viewer, &input.ids()).await;
        respond(deleted.map(ids))
    }

    /// Permanently deletes everything in the trash. The items disappear immediately. If there are many, their entries in the
    /// change feed may follow a moment later.
    #[doc = example!("empty_trash")]
    async fn empty_trash(ctx) -> DeletePayload {
        let viewer = ctx.viewer()?;
        let deleted = trash::empty(&mut ctx.connection().await?, viewer).await?;
        respond(Ok(ids(deleted)))
    }
}

async fn set_trashed(
    ctx: &Context<'_>,
    input: ItemIdsInput,
    trashed: bool,
) -> Result<ItemsPayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let changed = trash::set_trashed(&mut conn, viewer, &input.ids(), trashed).await;
    drop(conn);
    respond(load_changed(ctx, changed).await?)
}

/// Loads the items that a command has changed.
pub(super) async fn load_changed(
    ctx: &Context<'_>,
    changed: Result<Vec<ItemRef>, Failure>,
) -> Result<Result<Vec<Item>, Failure>, Error> {
    Ok(match changed {
        Ok(items) => Ok(load(ctx, items).await?),
        Err(failure) => Err(failure),
    })
}

fn ids(deleted: Vec<Uuid>) -> Vec<ID> {
    deleted.into_iter().map(id_of).collect()
}
