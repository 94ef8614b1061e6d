//! A subscription as a client has it over a line that breaks: over a WebSocket or as server-sent events.

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
/// With what is loaded for each event, and may fail by itself.
const CHANGES_WITH_ITEMS: &str = "subscription($after: String) { changes(after: $after) {
    cursor itemId changedAt item { version } } }";
/// How long it listens at a time.
const WHILE: Duration = Duration::from_millis(500);
/// How long a line may take to be there.
const OPENING: Duration = Duration::from_secs(20);

/// By which protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    Socket,
    Events,
}

/// What is heard over a line.
pub(super) enum Received {
    /// A change, and the cursor behind it.
    Change(Key, String),
    Nothing,
    /// It has broken off, or the service said to come again.
    Ended,
}

pub(super) enum ClientConnection {
    Socket(Box<Socket>),
    Events(Box<Events>),
}

impl ClientConnection {
    /// A subscription that begins at `start`, or goes on behind `last`. `None` if it did not come about: to be tried again.
    /// `slow`: whoever listens holds little, and asks for more.
    pub(super) async fn open(
        client: &Client,
        way: Transport,
        slow: bool,
        start: Option<&str>,
        last: Option<&str>,
    ) -> Option<ClientConnection> {
        let query = if slow { CHANGES_WITH_ITEMS } else { CHANGES };
        let opening = async {
            let tcp = connect(client, slow).await?;
            match way {
                Transport::Socket => {
                    let after = json!({ "after": last.or(start) });
                    let mut socket = socket_over(tcp, client).await?;
                    let payload = json!({ "query": query, "variables": after });
                    let subscribe = json!({ "type": "subscribe", "id": "s", "payload": payload });
                    socket.try_send(subscribe).await?;
                    Some(ClientConnection::Socket(Box::new(socket)))
                }
                Transport::Events => {
                    // The request stays what it was, as browsers send it.
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
        opened.unwrap_or_else(|_| panic!("a subscription takes too long: {way:?}"))
    }

    /// What comes next, or that nothing does for a while.
    pub(super) async fn next(&mut self) -> Received {
        match self {
            ClientConnection::Socket(socket) => match timeout(WHILE, socket.heard()).await {
                Err(_) => Received::Nothing,
                Ok(Heard::Gone) => Received::Ended,
                Ok(Heard::Closed(code, why)) => comes_again(code, &why),
                Ok(Heard::Message(message)) => match message["type"].as_str() {
                    Some("next") => told(&message["payload"]),
                    Some("error") => may_come_again(&message["payload"]),
                    _ => panic!("{message}"),
                },
            },
            ClientConnection::Events(events) => match timeout(WHILE, events.next()).await {
                Err(_) => Received::Nothing,
                Ok(None) => Received::Ended,
                Ok(Some((name, id, data))) => {
                    assert_eq!(name, "next", "it ends by itself: {data}");
                    let told = told(&data);
                    if let Received::Change(_, cursor) = &told {
                        assert_eq!(id.as_ref(), Some(cursor));
                    }
                    told
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
            comes_again(code, &why);
            None
        }
        Heard::Gone => None,
    }
}

/// An event of a subscription.
fn told(payload: &Value) -> Received {
    let change = &payload["data"]["changes"];
    if change.is_null() {
        return may_come_again(&payload["errors"]);
    }
    let text = |name: &str| change[name].as_str().unwrap();
    let at: DateTime<Utc> = text("changedAt").parse().unwrap();
    let key = (text("itemId").parse().unwrap(), at.timestamp_micros());
    Received::Change(key, text("cursor").to_owned())
}

/// The service stops, the database is away, or who it is was said too late; a close for any other reason is wrong.
fn comes_again(code: u16, why: &str) -> Received {
    assert!([1001, 1013, 4408].contains(&code), "closed: {code} {why}");
    Received::Ended
}

/// What cannot go on must be so for the sake of the database alone.
fn may_come_again(errors: &Value) -> Received {
    let code = &errors[0]["extensions"]["code"];
    assert!(is_passing(code), "{errors}");
    Received::Ended
}

/// Whether an error is one to try again after.
pub(super) fn is_passing(code: &Value) -> bool {
    code == "UNAVAILABLE" || code == "TIMEOUT"
}
