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
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    super::{EdgeState, graphql, request_id::RequestId, slots::LimitReached},
    live_auth::{AccessEnd, LiveAuth, denies_access},
};
use crate::{
    error::{Code, Error},
    graphql::{Admitted, Call, Executed, Operation, error},
};

/// An output of an operation. The operation is complete at the end of the stream.
#[derive(Debug)]
pub(in crate::http) enum Output {
    /// The operation is a subscription and has started.
    Subscribed,
    /// The response of a query or mutation, or an event.
    Next {
        /// Has data, or was executed without any.
        executed: Box<Executed>,
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
    pub(in crate::http) fn of(executed: Executed) -> Output {
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
        let deadline = Instant::now() + state.settings.request_timeout;
        let auth = match auth.recheck(&state.auth, deadline).await {
            Ok(auth) => auth,
            Err(error) if denies_access(&error) => {
                return single(Output::SignedOut(auth.access_end()));
            }
            Err(error) => return single(failed(error, &id)),
        };
        match state.api.admit(call) {
            Ok(admitted) => {
                let taken = state.cost_limits.take(auth.holder(), admitted.cost);
                if let Some(error) = taken.and_then(|taken| taken.refusal) {
                    return single(failed(error, &id));
                }
                let slot = Some(slot);
                let run = Run { id, deadline, slot };
                run.start(&state, &auth, admitted, None)
            }
            Err(response) => single(not_admitted(response, &id)),
        }
    };
    stream::once(started).flatten().boxed()
}

/// One run of an operation.
pub(in crate::http) struct Run {
    pub(in crate::http) id: RequestId,
    pub(in crate::http) deadline: Instant,
    /// Held until the operation has ended.
    pub(in crate::http) slot: Option<OwnedSemaphorePermit>,
}

impl Run {
    /// Runs an admitted operation. `resumed_after`: see [`Api::subscribe`](crate::graphql::Api::subscribe).
    pub(in crate::http) fn start(
        self,
        state: &EdgeState,
        auth: &LiveAuth,
        admitted: Admitted,
        resumed_after: Option<String>,
    ) -> BoxStream<'static, Output> {
        let Run { id, deadline, slot } = self;
        if admitted.operation == Operation::Subscription {
            return events(state, auth, admitted, resumed_after, &id)
                .unwrap_or_else(|error| single(failed(error, &id)));
        }
        let (state, caller) = (state.clone(), auth.caller());
        let run = async move {
            let executed = graphql::run(&state, admitted, caller, &id, deadline, slot).await;
            Output::of(executed)
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
) -> Result<BoxStream<'static, Output>, Error> {
    let slot = state.streams.subscriptions.acquire();
    let slot = slot.and_then(|mut slot| {
        if let Some(holder) = auth.holder() {
            slot.assign_to(holder)?;
        }
        Ok(slot)
    });
    let slot = slot.map_err(too_many_subscriptions)?;
    let (caller, limit) = (auth.caller(), state.settings.request_timeout);
    let cost = admitted.reported_cost;
    let events = state
        .api
        .subscribe(admitted, caller, limit, resumed_after, id.as_str());
    let outputs = events.map(move |event| {
        let _held = &slot;
        let is_last = event.is_last();
        let mut executed = Box::new(event.executed);
        if let Some(cost) = cost {
            cost.report(&mut executed.response);
        }
        match is_last {
            true => Output::Failed(Box::new(executed.response)),
            false => Output::Next {
                executed,
                cursor: event.cursor,
            },
        }
    });
    Ok(stream::iter([Output::Subscribed]).chain(outputs).boxed())
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
pub(in crate::http) fn not_admitted(mut response: Box<GraphQlResponse>, id: &RequestId) -> Output {
    error::finish(&mut response, id.as_str());
    Output::Failed(response)
}

/// A response with this error only.
pub(in crate::http) fn failed(error: Error, id: &RequestId) -> Output {
    not_admitted(Box::new(error::error_response(error)), id)
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
    failed(Error::unauthenticated(message), &RequestId::new())
}
