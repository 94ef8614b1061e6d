//! Responses of the change feed are whole or not sent: a client that reads `item: null` deletes an item that only could
//! not be loaded.
//!
//! An event of a subscription that has errors is loaded again until its time is up. Then the subscription ends with
//! UNAVAILABLE before the event, and the client resumes after its last cursor. A page of changes fails if anything in
//! it fails.

use std::{any::Any, sync::Arc, time::Duration};

use async_graphql::{Context, PathSegment, Response, Value};
use futures_util::{StreamExt, stream::BoxStream};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout_at};

use super::{
    budget::{Executed, ResponseBudget, TurnEnd},
    error,
    execute::panic_response,
    subscription::Delivery,
};
use crate::{
    db::background::Backoff,
    error::{Code, Error},
};

/// The pause before an event is loaded again, first and maximum.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// An event of a subscription.
pub struct Event {
    /// The event's response. It has either data or errors. With errors, it is the last event.
    pub executed: Executed,
    /// The change feed's cursor after the event, for resuming; `None` for an error.
    pub cursor: Option<String>,
}

impl Event {
    /// Whether this is the last event, which says why the subscription ended.
    pub fn is_last(&self) -> bool {
        self.executed.response.data == Value::Null
    }
}

/// The responses that the library makes from the changes of a subscription. An error is a resolver's panic.
type Responses = BoxStream<'static, Result<Response, Box<dyn Any + Send>>>;

/// The events of one subscription.
pub(super) struct Events {
    responses: Responses,
    delivery: Delivery,
    /// Counts the size of one event at a time.
    budget: ResponseBudget,
    /// The end of the previous event's turn.
    previous: TurnEnd,
    request_id: String,
    has_ended: bool,
}

impl Events {
    pub(super) fn new(
        responses: Responses,
        delivery: Delivery,
        budget: ResponseBudget,
        request_id: &str,
    ) -> Events {
        Events {
            responses,
            delivery,
            budget,
            previous: TurnEnd::default(),
            request_id: request_id.to_owned(),
            has_ended: false,
        }
    }

    /// The next event; `None` after the last one. If the previous event is large, the next one is loaded after it has been sent, so that
    /// the time for loading an event does not pass while a slow client reads.
    pub(super) async fn next(&mut self) -> Option<Event> {
        if self.has_ended {
            return None;
        }
        self.previous.wait().await;
        let mut response = self.load().await?;
        let is_whole = response.errors.is_empty();
        let cursor = is_whole.then(|| self.delivery.finish()).flatten();
        if !is_whole {
            self.has_ended = true;
            response.data = Value::Null;
            error::finish(&mut response, &self.request_id);
        }
        let budget = self.budget.take();
        self.previous = budget.turn_end();
        let executed = Executed {
            response,
            budget: Some(budget),
        };
        Some(Event { executed, cursor })
    }

    /// Loads an event until it is whole, or failed for good.
    async fn load(&mut self) -> Option<Response> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut last_error = "the database does not respond".to_owned();
        loop {
            drop(self.budget.take());
            let loaded = tokio::select! {
                // A response that has arrived counts, even if its time is up.
                biased;
                response = self.responses.next() => Some(response?),
                () = self.delivery.overdue() => None,
            };
            let Some(response) = loaded else {
                return Some(unavailable(&last_error));
            };
            let response = response.unwrap_or_else(|panic| panic_response(&*panic));
            let Some((error, deadline)) = passing_error(&response).zip(self.delivery.deadline())
            else {
                return Some(response);
            };
            tracing::debug!(error, "loading an event failed; retrying");
            last_error = error;
            if timeout_at(deadline, sleep(backoff.pause())).await.is_err() {
                return Some(unavailable(&last_error));
            }
        }
    }
}

/// The first error of a response whose errors may all pass.
fn passing_error(response: &Response) -> Option<String> {
    let causes = response.errors.iter().map(|error| error.source::<Error>());
    let mut passing = None;
    for cause in causes {
        let cause =
            cause.filter(|cause| matches!(cause.code, Code::Unavailable | Code::Timeout))?;
        passing.get_or_insert_with(|| cause.log_text());
    }
    passing
}

fn unavailable(cause: &str) -> Response {
    let detail = format!("an event could not be loaded in time: {cause}");
    error::error_response(Error::unavailable(detail))
}

/// The root fields of a query that fail as a whole. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct WholeFields(Arc<Mutex<Vec<String>>>);

impl WholeFields {
    /// Makes the root field that is being resolved one of them.
    pub(super) fn include(ctx: &Context<'_>) {
        let field = ctx.field();
        let key = field.alias().unwrap_or(field.name()).to_owned();
        let WholeFields(keys) = ctx.data_unchecked();
        keys.lock().push(key);
    }

    /// Removes the data of a response if anything in these fields failed. They are not null in the schema.
    pub(super) fn enforce(&self, response: &mut Response) {
        let keys = self.0.lock();
        let mut paths = response.errors.iter().map(|error| error.path.first());
        let has_failed = paths.any(|root| match root {
            Some(PathSegment::Field(key)) => keys.contains(key),
            _ => false,
        });
        if has_failed {
            response.data = Value::Null;
        }
    }
}
