//! GraphQL over WebSocket at `/graphql`: the subprotocol `graphql-transport-ws`.
//!
//! async-graphql's own implementation is not used. It waits forever for `connection_init`, and closes with 1002 and 1011. It replaces a running
//! operation by another with the same id, and sends a rejected request as `next`.
//!
//! - `machine`: the protocol as a state machine without side effects, tested as a table. `messages`: the messages.
//! - `socket`: the loop that feeds the machine and performs its actions. `operations`: the running operations.
//! - `transport`: reads and writes a WebSocket.
//!
//! Clients authenticate with the payload of `connection_init`, `{"Authorization": "Bearer …"}`. Without it, an
//! `Authorization` header of the handshake counts; without both, or if both are blank, the client is anonymous. An invalid token closes the
//! socket with 4403. So does a token that expires, and a session that ends: graphql-ws reconnects after 4403 and asks
//! its application for the token again. It never reconnects after 4401, which is for operations before
//! `connection_ack`.
//!
//! A `ping` with such a payload replaces the token by another one of the same user, and gets a `pong` without payload. The protocol has no
//! message for this, but it allows payloads of pings, and forbids a second `connection_init`.

mod machine;
mod messages;
mod operations;
mod socket;
#[cfg(test)]
mod tests;
mod transport;

use std::{net::SocketAddr, time::Duration};

use super::{
    EdgeState,
    bearer::Bearer,
    client_connection::ClientConnection,
    fields,
    graphql::client,
    negotiate::MediaType,
    response::{bad_request, rejected},
};
use crate::error::{Code, Error};
use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use messages::Close;
use socket::{Handshake, Socket};
use transport::Transport;

const WEBSOCKET: &str = "websocket";
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Size of the read buffer in bytes. Small, because most sockets are idle.
const READ_BUFFER: usize = 2048;

/// Maximum bytes of a message beyond its payload: its type, its id and the names of its fields.
const ENVELOPE: usize = 4096;

/// When to retry a handshake that was rejected with 503.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether the request asks for an upgrade to WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    fields::has_token(headers, header::UPGRADE, WEBSOCKET)
}

/// axum reads only the first field of a name, and compares the whole of it. Both of these fields are lists.
fn reduce_lists(headers: &mut HeaderMap) {
    for (name, token) in [
        (header::UPGRADE, WEBSOCKET),
        (header::CONNECTION, "upgrade"),
    ] {
        if fields::has_token(headers, &name, token) {
            headers.insert(name, HeaderValue::from_static(token));
        }
    }
}

/// Responds to the handshake and runs the socket in a task of its own.
pub(super) async fn upgrade(state: &EdgeState, address: SocketAddr, mut parts: Parts) -> Response {
    // Browsers send no preflight request before a handshake.
    if !state.origins.may_call(&parts) {
        let message = "Pages of this origin may not call the service. Its operator can allow them with SNAPNOTE_CORS_ORIGINS.";
        return bad_request(StatusCode::FORBIDDEN, MediaType::Json, message);
    }
    let connection = ClientConnection::of(&parts);
    reduce_lists(&mut parts.headers);
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, state).await {
        Ok(upgrade) => upgrade,
        Err(rejected) => return rejected.into_response(),
    };
    if state.streams.stopping.is_cancelled() {
        return unavailable("The service is stopping. Retry in a few seconds.");
    }
    let Ok(slot) = state.streams.sockets.acquire() else {
        return unavailable("The maximum number of WebSockets is open. Retry later.");
    };
    let handshake = Handshake {
        client: client(state, address, &parts),
        bearer: Bearer::in_headers(&parts.headers),
    };
    let upgrade = with_limits(upgrade, state.settings.max_body + ENVELOPE);
    let is_supported = upgrade.selected_protocol().is_some();
    connection.spell_handshake();
    let (state, tracked) = (state.clone(), state.streams.tasks.token());
    upgrade.on_upgrade(async move |socket| {
        let (transport, _tracked) = (Transport::new(socket, connection), tracked);
        if is_supported {
            Socket::new(state, transport, handshake, slot).run().await;
        } else {
            transport.close(Close::BAD_SUBPROTOCOL).await;
        }
    })
}

/// The handshake for the subprotocol, with messages of this maximum size.
fn with_limits(upgrade: WebSocketUpgrade, max_size: usize) -> WebSocketUpgrade {
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_frame_size(max_size)
        .max_message_size(max_size)
}

fn unavailable(message: &'static str) -> Response {
    let error = Error {
        retry_after: Some(RETRY_AFTER),
        ..Error::new(Code::Unavailable, message)
    };
    rejected(StatusCode::SERVICE_UNAVAILABLE, MediaType::Json, error)
}
