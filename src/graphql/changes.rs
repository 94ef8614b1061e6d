//! The change feed in the API, in pages.

use std::borrow::Cow;

use async_graphql::{
    Context, ContextSelectionSet, ID, Object, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};
use tokio::time::{Instant, timeout_at};

use super::{
    context::ContextExt,
    loaders::Loaders,
    node::Item,
    page::{HasCursor, LogConnection, PageArguments},
    subscription::EventLimit,
};
use crate::{
    changes::{self, ChangeAction},
    db::keyset::Page,
    error::Error,
    items::ItemKind,
    scalars::{DateTime, id_of},
};

/// A change of an item.
#[derive(Clone)]
pub(crate) struct Change(changes::Change);

impl From<changes::Change> for Change {
    fn from(change: changes::Change) -> Self {
        Change(change)
    }
}

/// A change of an item.
#[Object]
impl Change {
    /// Give it as `after` to go on behind this change. Opaque; it grows by a few bytes for each transaction that was under
    /// way.
    async fn cursor(&self) -> String {
        self.0.cursor.encode()
    }

    /// What happened.
    async fn action(&self) -> ChangeAction {
        self.0.action
    }

    /// What kind of item it is.
    async fn item_type(&self) -> ItemKind {
        self.0.item.kind
    }

    /// Which one.
    async fn item_id(&self) -> ID {
        id_of(self.0.item.id)
    }

    /// The item as it is now, which may be newer than this change; null once it is deleted.
    async fn item(&self, ctx: &Context<'_>) -> Option<Result<ItemInTime, Error>> {
        let limit = ctx.data_opt::<EventLimit>();
        let deadline = limit.map(|limit| Instant::now() + limit.0);
        let item = self.0.item;
        let loaded = Item::load(Loaders::of(ctx), item.kind, item.id);
        let item = in_time(deadline, loaded).await.flatten().transpose()?;
        Some(item.map(|item| ItemInTime { item, deadline }))
    }

    /// The version that the item has since this change; of a deletion, the last one that it had.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it changed.
    async fn changed_at(&self) -> DateTime {
        DateTime(self.0.changed_at)
    }
}

/// An item that is answered, with all that is selected in it, before a deadline. In a page that is the request's; an event of
/// a subscription has one of its own, so that one that finds the database stuck tells the rest of what it knows, and the
/// subscription goes on.
struct ItemInTime {
    item: Item,
    deadline: Option<Instant>,
}

async fn in_time<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Error> {
    let Some(deadline) = deadline else {
        return Ok(work.await);
    };
    let late = |_| Error::timeout("an event passed its deadline");
    timeout_at(deadline, work).await.map_err(late)
}

impl OutputType for ItemInTime {
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
        match in_time(self.deadline, self.item.resolve(ctx, field)).await {
            Ok(resolved) => resolved,
            Err(late) => Err::<Item, Error>(late).resolve(ctx, field).await,
        }
    }
}

impl HasCursor for Change {
    type Cursor = ();

    fn cursor(&self, (): &()) -> String {
        self.0.cursor.encode()
    }
}

/// Reading what changed.
#[derive(Default)]
pub(crate) struct ChangesQuery;

#[Object]
impl ChangesQuery {
    /// What changed since a cursor, oldest first, each once, none left out, an item's changes in the order of its versions:
    /// read this to catch up after being offline. A cursor that is too old (30 days, if the operator sets nothing else), or
    /// of a database that was restored since, is CURSOR_EXPIRED: then take `changesCursor` and read the lists afresh.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 1 to 100; 50 if left out.")] first: Option<i32>,
        #[graphql(
            desc = "Only what comes behind this cursor; from the oldest change kept if left out."
        )]
        after: Option<String>,
    ) -> Result<LogConnection<Change>, Error> {
        let viewer = ctx.viewer()?;
        let continued = after.is_some();
        let after = after.as_deref().map(changes::parse_cursor).transpose()?;
        let arguments = PageArguments {
            first,
            ..Default::default()
        };
        let size = usize::try_from(arguments.size()?).unwrap_or_default();
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

    /// The newest cursor. To begin: take it, read the lists, then read the changes after it; nothing is missed.
    async fn changes_cursor(&self, ctx: &Context<'_>) -> Result<String, Error> {
        let viewer = ctx.viewer()?;
        let feed = ctx.services().live.feed();
        let mut conn = ctx.connection().await?;
        let cursor = feed.newest(&mut conn, viewer.user_id).await?;
        Ok(cursor.encode())
    }
}
