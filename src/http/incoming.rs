//! A GraphQL request that is being processed: its authentication, admission, execution and response.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::Response as GraphQlResponse;
use axum::{
    body::Body,
    http::{Method, request::Parts},
    response::Response,
};
use futures_util::FutureExt;
use tokio::{sync::watch, time::Instant};
use tracing::Instrument;

use super::{
    EdgeState,
    bearer::Bearer,
    call,
    cost_limit::Taken,
    graphql::{client, run, run_plan},
    http2_streams::{OperationPermit, Operations},
    negotiate::MediaType,
    record::Record,
    rejection::Rejection,
    request_id::RequestId,
    response::{self, Reply},
    sse,
    streams::live_auth::LiveAuth,
};
use crate::{
    db::share::Holder,
    error::Error,
    graphql::{Admitted, Call, NotAdmitted, Operation},
};

/// A request that is being processed.
pub(super) struct Incoming<'a> {
    pub(super) state: &'a EdgeState,
    pub(super) id: &'a RequestId,
    pub(super) record: &'a Arc<Record>,
    pub(super) deadline: Instant,
    pub(super) parts: &'a Parts,
}

/// The outcome of a request that was run.
pub(super) enum Outcome {
    Reply(Reply),
    /// The JSON of a response without errors.
    Json(Vec<u8>),
    Stream(Response),
}

/// Rejects a request whose caller has too few cost points.
fn refuse(taken: &mut Option<Taken>) -> Result<(), Rejection> {
    let refusal = taken.as_mut().and_then(|taken| taken.refusal.take());
    refusal.map_or(Ok(()), |error| Err(Rejection::Failed(error)))
}

impl Incoming<'_> {
    /// Runs the request, whose statements count as those of its record.
    pub(super) async fn run(
        &self,
        processing: impl Future<Output = Result<Outcome, Rejection>>,
    ) -> Result<Outcome, Rejection> {
        // Panics of resolvers are caught where these run; this catches all others.
        let outcome = AssertUnwindSafe(self.record.run(processing)).catch_unwind();
        let panicked = |_| Err(Rejection::Failed(Error::internal("the handler panicked")));
        outcome.await.unwrap_or_else(panicked)
    }

    /// Writes the response.
    pub(super) fn finish(
        &self,
        media_type: MediaType,
        outcome: Result<Outcome, Rejection>,
        taken: Option<Taken>,
    ) -> Response {
        let mut response = match outcome {
            Ok(Outcome::Stream(response)) => response,
            Ok(Outcome::Reply(reply)) => reply.of(self.record).write(media_type),
            Ok(Outcome::Json(json)) => response::ok(media_type, json),
            Err(rejection) => {
                let reply = rejection.into_reply(media_type, self.id);
                reply.of(self.record).write(media_type)
            }
        };
        if let Some(taken) = taken {
            taken.write(response.headers_mut());
        }
        self.record.respond(&response);
        response
    }

    pub(super) async fn read(&self, body: &mut Body) -> Result<Call, Rejection> {
        let settings = &self.state.settings;
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        let timeout = settings.body_timeout.min(remaining);
        Ok(call::read(self.parts, body, settings.max_body, timeout).await?)
    }

    /// Passes a call through the gate, and takes its cost from its caller's points. If it is parsed and then rejected, that takes points, too.
    pub(super) fn admit(
        &self,
        holder: Option<Holder>,
        call: Call,
        taken: &mut Option<Taken>,
    ) -> Result<Admitted, Rejection> {
        let limits = &self.state.cost_limits;
        *taken = limits.check(holder.as_ref());
        refuse(taken)?;
        let admitted = match self.state.api.admit(call) {
            Ok(admitted) => admitted,
            Err(NotAdmitted {
                response,
                document_bytes,
            }) => {
                *taken = limits.charge(holder, document_bytes);
                return Err(Rejection::NotAdmitted(response));
            }
        };
        self.record.name(&admitted);
        if self.parts.method == Method::GET && admitted.operation == Operation::Mutation {
            *taken = limits.charge(holder, admitted.document_bytes);
            return Err(Rejection::MutationByGet);
        }
        *taken = limits.take_cost(holder, &admitted);
        refuse(taken)?;
        Ok(admitted)
    }

    /// The event stream of a request that the gate rejected.
    pub(super) fn not_admitted(&self, response: Box<GraphQlResponse>) -> Response {
        self.record.streams_events();
        sse::not_admitted(self.state, self.parts, response, self.id, self.record)
    }

    /// The event stream of an admitted request.
    pub(super) fn stream(
        &self,
        live_auth: LiveAuth,
        revocations: watch::Receiver<()>,
        admitted: Admitted,
        permit: OperationPermit,
    ) -> Result<Response, Error> {
        self.record.streams_events();
        let events = sse::EventStreamRequest::new(
            self.parts,
            live_auth,
            revocations,
            self.id,
            self.record,
            self.deadline,
        );
        events.respond(self.state, admitted, permit)
    }

    /// Executes a query or a mutation.
    pub(super) async fn execute(
        &self,
        live_auth: &LiveAuth,
        admitted: Admitted,
        permit: OperationPermit,
    ) -> Outcome {
        let (state, deadline, caller) = (self.state, self.deadline, live_auth.caller());
        let span = self.record.execute(&admitted);
        let planned = run_plan(state, &admitted, &caller, deadline).instrument(span.clone());
        if let Some(json) = planned.await {
            return Outcome::Json(json);
        }
        // On the heap: the server moves the future of each request several times, and most have a plan.
        let run = run(state, admitted, caller, self.id, deadline, permit);
        let executed = Box::pin(run).instrument(span).await;
        Outcome::Reply(Reply::executed(executed, live_auth.rejection()))
    }
}

/// Permits a request, unless too many are in progress.
pub(super) fn permit(state: &EdgeState, parts: &Parts) -> Result<OperationPermit, Error> {
    state.requests.check(None)?;
    Operations::permit(parts)
}

/// Identifies the client, unless it has too many requests in progress.
pub(super) async fn authenticate(
    request: &Incoming<'_>,
    address: SocketAddr,
) -> Result<LiveAuth, Rejection> {
    let Incoming {
        state,
        record,
        deadline,
        parts,
        ..
    } = *request;
    let client = client(state, address, parts);
    let bearer = Bearer::in_headers(&parts.headers);
    let live_auth = LiveAuth::of_request(&state.auth, bearer, client, deadline).await;
    record.identify(&live_auth);
    if live_auth.viewer().is_some() {
        // Its session was looked up, even if the request needs nothing else.
        state.database.activity().note_use();
    }
    let checked = state.requests.check(live_auth.holder().as_ref());
    checked.map_err(Rejection::Failed)?;
    Ok(live_auth)
}
