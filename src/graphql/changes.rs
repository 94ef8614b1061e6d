//! The change feed in the API: changes, and pages of past changes. `subscription` has the live ones.

use std::borrow::Cow;

use async_graphql::{
    Context, ContextSelectionSet, ID, Object, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};
use tokio::time::{Instant, timeout_at};

use super::{
    connection::{HasCursor, LogConnection},
    context::ContextExt,
    loaders::Loaders,
    node::Item,
    page::PageArguments,
    subscription::EventTimeout,
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
    async fn item(&self, ctx: &Context<'_>) -> Option<Result<ItemWithDeadline, Error>> {
        let timeout = ctx.data_opt::<EventTimeout>();
        let deadline = timeout.map(|timeout| Instant::now() + timeout.0);
        let item = self.0.item;
        let loaded = Item::load(Loaders::of(ctx), item.kind, item.id);
        let item = with_deadline(deadline, loaded)
            .await
            .flatten()
            .transpose()?;
        Some(item.map(|item| ItemWithDeadline { item, deadline }))
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

/// An item whose selected fields must be resolved before a deadline. A page has the deadline of its request. An event of a
/// subscription has its own: if the database hangs, `item` is null, the event's other fields are sent, and the subscription
/// continues.
struct ItemWithDeadline {
    item: Item,
    deadline: Option<Instant>,
}

async fn with_deadline<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let Some(deadline) = deadline else {
        return Ok(work.await);
    };
    timeout_at(deadline, work)
        .await
        .map_err(|_| Error::timeout("loading the data of an event exceeded its deadline"))
}

impl OutputType for ItemWithDeadline {
    fn type_name() -> Cow<'static, str> {
        <Item as OutputType>::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.item.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Item as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match with_deadline(self.deadline, self.item.resolve(ctx, field)).await {
            Ok(resolved) => resolved,
            Err(timeout) => Err::<Item, Error>(timeout).resolve(ctx, field).await,
        }
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
    /// All changes of your items after a cursor, oldest first. Each change is returned exactly once, and the changes of one item
    /// are in the order of its versions. Use this query to catch up after being offline. CURSOR_EXPIRED if the cursor is too
    /// old (30 days by default), or if the database was restored from a backup. Then get a new one from `changesCursor`, and read
    /// your lists again. For the next page, pass `pageInfo.endCursor` as `after`. It is never null, even if the page is empty.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first *n* changes (1–100, default 50).")] first: Option<i32>,
        #[graphql(
            desc = "Only changes after this cursor. By default, starts with the oldest stored change."
        )]
        after: Option<String>,
    ) -> Result<LogConnection<Change>, Error> {
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
    async fn changes_cursor(&self, ctx: &Context<'_>) -> Result<String, Error> {
        let viewer = ctx.viewer()?;
        let feed = ctx.services().live.feed();
        let mut conn = ctx.connection().await?;
        let cursor = feed.newest(&mut conn, viewer.user_id).await?;
        Ok(cursor.encode())
    }
}
