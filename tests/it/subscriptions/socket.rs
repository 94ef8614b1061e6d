//! A WebSocket as a client holds it, and a stream of server-sent events.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::support::{Client, soon};

pub(crate) const CHANGES: &str = "subscription($after: String) { changes(after: $after) {
    cursor action itemType itemId item { id version ... on Course { name } } } }";

/// An open socket.
pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<TcpStream>,
}

/// What the service sends over a socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Message(Value),
    Closed(u16, String),
    /// The connection has broken off.
    Gone,
}

impl Heard {
    pub(crate) fn message(self) -> Value {
        match self {
            Heard::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Heard::Closed(code, _) => *code,
            other => panic!("{other:?}"),
        }
    }
}

impl Socket {
    /// Opened with the subprotocol only.
    pub(crate) async fn open(client: &Client) -> Socket {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
        Socket::with(client, &headers).await.unwrap()
    }

    /// With these headers; the status if it is not opened.
    pub(crate) async fn with(
        client: &Client,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, u16> {
        let url = format!("ws://{}/graphql", client.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let tcp = TcpStream::connect(client.address).await.unwrap();
        match client_async(request, tcp).await {
            Ok((stream, _)) => Ok(Socket { stream }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // The socket is open, but the client rejects the response.
            Err(error) => panic!("{error}"),
        }
    }

    /// Opened, and initialised with the client's token.
    pub(crate) async fn of(client: &Client) -> Socket {
        let mut socket = Socket::open(client).await;
        socket.send(init(client)).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        socket
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    /// `None` if the connection has broken.
    pub(crate) async fn try_send(&mut self, message: Value) -> Option<()> {
        let message = Message::text(message.to_string());
        self.stream.send(message).await.ok()
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        let message = json!({ "type": "subscribe", "id": id, "payload": payload });
        self.send(message).await;
    }

    /// What the service sends next.
    pub(crate) async fn next(&mut self) -> Heard {
        soon("a message", self.heard()).await
    }

    pub(crate) async fn message(&mut self) -> Value {
        self.next().await.message()
    }

    /// The next event of a subscription to changes.
    pub(crate) async fn change(&mut self) -> Value {
        let mut message = self.message().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        message["payload"]["data"]["changes"].take()
    }

    /// That nothing else was sent: the next message is the response to a ping.
    pub(crate) async fn sends_nothing_else(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.message().await, json!({ "type": "pong" }));
    }

    /// Sends a token in band.
    pub(crate) async fn send_token(&mut self, token: &str) {
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        self.send(json!({ "type": "ping", "payload": payload }))
            .await;
    }

    pub(crate) async fn complete(&mut self, id: &str) {
        self.send(json!({ "type": "complete", "id": id })).await;
    }

    /// As [`Socket::next`], without a limit.
    pub(crate) async fn heard(&mut self) -> Heard {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    Heard::Message(serde_json::from_str(&text).unwrap())
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    Heard::Closed(frame.code.into(), frame.reason.to_string())
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => Heard::Gone,
            };
        }
    }
}

/// The message that initialises a connection with the client's token.
pub(crate) fn init(client: &Client) -> Value {
    let mut message = json!({ "type": "connection_init" });
    if let Some(token) = &client.token {
        message["payload"] = json!({ "Authorization": format!("Bearer {token}") });
    }
    message
}

/// A response of server-sent events.
pub(crate) struct Events {
    stream: TcpStream,
    pub(crate) head: String,
    text: String,
    pub(crate) comments: usize,
}

/// An event: its name, its id and its data.
pub(crate) type Event = (String, Option<String>, Value);

impl Events {
    /// Sends an operation.
    pub(crate) async fn open(
        client: &Client,
        query: &str,
        variables: Value,
        headers: &[(&str, &str)],
    ) -> Events {
        let stream = TcpStream::connect(client.address).await.unwrap();
        let events = Events::over(stream, client, query, variables, headers).await;
        events.expect("it broke off")
    }

    /// Sends an operation over this connection. `None` if it breaks before the response begins.
    pub(crate) async fn over(
        mut stream: TcpStream,
        client: &Client,
        query: &str,
        variables: Value,
        headers: &[(&str, &str)],
    ) -> Option<Events> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            client.address,
            body.len()
        );
        if let Some(token) = &client.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "accept") {
            head.push_str("accept: text/event-stream\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let request = format!("{head}\r\n{body}");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut events = Events {
            stream,
            head: String::new(),
            text: String::new(),
            comments: 0,
        };
        while !events.text.contains("\r\n\r\n") {
            if !events.read().await {
                return None;
            }
        }
        let (head, rest) = events.text.split_once("\r\n\r\n")?;
        (events.head, events.text) = (head.to_lowercase(), rest.to_owned());
        Some(events)
    }

    async fn read(&mut self) -> bool {
        let mut bytes = vec![0; 65536];
        let read = soon("an event", self.stream.read(&mut bytes)).await;
        let read = read.unwrap_or(0);
        self.text
            .push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        read > 0
    }

    /// The next chunk, which is an event or a comment; `None` at the end.
    async fn chunk(&mut self) -> Option<String> {
        loop {
            if let Some((length, rest)) = self.text.split_once("\r\n")
                && let Ok(length) = usize::from_str_radix(length, 16)
                && rest.len() >= length + 2
            {
                let (chunk, rest) = (rest[..length].to_owned(), rest[length + 2..].to_owned());
                self.text = rest;
                return (length > 0).then_some(chunk);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next event. `None` when the response has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let chunk = self.chunk().await?;
            if chunk == ":\n\n" {
                self.comments += 1;
                continue;
            }
            let field = |name: &str| {
                let mut lines = chunk.lines();
                lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
            };
            assert!(chunk.ends_with("\n\n"), "{chunk:?}");
            let data = field("data: ").unwrap();
            let data = match data.as_str() {
                "" => Value::Null,
                data => serde_json::from_str(data).unwrap(),
            };
            return Some((field("event: ").unwrap(), field("id: "), data));
        }
    }

    /// The data of the next event.
    pub(crate) async fn data(&mut self) -> Value {
        self.next().await.expect("an event").2
    }

    /// The next event has this error and no data. Returns the error.
    pub(crate) async fn fails(&mut self, code: &str) -> Value {
        let data = self.data().await;
        assert!(data.get("data").is_none(), "{data}");
        assert_eq!(data["errors"][0]["extensions"]["code"], code, "{data}");
        data["errors"][0].clone()
    }

    /// The next event says that no others follow.
    pub(crate) async fn completes(&mut self) {
        let complete = ("complete".to_owned(), None, Value::Null);
        assert_eq!(self.next().await, Some(complete));
    }

    /// How many bytes have arrived and are not read.
    pub(crate) async fn unread(&self) -> usize {
        let mut bytes = vec![0; 16 << 20];
        soon("the first bytes", self.stream.peek(&mut bytes))
            .await
            .unwrap()
    }

    /// Whether the response is complete; false if the connection breaks.
    pub(crate) async fn ends(mut self) -> bool {
        while self.read().await {
            let keep = self.text.len().saturating_sub(5);
            self.text.drain(..keep);
        }
        self.text == "0\r\n\r\n"
    }

    /// Reads a comment.
    pub(crate) async fn heartbeat(&mut self) {
        let chunk = self.chunk().await;
        assert_eq!(chunk.as_deref(), Some(":\n\n"));
    }
}
