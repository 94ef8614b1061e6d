//! What can be listened to: the changes of one's own items.
//!
//! It says nothing of how events travel, nor of how long somebody may listen: a token that expires and a session that ends
//! are the transports' to see.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_graphql::{Context, Subscription};
use futures_util::{StreamExt, stream::BoxStream};

use super::{changes::Change, context::ContextExt};
use crate::{
    changes::{self, Cursor, parse_cursor},
    error::Error,
};

/// Where a subscription begins and how far it has come; one a subscription.
#[derive(Clone, Default)]
pub(super) struct Position {
    /// Where the caller goes on, as its transport says: it wins over the argument, which is what a subscription that is
    /// sent anew began with.
    resumed_after: Option<String>,
    newest: Arc<Mutex<Option<String>>>,
}

impl Position {
    pub(super) fn resumed(after: Option<String>) -> Self {
        Position {
            resumed_after: after,
            newest: Arc::default(),
        }
    }

    /// The cursor of the newest event; `None` if it was told already, or there is none.
    pub(super) fn take_newest(&self) -> Option<String> {
        let newest = self.newest.lock();
        newest.unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_at(&self, cursor: &Cursor) {
        let newest = self.newest.lock();
        *newest.unwrap_or_else(PoisonError::into_inner) = Some(cursor.encode());
    }
}

/// How long it may take to load what an event brings: it has no request's deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventLimit(pub(super) Duration);

/// The root of subscriptions.
pub(crate) struct Subscription;

/// What can be listened to, over WebSocket (graphql-transport-ws) or as text/event-stream. An event is an answer of its own,
/// with its own errors; a subscription that cannot go on ends with an error that has `extensions.code`.
#[Subscription]
impl Subscription {
    /// Changes to the signed-in user's items as they happen, each once and an item's in the order of its versions; with
    /// `after`, first all that came since that cursor. A cursor that is too old is CURSOR_EXPIRED: take a new one
    /// (`changesCursor`) and read the lists afresh then.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Change, Error>>, Error> {
        let viewer = *ctx.viewer()?;
        let position = ctx.data_unchecked::<Position>().clone();
        let after = position.resumed_after.clone().or(after);
        let after = after.as_deref().map(parse_cursor).transpose()?;
        let changes = ctx.services().live.subscribe(viewer, after);
        let event = move |change: Result<_, Error>| {
            let change: changes::Change = change?;
            position.is_at(&change.cursor);
            Ok(Change::from(change))
        };
        Ok(changes.map(event).boxed())
    }
}
