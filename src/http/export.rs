//! `GET /export`: all data of the caller as a zip file. Needs a bearer token of this service or of an external identity provider.
//!
//! A process runs few exports at the same time, and one per user, because each uses a connection of the pool. A rate limit applies as well
//! (`SNAPNOTE_LIMIT_EXPORT`). The response has no length, because it is made while it is sent.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Extension, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use futures_util::stream;
use tokio::sync::mpsc;

use super::{
    EdgeState,
    bearer::Bearer,
    graphql::{client, not_allowed},
    negotiate::MediaType,
    request_id::RequestId,
    response::{challenge, rejected},
    slots::{LimitReached, Slot, Slots},
};
use crate::{
    auth::{UserId, Viewer},
    db::share::Holder,
    error::{Code, Error},
    export::{self, Reader},
};

/// Exports at the same time, in a process and per user.
const MAX: usize = 4;
const MAX_PER_USER: usize = 1;
/// Pieces that wait to be sent.
const QUEUE: usize = 2;
/// When a client may try again if other exports run.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The slots of exports.
pub(super) fn slots() -> Slots {
    Slots::new(MAX, MAX_PER_USER)
}

/// Handles `/export`.
pub(super) async fn handle(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if parts.method != Method::GET {
        return not_allowed("GET", "Request an export with GET.");
    }
    let client = client(&state, address, &parts);
    let mut has_token = true;
    let begun = async {
        let bearer = Bearer::in_headers(&parts.headers).token()?;
        has_token = bearer.is_some();
        let token = bearer.ok_or_else(|| Error::unauthenticated("Sign in to export your data."))?;
        let viewer = state.auth.authenticate(&token, &client).await?.viewer;
        let slot = slot(&state.exports, &viewer)?;
        state.auth.count_export(&viewer).await?;
        Ok::<_, Error>((viewer, slot))
    };
    match begun.await {
        Ok((viewer, slot)) => {
            let reader = Reader {
                user: Some(viewer.user_id),
                client,
            };
            send(&state, viewer.user_id, reader, slot, &request_id)
        }
        Err(error) => rejection(error, has_token, &request_id),
    }
}

fn slot(slots: &Slots, viewer: &Viewer) -> Result<Slot, Error> {
    let slot = slots.acquire().and_then(|mut slot| {
        slot.assign_to(Holder::User(viewer.user_id.0))?;
        Ok(slot)
    });
    slot.map_err(|limit| match limit {
        LimitReached::Total => Error {
            retry_after: Some(RETRY_AFTER),
            ..Error::unavailable("the maximum number of exports is in progress")
        },
        LimitReached::PerHolder => Error {
            retry_after: Some(RETRY_AFTER),
            ..Error::new(
                Code::RateLimited,
                "An export of your data is in progress. Wait until it has ended.",
            )
        },
    })
}

/// Starts the export. It ends if the client disconnects.
fn send(
    state: &EdgeState,
    user: UserId,
    reader: Reader,
    slot: Slot,
    request_id: &RequestId,
) -> Response {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (database, copies) = (state.database.clone(), state.images.copies());
    let request_id = request_id.clone();
    tokio::spawn(async move {
        let _slot = slot;
        let request_id = request_id.as_str();
        match export::export(&database, &copies, user, &reader, sender).await {
            Ok(done) => tracing::info!(
                request_id,
                items = done.items,
                images = done.images,
                "export finished"
            ),
            Err(error) => tracing::warn!(request_id, error = error.log_text(), "export failed"),
        }
    });
    let pieces = stream::unfold(receiver, async |mut receiver| {
        let piece: export::Piece = receiver.recv().await?;
        // hyper closes the connection without the end of the body, so that the client notices.
        Some((piece.map_err(|error| error.message.into_owned()), receiver))
    });
    (headers(), Body::from_stream(pieces)).into_response()
}

fn headers() -> [(HeaderName, HeaderValue); 3] {
    let name = format!(
        "attachment; filename=\"snapnote-export-{}.zip\"",
        Utc::now().format("%Y%m%d")
    );
    [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/zip"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ]
}

/// `has_token`: whether the request has credentials. A challenge says what is wrong with them.
fn rejection(error: Error, has_token: bool, request_id: &RequestId) -> Response {
    let status = match error.code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        let (request_id, error) = (request_id.as_str(), error.log_text());
        tracing::warn!(request_id, error, "export rejected");
    }
    let challenged = error.code == Code::Unauthenticated;
    let challenged = challenged.then(|| challenge(Some(&error).filter(|_| has_token)));
    let mut response = rejected(status, MediaType::Json, error);
    response.headers_mut().extend(challenged);
    response
}
