//! One operation as a stream of what it says: a query's or a mutation's one answer, a subscription's many.
//!
//! It runs as it would over plain HTTP: by the same gate, limits and deadline, for whoever still is who they were. Each event
//! of a subscription has the deadline of a request.

use std::sync::Arc;

use async_graphql::Response as Answer;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    super::{EdgeState, graphql, request_id::RequestId},
    Full,
    standing::{Standing, says_no},
};
use crate::{
    error::{Code, Error},
    graphql::{Admitted, Call, Operation, error},
};

/// What an operation says. Behind all of it, it is complete.
#[derive(Debug)]
pub(in crate::http) enum Output {
    /// It is a subscription, and goes on until somebody ends it.
    Listening,
    /// An answer, and the cursor to go on behind it.
    Next {
        /// With data, or executed without any.
        answer: Box<Answer>,
        /// Of a subscription's event.
        cursor: Option<String>,
    },
    /// It was not run, or cannot go on: an answer that is nothing but errors. The last.
    Failed(Box<Answer>),
    /// Whoever asks may not ask any longer. The last.
    SignedOut,
}

/// Runs a call for whoever still may, when it is its turn. Queries keep their turn until they are answered or given up,
/// mutations until they have really ended. When no turns are given any longer, what waits for one says that whoever asks may
/// not.
pub(in crate::http) fn outputs(
    state: EdgeState,
    standing: Standing,
    call: Call,
    turns: Arc<Semaphore>,
) -> BoxStream<'static, Output> {
    let begun = async move {
        let Ok(turn) = turns.acquire_owned().await else {
            return only(Output::SignedOut);
        };
        let id = RequestId::new();
        let deadline = Instant::now() + state.settings.request_timeout;
        let standing = match timeout_at(deadline, standing.again(&state.auth)).await {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) if says_no(&error) => return only(Output::SignedOut),
            Ok(Err(error)) => return failing(error, &id),
            Err(_) => return failing(Error::timeout("reading the session"), &id),
        };
        match state.api.admit(call) {
            Ok(admitted) => {
                let turn = Some(turn);
                let run = Run { id, deadline, turn };
                run.of_admitted(&state, &standing, admitted, None)
            }
            Err(refused) => only(not_admitted(refused, &id)),
        }
    };
    stream::once(begun).flatten().boxed()
}

/// What there is to know of one run.
pub(in crate::http) struct Run {
    pub(in crate::http) id: RequestId,
    pub(in crate::http) deadline: Instant,
    /// Held while it runs.
    pub(in crate::http) turn: Option<OwnedSemaphorePermit>,
}

impl Run {
    /// Runs what was admitted already. `resumed_after`: as [`Api::subscribe`](crate::graphql::Api::subscribe) has it.
    pub(in crate::http) fn of_admitted(
        self,
        state: &EdgeState,
        standing: &Standing,
        admitted: Admitted,
        resumed_after: Option<String>,
    ) -> BoxStream<'static, Output> {
        let Run { id, deadline, turn } = self;
        if admitted.operation == Operation::Subscription {
            return events(state, standing, admitted, resumed_after, &id)
                .unwrap_or_else(|error| failing(error, &id));
        }
        let (state, asker) = (state.clone(), standing.asker());
        let run = async move {
            let answer = graphql::run(&state, admitted, asker, &id, deadline, turn).await;
            Output::Next {
                answer: Box::new(answer),
                cursor: None,
            }
        };
        stream::once(run).boxed()
    }
}

fn events(
    state: &EdgeState,
    standing: &Standing,
    admitted: Admitted,
    resumed_after: Option<String>,
    id: &RequestId,
) -> Result<BoxStream<'static, Output>, Error> {
    let place = state.streams.subscriptions().take().and_then(|mut place| {
        if let Some(holder) = standing.holder() {
            place.give_to(holder)?;
        }
        Ok(place)
    });
    let place = place.map_err(no_place)?;
    let (asker, limit) = (standing.asker(), state.settings.request_timeout);
    let events = state
        .api
        .subscribe(admitted, asker, limit, resumed_after, id.as_str());
    let said = events.map(move |event| {
        let _held = &place;
        let is_last = event.is_last();
        let answer = Box::new(event.answer);
        match is_last {
            true => Output::Failed(answer),
            false => Output::Next {
                answer,
                cursor: event.cursor,
            },
        }
    });
    Ok(stream::iter([Output::Listening]).chain(said).boxed())
}

fn no_place(full: Full) -> Error {
    match full {
        Full::All => Error::unavailable("all places of subscriptions are taken"),
        Full::Theirs => Error::new(
            Code::RateLimited,
            "You have as many subscriptions as one user may have at a time. End one of them first.",
        ),
    }
}

/// The gate's refusal, complete.
pub(in crate::http) fn not_admitted(mut answer: Box<Answer>, id: &RequestId) -> Output {
    error::finish(&mut answer, id.as_str());
    Output::Failed(answer)
}

fn failed(error: Error, id: &RequestId) -> Output {
    not_admitted(Box::new(error::refused(error)), id)
}

/// Nothing but an error.
pub(in crate::http) fn failing(error: Error, id: &RequestId) -> BoxStream<'static, Output> {
    only(failed(error, id))
}

/// One output, and it is complete.
pub(in crate::http) fn only(output: Output) -> BoxStream<'static, Output> {
    stream::iter([output]).boxed()
}

/// What is answered to whoever may not ask any longer, where no close code says so.
pub(in crate::http) fn signed_out() -> Output {
    let message = "The access token has expired, or the session has ended. Sign in again, or refresh the session.";
    failed(Error::unauthenticated(message), &RequestId::new())
}
