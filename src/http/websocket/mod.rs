//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`, to the letter, at `/graphql`.
//!
//! The library's own layer is not used: it waits for ever for `connection_init`, closes with 1002 and 1011, replaces an
//! operation by another of the same id, and sends a refused request as `next`.
//!
//! - `machine`: the protocol as a state machine. `messages`: what is said. `socket`: one socket's life. `wire`: reading and
//!   writing at one time.
//!
//! Who somebody is comes with `connection_init`, `{"Authorization": "Bearer …"}`: a bad token is 4403, none a visitor; where
//! the payload names none, an `Authorization` of the handshake counts. A `ping` with such a payload puts a new token of the
//! same person in the old one's place, and is answered by a `pong` without one. When a token expires, or what it stands
//! for is revoked, the socket is closed with 4401.

mod machine;
mod messages;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::net::SocketAddr;

use super::{
    EdgeState, forwarded,
    graphql::{refusal, user_agent},
    line::Line,
    negotiate::MediaType,
};
use crate::auth::Client;
use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use messages::{Bearer, Close};
use socket::{Introduction, Socket};
use wire::Wire;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Bytes that are read at a time: few, since most sockets are idle.
const READ_BUFFER: usize = 2048;

/// Bytes of a message beside those of a body: its type, its id, and the names of its fields.
const ENVELOPE: usize = 4096;

/// Whether the request asks for a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let upgrades = headers.get_all(header::UPGRADE).iter();
    upgrades
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Answers the handshake, and holds the socket from then on.
pub(super) async fn upgrade(state: &EdgeState, address: SocketAddr, mut parts: Parts) -> Response {
    let settings = &state.settings;
    if !may_call(&parts.headers, &settings.cors_origins) {
        let message = "Pages of this origin may not call.";
        return refusal(StatusCode::FORBIDDEN, MediaType::Json, message);
    }
    let line = Line::of(&parts);
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, state).await {
        Ok(upgrade) => upgrade,
        Err(rejected) => return rejected.into_response(),
    };
    if state.streams.stopping().is_cancelled() {
        return not_now("The service stops. Try again in a moment.");
    }
    let Ok(place) = state.streams.sockets().take() else {
        return not_now("There are as many WebSockets as there may be. Try again later.");
    };
    let ip_address = forwarded::address(address.ip(), &parts.headers, &settings.trusted_proxies);
    let introduction = Introduction {
        client: Client::new(Some(ip_address), user_agent(&parts.headers)),
        bearer: bearer(&parts.headers),
    };
    let longest = settings.max_body + ENVELOPE;
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_frame_size(longest)
        .max_message_size(longest);
    let acceptable = upgrade.selected_protocol().is_some();
    let (state, tracked) = (state.clone(), state.streams.tasks().token());
    upgrade.on_upgrade(async move |socket| {
        let (wire, _tracked) = (Wire::new(socket, line), tracked);
        if acceptable {
            Socket::new(state, wire, introduction, place).run().await;
        } else {
            wire.close(Close::subprotocol_not_acceptable()).await;
        }
    })
}

fn not_now(message: &'static str) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = refusal(status, MediaType::Json, message);
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

/// What the handshake's own `Authorization` says: browsers cannot send one, programs do.
fn bearer(headers: &HeaderMap) -> Bearer {
    match headers.get(header::AUTHORIZATION) {
        None => Bearer::Absent,
        Some(value) => Bearer::of_value(value.to_str().unwrap_or_default()),
    }
}

/// Whether a page of that origin may open a socket: browsers ask nobody before they do. Programs name no origin; pages of
/// this service's own may.
fn may_call(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| {
        let of_page = origin.split_once("://").map(|(_, authority)| authority);
        of_page.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    let is_allowed = |one: &String| matches!(one.trim(), "*") || one.trim() == origin;
    is_own || allowed.iter().any(is_allowed)
}
