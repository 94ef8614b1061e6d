//! One operation as a stream of outputs: one response of a query or mutation, many of a subscription.
//!
//! An operation runs as over plain HTTP: with the same gate, limits and deadline, for a client whose access is still
//! valid. Each event of a subscription has the deadline of one request. Items in events are loaded through a handle
//! that uses at most half of the connection pool (`Database::with_half_the_pool`). So events leave connections to
//! requests. An event that is not loaded in time ends the subscription with UNAVAILABLE: without its item, the client
//! would take the item for deleted.

use std::sync::Arc;

use async_graphql::Response as GraphQlResponse;
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tracing::Instrument;

use super::{
    super::{
        EdgeState,
        cost_limit::Taken,
        graphql,
        record::{Record, Recorded, Transport},
        request_id::RequestId,
        slots::{LimitReached, Slot},
    },
    live_auth::{AccessEnd, LiveAuth, denies_access},
};
use crate::{
    error::{Code, Error},
    graphql::{Admitted, Call, Event, NotAdmitted, Operation, error},
};

/// An output of an operation. The operation is complete at the end of the stream.
#[derive(Debug)]
pub(in crate::http) enum Output {
    /// The operation is a subscription and has started.
    Subscribed,
    /// The response of a query or mutation, or an event.
    Next {
        /// Has data, or was executed without any.
        executed: Box<Recorded>,
        /// The cursor to resume after this event. `None` for queries and mutations.
        cursor: Option<String>,
    },
    /// The operation was not run, or cannot continue: a response that has only errors. The last output.
    Failed(Box<GraphQlResponse>),
    /// The client's access has ended. The last output.
    SignedOut(AccessEnd),
}

impl Output {
    /// The response of a query or mutation.
    pub(in crate::http) fn of(executed: Recorded) -> Output {
        Output::Next {
            executed: Box::new(executed),
            cursor: None,
        }
    }
}

/// Authenticates the client again and runs a call when a slot is free. A query holds its slot until its response is sent or it is dropped, a
/// mutation until it has ended. When `slots` is closed, waiting operations end with [`Output::SignedOut`].
pub(in crate::http) fn outputs(
    state: EdgeState,
    auth: LiveAuth,
    call: Call,
    slots: Arc<Semaphore>,
) -> BoxStream<'static, Output> {
    let started = async move {
        let Ok(slot) = slots.acquire_owned().await else {
            return single(Output::SignedOut(auth.access_end()));
        };
        let id = RequestId::new();
        let record = Record::begin(&state, Transport::WebSocket, &id);
        let deadline = Instant::now() + state.settings.request_timeout;
        let rechecked = record.run(auth.recheck(&state.auth, deadline)).await;
        record.identify(rechecked.as_ref().unwrap_or(&auth));
        let auth = match rechecked {
            Ok(auth) => auth,
            Err(error) if denies_access(&error) => {
                record.note_error(error.code);
                return single(Output::SignedOut(auth.access_end()));
            }
            Err(error) => return single(failed(error, &id, Some(&record))),
        };
        let run = Run {
            id,
            record,
            deadline,
            slot: Some(slot),
        };
        run.admit(&state, &auth, call)
    };
    stream::once(started).flatten().boxed()
}

/// One run of an operation.
pub(in crate::http) struct Run {
    pub(in crate::http) id: RequestId,
    pub(in crate::http) record: Arc<Record>,
    pub(in crate::http) deadline: Instant,
    /// Held until the operation has ended.
    pub(in crate::http) slot: Option<OwnedSemaphorePermit>,
}

impl Run {
    /// Runs a call if the gate admits it, and its caller has enough cost points.
    fn admit(self, state: &EdgeState, auth: &LiveAuth, call: Call) -> BoxStream<'static, Output> {
        let (limits, holder) = (&state.cost_limits, auth.holder());
        let refused = |taken: Option<Taken>| {
            let error = taken?.refusal?;
            Some(single(failed(error, &self.id, Some(&self.record))))
        };
        if let Some(output) = refused(limits.check(holder.as_ref())) {
            return output;
        }
        let admitted = match state.api.admit(call) {
            Ok(admitted) => admitted,
            Err(NotAdmitted {
                response,
                document_bytes,
            }) => {
                limits.charge(holder, document_bytes);
                return single(not_admitted(response, &self.id, Some(&self.record)));
            }
        };
        self.record.name(&admitted);
        let refusal = refused(limits.take_cost(holder, &admitted));
        refusal.unwrap_or_else(|| self.start(state, auth, admitted, None))
    }

    /// Runs an admitted operation. `resumed_after`: see [`Api::subscribe`](crate::graphql::Api::subscribe).
    pub(in crate::http) fn start(
        self,
        state: &EdgeState,
        auth: &LiveAuth,
        admitted: Admitted,
        resumed_after: Option<String>,
    ) -> BoxStream<'static, Output> {
        let Run {
            id,
            record,
            deadline,
            slot,
        } = self;
        let span = record.execute(&admitted);
        if admitted.operation == Operation::Subscription {
            return events(state, auth, admitted, resumed_after, &id, &record)
                .unwrap_or_else(|error| single(failed(error, &id, Some(&record))));
        }
        let (state, caller) = (state.clone(), auth.caller());
        let run = async move {
            let run = graphql::run(&state, admitted, caller, &id, deadline, slot);
            let executed = record.run(run.instrument(span)).await;
            Output::of(Recorded {
                executed,
                record: Some(record),
            })
        };
        stream::once(run).boxed()
    }
}

fn events(
    state: &EdgeState,
    auth: &LiveAuth,
    admitted: Admitted,
    resumed_after: Option<String>,
    id: &RequestId,
    record: &Arc<Record>,
) -> Result<BoxStream<'static, Output>, Error> {
    let slot = subscription_slot(state, auth)?;
    let (caller, limit) = (auth.caller(), state.settings.request_timeout);
    let cost = admitted.reported_cost;
    let events = state
        .api
        .subscribe(admitted, caller, limit, resumed_after, id.as_str());
    let events = counted(events.boxed(), record.clone());
    let record = record.clone();
    let outputs = events.map(move |event| {
        let _held = &slot;
        let is_last = event.is_last();
        let mut executed = event.executed;
        if let Some(cost) = cost {
            cost.report(&mut executed.response);
        }
        if is_last {
            record.note_errors(&executed.response);
            return Output::Failed(Box::new(executed.response));
        }
        let record = Some(record.clone());
        Output::Next {
            executed: Box::new(Recorded { executed, record }),
            cursor: event.cursor,
        }
    });
    Ok(stream::iter([Output::Subscribed]).chain(outputs).boxed())
}

fn subscription_slot(state: &EdgeState, auth: &LiveAuth) -> Result<Slot, Error> {
    let slot = state.streams.subscriptions.acquire();
    let slot = slot.and_then(|mut slot| {
        if let Some(holder) = auth.holder() {
            slot.assign_to(holder)?;
        }
        Ok(slot)
    });
    slot.map_err(too_many_subscriptions)
}

/// The events of a subscription, whose statements count as those of its operation.
fn counted(
    events: BoxStream<'static, Event>,
    record: Arc<Record>,
) -> impl Stream<Item = Event> + Send {
    stream::unfold((events, record), async |(mut events, record)| {
        let event = record.run(events.next()).await?;
        Some((event, (events, record)))
    })
}

fn too_many_subscriptions(limit: LimitReached) -> Error {
    match limit {
        LimitReached::Total => Error::unavailable("all subscription slots are in use"),
        LimitReached::PerHolder => Error::new(
            Code::RateLimited,
            "You have reached the maximum number of subscriptions per user, or per address without a sign-in. End one of them first.",
        ),
    }
}

/// Completes the response to an operation that the gate rejected.
pub(in crate::http) fn not_admitted(
    mut response: Box<GraphQlResponse>,
    id: &RequestId,
    record: Option<&Record>,
) -> Output {
    error::finish(&mut response, id.as_str());
    if let Some(record) = record {
        record.note_errors(&response);
    }
    Output::Failed(response)
}

/// A response with this error only.
pub(in crate::http) fn failed(error: Error, id: &RequestId, record: Option<&Record>) -> Output {
    not_admitted(Box::new(error::error_response(error)), id, record)
}

/// A stream of one output.
pub(in crate::http) fn single(output: Output) -> BoxStream<'static, Output> {
    stream::iter([output]).boxed()
}

/// The last response to a client whose access has ended, for transports without a close code.
pub(in crate::http) fn signed_out(end: AccessEnd) -> Output {
    let message = match end {
        AccessEnd::TokenExpired => {
            "The access token has expired. Call `refreshSession`, then subscribe again with the new token."
        }
        AccessEnd::SessionEnded => "The session has ended. Sign in again.",
    };
    failed(Error::unauthenticated(message), &RequestId::new(), None)
}
