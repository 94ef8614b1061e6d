//! The change feed in the API: changes, and pages of past changes. `subscription` has the live ones.

use async_graphql::{Context, ID, Object};

use super::{
    connection::{HasCursor, LogConnection},
    context::ContextExt,
    loaders::Loaders,
    node::Item,
    page::PageArguments,
    whole::WholeFields,
};
use crate::{
    changes::{self, ChangeAction},
    db::keyset::Page,
    error::Error,
    items::ItemKind,
    scalars::{DateTime, id_of},
};

/// A change of the feed.
#[derive(Clone)]
pub(crate) struct Change(changes::Change);

impl From<changes::Change> for Change {
    fn from(change: changes::Change) -> Self {
        Change(change)
    }
}

/// A change to an item.
#[Object]
impl Change {
    /// The opaque cursor of this change. Pass it as `after` to continue after it. Its length varies.
    async fn cursor(&self) -> String {
        self.0.cursor.encode()
    }

    /// What happened to the item.
    async fn action(&self) -> ChangeAction {
        self.0.action
    }

    /// The kind of the item.
    async fn item_type(&self) -> ItemKind {
        self.0.item.kind
    }

    /// The item's id.
    async fn item_id(&self) -> ID {
        id_of(self.0.item.id)
    }

    /// The current state of the item, which may be newer than this change. Null if the item was deleted.
    async fn item(&self, ctx: &Context<'_>) -> Option<Result<Item, Error>> {
        let item = self.0.item;
        let loaded = Item::load(Loaders::of(ctx), item.kind, item.id).await;
        loaded.transpose()
    }

    /// The item's version after this change. For a deletion, the item's last version.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When the item changed.
    async fn changed_at(&self) -> DateTime {
        DateTime(self.0.changed_at)
    }
}

impl HasCursor for Change {
    type Order = ();

    fn cursor(&self, (): &()) -> String {
        self.0.cursor.encode()
    }
}

/// Queries of the change feed.
#[derive(Default)]
pub(crate) struct ChangesQuery;

#[Object]
impl ChangesQuery {
    /// All changes of your items after a cursor, oldest first. Each change is returned exactly once, and the changes of
    /// one item are in the order of its versions. Use this query to catch up after being offline. CURSOR_EXPIRED if the
    /// cursor is too old (30 days by default), or if the database was restored from a backup. Then get a new one from
    /// `changesCursor`, and read your lists again. For the next page, pass `pageInfo.endCursor` as `after`. It is never
    /// null, even if the page is empty. A page is returned whole or not at all: if anything in it cannot be loaded, the
    /// request fails.
    #[doc = example!("changes")]
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first *n* changes (1–100, default 50).")] first: Option<i32>,
        #[graphql(
            desc = "Only changes after this cursor. By default, starts with the oldest stored change."
        )]
        after: Option<String>,
    ) -> Result<LogConnection<Change>, Error> {
        WholeFields::include(ctx);
        let viewer = ctx.viewer()?;
        let continued = after.is_some();
        let after = after.as_deref().map(changes::parse_cursor).transpose()?;
        let size = PageArguments::forward(first, None).size()?;
        let size = usize::try_from(size).unwrap_or_default();
        let feed = ctx.services().live.feed();
        let mut conn = ctx.connection().await?;
        let page = feed
            .page(&mut conn, viewer.user_id, after.as_ref(), size)
            .await?;
        ctx.services().database.note_known(viewer.user_id);
        let end = Some(page.end.encode());
        let page = Page {
            items: page.changes,
            total: None,
            has_next: page.more,
            has_previous: continued,
        };
        Ok(LogConnection::new(page, end, Change))
    }

    /// The newest cursor of the change feed. To start, get this cursor, then read your lists, then read the changes after the
    /// cursor. In this order, you miss no change.
    #[doc = example!("changes_cursor")]
    async fn changes_cursor(&self, ctx: &Context<'_>) -> Result<String, Error> {
        let viewer = ctx.viewer()?;
        let feed = ctx.services().live.feed();
        let mut conn = ctx.connection().await?;
        let cursor = feed.newest(&mut conn, viewer.user_id).await?.end;
        ctx.services().database.note_known(viewer.user_id);
        Ok(cursor.encode())
    }
}
