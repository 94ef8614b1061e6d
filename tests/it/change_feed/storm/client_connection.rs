//! A client's subscription over connections that break: over a WebSocket or as server-sent events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, client::IntoClientRequest},
};

use super::super::checker::Key;
use crate::{
    subscriptions::socket::{Events, Heard, Socket, init},
    support::Client,
};

const CHANGES: &str =
    "subscription($after: String) { changes(after: $after) { cursor itemId changedAt } }";
/// With fields that are loaded for each event, which may fail on their own.
const CHANGES_WITH_ITEMS: &str = "subscription($after: String) { changes(after: $after) {
    cursor itemId changedAt item { version } } }";
/// How long it waits for one event.
const WHILE: Duration = Duration::from_millis(500);
/// How long a connection may take to open.
const OPENING: Duration = Duration::from_secs(20);

/// The protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    Socket,
    Events,
}

/// What a connection receives.
pub(super) enum Received {
    /// A change and its cursor, and whether its event was whole: it had no errors and, if selected, the item, which nobody deletes.
    Change(Key, String, bool),
    Nothing,
    /// The connection broke, or the service said to reconnect.
    Ended,
}

pub(super) enum ClientConnection {
    Socket(Box<Socket>),
    Events(Box<Events>),
}

impl ClientConnection {
    /// A subscription from `start`, or after `last`. `None` if it failed and must be repeated.
    /// `slow`: with a small receive buffer.
    pub(super) async fn open(
        client: &Client,
        transport: Transport,
        slow: bool,
        start: Option<&str>,
        last: Option<&str>,
    ) -> Option<ClientConnection> {
        let query = if slow { CHANGES_WITH_ITEMS } else { CHANGES };
        let opening = async {
            let tcp = connect(client, slow).await?;
            match transport {
                Transport::Socket => {
                    let after = json!({ "after": last.or(start) });
                    let mut socket = socket_over(tcp, client).await?;
                    let payload = json!({ "query": query, "variables": after });
                    let subscribe = json!({ "type": "subscribe", "id": "s", "payload": payload });
                    socket.try_send(subscribe).await?;
                    Some(ClientConnection::Socket(Box::new(socket)))
                }
                Transport::Events => {
                    // Browsers repeat the same request.
                    let after = json!({ "after": start });
                    let last = last.map(|last| ("last-event-id", last));
                    let events = Events::over(tcp, client, query, after, last.as_slice()).await?;
                    let status = events.head.split(' ').nth(1).unwrap();
                    assert!(["200", "503", "504"].contains(&status), "{}", events.head);
                    (status == "200").then(|| ClientConnection::Events(Box::new(events)))
                }
            }
        };
        let opened = timeout(OPENING, opening).await;
        opened.unwrap_or_else(|_| panic!("a subscription takes too long: {transport:?}"))
    }

    /// The next event, or `None` if there is none for a while.
    pub(super) async fn next(&mut self) -> Received {
        match self {
            ClientConnection::Socket(socket) => match timeout(WHILE, socket.heard()).await {
                Err(_) => Received::Nothing,
                Ok(Heard::Gone) => Received::Ended,
                Ok(Heard::Closed(code, why)) => closed(code, &why),
                Ok(Heard::Message(message)) => match message["type"].as_str() {
                    Some("next") => received(&message["payload"]),
                    Some("error") => failed(&message["payload"]),
                    _ => panic!("{message}"),
                },
            },
            ClientConnection::Events(events) => match timeout(WHILE, events.next()).await {
                Err(_) => Received::Nothing,
                Ok(None) => Received::Ended,
                Ok(Some((name, id, data))) => {
                    assert_eq!(name, "next", "it ends by itself: {data}");
                    let received = received(&data);
                    if let Received::Change(_, cursor, _) = &received {
                        assert_eq!(id.as_ref(), Some(cursor));
                    }
                    received
                }
            },
        }
    }
}

async fn connect(client: &Client, narrow: bool) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    if narrow {
        socket.set_recv_buffer_size(4096).unwrap();
    }
    socket.connect(client.address).await.ok()
}

async fn socket_over(tcp: TcpStream, client: &Client) -> Option<Socket> {
    let url = format!("ws://{}/graphql", client.address);
    let mut request = url.into_client_request().unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let stream = match client_async(request, tcp).await {
        Ok((stream, _)) => stream,
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            return None;
        }
        Err(_) => return None,
    };
    let mut socket = Socket { stream };
    socket.try_send(init(client)).await?;
    match socket.heard().await {
        Heard::Message(message) => {
            assert_eq!(message["type"], "connection_ack", "{message}");
            Some(socket)
        }
        Heard::Closed(code, why) => {
            closed(code, &why);
            None
        }
        Heard::Gone => None,
    }
}

/// Parses an event of a subscription.
fn received(payload: &Value) -> Received {
    let change = &payload["data"]["changes"];
    if change.is_null() {
        return failed(&payload["errors"]);
    }
    let text = |name: &str| change[name].as_str().unwrap();
    let at: DateTime<Utc> = text("changedAt").parse().unwrap();
    let key = (text("itemId").parse().unwrap(), at.timestamp_micros());
    let item = change.get("item");
    let is_whole = payload.get("errors").is_none() && item.is_none_or(Value::is_object);
    Received::Change(key, text("cursor").to_owned(), is_whole)
}

/// Codes for a stop, an unavailable database, and a late `connection_init`. All others are wrong.
fn closed(code: u16, why: &str) -> Received {
    assert!([1001, 1013, 4408].contains(&code), "closed: {code} {why}");
    Received::Ended
}

/// Only an unavailable database may end a subscription.
fn failed(errors: &Value) -> Received {
    let code = &errors[0]["extensions"]["code"];
    assert!(is_passing(code), "{errors}");
    Received::Ended
}

/// Whether the request can be repeated after this error.
pub(super) fn is_passing(code: &Value) -> bool {
    code == "UNAVAILABLE" || code == "TIMEOUT"
}
