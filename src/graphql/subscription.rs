//! Subscriptions: live changes of the viewer's items.
//!
//! The transports in `http` deliver the events. They also end a subscription when its token expires or its session ends.

use std::time::Duration;

use async_graphql::{Context, Subscription};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{changes::Change, context::ContextExt};
use crate::{
    changes::{self, parse_cursor},
    error::Error,
};

/// The change that a subscription delivers at present. The resolver sets it, and `whole` finishes it when its event is
/// whole. Cheap to clone.
#[derive(Clone)]
pub(super) struct Delivery {
    /// Where the transport resumes. It overrides the argument `after`, because a client that reconnects sends the
    /// original document again.
    resumed_after: Option<String>,
    /// Maximum time for loading the data of an event. It has no deadline of a request.
    timeout: Duration,
    current: watch::Sender<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    change: changes::Change,
    deadline: Instant,
}

impl Delivery {
    pub(super) fn new(resumed_after: Option<String>, timeout: Duration) -> Self {
        Delivery {
            resumed_after,
            timeout,
            current: watch::Sender::new(None),
        }
    }

    /// Passes on changes one after the other. A change is repeated until it is finished.
    fn deliver(
        self,
        changes: impl Stream<Item = Result<changes::Change, Error>> + Send + 'static,
    ) -> BoxStream<'static, Result<Change, Error>> {
        let state = (self, changes.boxed());
        let changes = stream::unfold(state, |(delivery, mut changes)| async move {
            let change = match delivery.unfinished() {
                Some(change) => Ok(change),
                None => changes.next().await?.inspect(|it| delivery.begin(it)),
            };
            Some((change.map(Change::from), (delivery, changes)))
        });
        changes.boxed()
    }

    fn begin(&self, change: &changes::Change) {
        self.current.send_replace(Some(Current {
            change: change.clone(),
            deadline: Instant::now() + self.timeout,
        }));
    }

    fn unfinished(&self) -> Option<changes::Change> {
        let current = self.current.borrow();
        current.as_ref().map(|current| current.change.clone())
    }

    /// When the change must be loaded. `None` if there is no change.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let current = self.current.borrow();
        current.as_ref().map(|current| current.deadline)
    }

    /// Returns when the change has not been finished in time. Waits for a change if there is none.
    pub(super) async fn overdue(&self) {
        let mut current = self.current.subscribe();
        // The sender lives as long as this value.
        let _ = current.wait_for(Option::is_some).await;
        if let Some(deadline) = self.deadline() {
            sleep_until(deadline).await;
        }
    }

    /// Goes on to the next change. Returns the cursor after this one.
    pub(super) fn finish(&self) -> Option<String> {
        let finished = self.current.send_replace(None);
        finished.map(|finished| finished.change.cursor.encode())
    }
}

/// The root of subscriptions.
pub(crate) struct Subscription;

/// All subscriptions, over WebSocket (graphql-transport-ws) or server-sent events (text/event-stream). Each event is a
/// response without errors. A subscription that cannot continue ends with an error that has `extensions.code`.
#[Subscription]
impl Subscription {
    /// Changes to your items as they happen. Each change is sent once, and the changes to one item are in the order of
    /// its versions. With `after`, all changes after that cursor are sent first. CURSOR_EXPIRED if the cursor is too
    /// old: get a new one from `changesCursor`, then read your lists again. An event is sent whole or not at all: if
    /// its data cannot be loaded in time, the subscription ends with UNAVAILABLE before it. Subscribe again after your
    /// last cursor. The subscription also ends when the token expires or the session ends.
    #[doc = example!("live_changes")]
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only changes after this cursor. By default, only new changes.")]
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Change, Error>>, Error> {
        let viewer = *ctx.viewer()?;
        let delivery = ctx.data_unchecked::<Delivery>().clone();
        let after = delivery.resumed_after.clone().or(after);
        let after = after.as_deref().map(parse_cursor).transpose()?;
        let changes = ctx.services().live.subscribe(viewer, after);
        Ok(delivery.deliver(changes))
    }
}
