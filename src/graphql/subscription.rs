//! Subscriptions: live changes of the viewer's items.
//!
//! The transports in `http` deliver the events. They also end a subscription when its token expires or its session ends.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Subscription};
use futures_util::{StreamExt, stream::BoxStream};
use parking_lot::Mutex;

use super::{changes::Change, context::ContextExt};
use crate::{
    changes::{self, Cursor, parse_cursor},
    error::Error,
};

/// Where a subscription starts, and the cursor after its newest event.
#[derive(Clone, Default)]
pub(super) struct SubscriptionCursor {
    /// Where the transport resumes. It overrides the argument `after`, because a client that reconnects sends the
    /// original document again.
    resumed_after: Option<String>,
    newest: Arc<Mutex<Option<String>>>,
}

impl SubscriptionCursor {
    pub(super) fn new(resumed_after: Option<String>) -> Self {
        SubscriptionCursor {
            resumed_after,
            newest: Arc::default(),
        }
    }

    /// The cursor after the newest event; `None` if it was taken already, or there was no event.
    pub(super) fn take_newest(&self) -> Option<String> {
        self.newest.lock().take()
    }

    fn set_newest(&self, cursor: &Cursor) {
        *self.newest.lock() = Some(cursor.encode());
    }
}

/// Maximum time for loading the data of an event. It has no deadline of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventTimeout(pub(super) Duration);

/// The root of subscriptions.
pub(crate) struct Subscription;

/// All subscriptions, over WebSocket (graphql-transport-ws) or server-sent events (text/event-stream). Each event is a
/// response with its own errors. A subscription that cannot continue ends with an error that has `extensions.code`.
#[Subscription]
impl Subscription {
    /// Changes to your items as they happen. Each change is sent once, and the changes to one item are in the order of its
    /// versions. With `after`, all changes after that cursor are sent first. CURSOR_EXPIRED if the cursor is too old: get a new
    /// one from `changesCursor`, then read your lists again. The subscription ends when the token expires or the session ends.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only changes after this cursor. By default, only new changes.")]
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Change, Error>>, Error> {
        let viewer = *ctx.viewer()?;
        let cursor = ctx.data_unchecked::<SubscriptionCursor>().clone();
        let after = cursor.resumed_after.clone().or(after);
        let after = after.as_deref().map(parse_cursor).transpose()?;
        let changes = ctx.services().live.subscribe(viewer, after);
        let event = move |change: Result<_, Error>| {
            let change: changes::Change = change?;
            cursor.set_newest(&change.cursor);
            Ok(Change::from(change))
        };
        Ok(changes.map(event).boxed())
    }
}
