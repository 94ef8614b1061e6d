//! HTTP/2 with prior knowledge, as proxies use it: requests, limits, clients that do not read or respond, and stops.

mod limits;

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{Request, StatusCode},
};
use h2::{
    Reason,
    client::{Builder, Connection, ResponseFuture, SendRequest},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::connections::{RENAME, patient, stopping};
use crate::{
    subscriptions::socket::CHANGES,
    support::{Client, TestApp, sent, soon},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An open connection. Its task ends with it.
struct Http2 {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    async fn open(app: &TestApp) -> Http2 {
        Http2::with(app, &Builder::new()).await
    }

    async fn with(app: &TestApp, builder: &Builder) -> Http2 {
        let stream = TcpStream::connect(app.address).await.unwrap();
        let (requests, connection): (_, Connection<_>) = builder.handshake(stream).await.unwrap();
        let ended = tokio::spawn(connection);
        Http2 { requests, ended }
    }

    /// Sends a request.
    async fn send(&self, request: Request<()>, body: &[u8]) -> ResponseFuture {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut stream) = requests.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            stream
                .send_data(Bytes::copy_from_slice(body), true)
                .unwrap();
        }
        response
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(format!("http://x{path}"));
        let response = self.send(request.body(()).unwrap(), b"").await;
        received(response).await.unwrap()
    }

    /// Sends a GraphQL request.
    async fn post(&self, client: &Client, query: &str, accept: &str) -> ResponseFuture {
        let body = json!({ "query": query }).to_string();
        let mut request = Request::post("http://x/graphql")
            .header("content-type", "application/json")
            .header("accept", accept);
        if let Some(token) = &client.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(()).unwrap(), body.as_bytes()).await
    }
}

async fn received(response: ResponseFuture) -> Result<(StatusCode, String), h2::Error> {
    let (head, mut body) = soon("a response", response).await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(part) = soon("the body", body.data()).await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        bytes.extend(part);
    }
    Ok((head.status, String::from_utf8(bytes).unwrap()))
}

/// A frame, byte by byte.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of a request without a body.
fn get(stream: u32, path: &str) -> Vec<u8> {
    // GET, http, and the path and authority as literals (RFC 7541).
    let length = u8::try_from(path.len()).unwrap();
    let fields = [&[0x82, 0x86, 0x04, length], path.as_bytes(), b"\x01\x01x"].concat();
    frame(1, 0x5, stream, &fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_share_a_connection() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let connection = Http2::open(&app).await;
    let asked = (0..50).map(async |_| {
        let response = connection
            .post(&ada, "{ me { name } }", "application/json")
            .await;
        received(response).await.unwrap()
    });
    for (status, body) in futures_util::future::join_all(asked).await {
        assert_eq!(
            (status.as_u16(), body.as_str()),
            (200, r#"{"data":{"me":{"name":"ada"}}}"#)
        );
    }
    let (status, schema) = connection.get("/schema.graphql").await;
    assert_eq!(status.as_u16(), 200);
    assert!(schema == app.anonymous().get("/schema.graphql").await.body);
    assert_eq!(connection.get("/nowhere").await.0.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_streamed() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let connection = Http2::open(&app).await;
    // A subscription without a cursor may begin after the course was created.
    let after = ada.changes_cursor().await;
    let changes = format!("subscription {{ changes(after: {after}) {{ itemId }} }}");
    let response = connection.post(&ada, &changes, "text/event-stream").await;
    let mut body = soon("a response", response).await.unwrap().into_body();
    let start = soon("the start", body.data()).await.unwrap().unwrap();
    assert_eq!(&start[..], b":\n\n");
    let id = ada.create_course("c").await;
    // A comment may come first, on a slow machine.
    let mut events = String::new();
    while !events.contains(&id) {
        let part = soon("an event", body.data()).await.unwrap().unwrap();
        events.push_str(&String::from_utf8_lossy(&part));
    }
    assert!(events.contains("event: next"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preface_can_arrive_in_parts() {
    let app = TestApp::start().await;
    let mut stream = sent(app.address, &PREFACE[..1]).await;
    stream.write_all(&PREFACE[1..17]).await.unwrap();
    let rest = [&PREFACE[17..], &frame(4, 0, 0, b""), &get(1, "/healthz")].concat();
    stream.write_all(&rest).await.unwrap();
    let mut read = Vec::new();
    while !read.windows(4).any(|part| part == b"\"ok\"") {
        let length = soon("a response", stream.read_buf(&mut read))
            .await
            .unwrap();
        assert!(length > 0, "{:?}", String::from_utf8_lossy(&read));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_streams_are_limited() {
    let app = TestApp::start().await;
    let connection = Http2::open(&app).await;
    let large = Request::get("http://x/healthz").header("x-large", "x".repeat(20_000));
    let response = connection.send(large.body(()).unwrap(), b"").await;
    let refused = received(response).await.map(|(status, _)| status.as_u16());
    assert!(matches!(refused, Ok(431) | Err(_)), "{refused:?}");
    assert_eq!(
        connection.get("/healthz").await.0.as_u16(),
        200,
        "others are served"
    );

    // A hundred times as many streams as may be open, each reset at once.
    let resets = (0..500).flat_map(|number| {
        let stream = 2 * number + 1;
        [
            get(stream, "/healthz"),
            frame(3, 0, stream, &8_u32.to_be_bytes()),
        ]
        .concat()
    });
    let attack: Vec<u8> = PREFACE
        .iter()
        .copied()
        .chain(frame(4, 0, 0, b""))
        .chain(resets)
        .collect();
    let mut stream = sent(app.address, attack).await;
    let mut read = Vec::new();
    let _ = soon("the connection ends", stream.read_to_end(&mut read)).await;
    let calm = Reason::ENHANCE_YOUR_CALM;
    assert!(
        read.windows(4)
            .any(|part| part == u32::from(calm).to_be_bytes())
    );
    assert_eq!(connection.get("/healthz").await.0.as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed() {
    let app =
        TestApp::with(|settings| settings.server.header_timeout = Duration::from_millis(300)).await;
    let connection = Http2::open(&app).await;
    assert_eq!(connection.get("/healthz").await.0.as_u16(), 200);
    soon("it is closed", connection.ended)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_answer_pings_are_disconnected() {
    let app =
        TestApp::with(|settings| settings.server.header_timeout = Duration::from_millis(300)).await;
    let ada = app.signed_up("ada").await;
    let silent = TcpStream::connect(app.address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(silent).await.unwrap();
    let body = json!({ "query": CHANGES }).to_string();
    let request = Request::post("http://x/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header(
            "authorization",
            format!("Bearer {}", ada.token.as_deref().unwrap()),
        );
    let (_response, mut stream) = requests
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    stream.send_data(body.into(), true).unwrap();
    // The client responds to pings while its connection is driven, longer than the timeout.
    let mut connection = Box::pin(connection);
    tokio::select! {
        ended = &mut connection => panic!("{ended:?}"),
        () = async {
            crate::subscriptions::subscribers(&app, 1).await;
            crate::support::at_least(Duration::from_secs(1)).await;
            crate::subscriptions::subscribers(&app, 1).await;
        } => {}
    }
    crate::subscriptions::subscribers(&app, 0).await;
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_of_which_no_byte_may_be_sent_are_reset() {
    let app =
        TestApp::with(|settings| settings.server.write_timeout = Duration::from_secs(1)).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0: not one byte of a body may be sent.
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = [PREFACE, &settings, &get(1, "/schema.graphql")].concat();
    let mut stream = sent(app.address, request).await;
    let cancelled = frame(3, 0, 1, &u32::from(Reason::CANCEL).to_be_bytes());
    let mut read = Vec::new();
    while !read.windows(13).any(|part| part == cancelled) {
        let length = soon("a reset", stream.read_buf(&mut read)).await.unwrap();
        assert!(length > 0, "the connection is closed");
    }
    assert!(read.len() < 1000, "{}", read.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_are_not_read_are_reset_while_others_are_read() {
    let app =
        TestApp::with(|settings| settings.server.write_timeout = Duration::from_secs(2)).await;
    let mut small = Builder::new();
    small.initial_window_size(1000);
    let connection = Http2::with(&app, &small).await;
    let large = || Request::get("http://x/schema.graphql").body(()).unwrap();
    let unread = connection.send(large(), b"").await;
    let mut unread = soon("a response", unread).await.unwrap().into_body();
    // A slow client is not cut off: it reads a little for longer than the limit.
    let slow = connection.send(large(), b"").await;
    let mut slow = soon("a response", slow).await.unwrap().into_body();
    for _ in 0..30 {
        let part = soon("a part", slow.data()).await.unwrap().unwrap();
        slow.flow_control().release_capacity(part.len()).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut bytes = 0;
    let error = loop {
        match soon("a reset", unread.data()).await.expect("no end") {
            Ok(part) => bytes += part.len(),
            Err(error) => break error,
        }
    };
    assert_eq!((bytes, error.reason()), (1000, Some(Reason::CANCEL)));
    assert!(soon("a part", slow.data()).await.unwrap().is_ok());
    assert_eq!(connection.get("/schema.graphql").await.0.as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_reset_and_the_others_continue() {
    let app = TestApp::with(|settings| {
        settings.edge.streams.heartbeat = Duration::from_millis(200);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let mut unread = Builder::new();
    unread.initial_window_size(0);
    let connection = Http2::with(&app, &unread).await;
    let response = connection.post(&ada, CHANGES, "text/event-stream").await;
    let mut body = soon("a response", response).await.unwrap().into_body();
    let error = soon("a reset", body.data()).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
    crate::subscriptions::subscribers(&app, 0).await;
    let options = Request::options("http://x/graphql").body(()).unwrap();
    let response = connection.send(options, b"").await;
    assert_eq!(received(response).await.unwrap().0.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_the_requests_of_a_connection() {
    let app = patient().await;
    let ada = app.signed_up("ada").await;
    let id = ada.create_course("Algebra").await;
    let connection = Http2::open(&app).await;
    let idle = Http2::open(&app).await;
    assert_eq!(idle.get("/healthz").await.0.as_u16(), 200);
    let held = app.begin("SELECT FROM courses FOR UPDATE").await;
    let rename = RENAME
        .replace("($id: ID!)", "")
        .replace("$id", &format!("\"{id}\""));
    let running = connection.post(&ada, &rename, "application/json").await;
    app.eventually_blocked(1).await;

    let stopping = stopping(app).await;
    soon("the idle one is closed", idle.ended)
        .await
        .unwrap()
        .unwrap();
    held.commit().await;
    let (status, body) = received(running).await.unwrap();
    assert_eq!(status.as_u16(), 200);
    assert!(body.contains("Renamed"), "{body}");
    soon("it is closed", connection.ended)
        .await
        .unwrap()
        .unwrap();
    soon("the service stops", stopping).await.unwrap();
}
