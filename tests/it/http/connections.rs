//! Connections: slow and silent clients, limits, pipelining, and what happens to them when the service stops.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::sleep,
};

use crate::support::{
    Answer, TestApp, Transaction, at_least, eventually, read_answer, read_some, sent, soon,
};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const HEAD: &str =
    "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_is_timed_out() {
    let app =
        TestApp::with(|settings| settings.edge.body_timeout = Duration::from_millis(300)).await;
    let request = format!("{HEAD}content-length: 100\r\n\r\n{{");
    let mut stream = sent(app.address, request).await;
    let answer = read_answer(&mut stream).await;
    assert_eq!(answer.status, 408, "{answer:?}");
}

/// Sends one byte at a time until the service closes the connection, long before all are sent. Returns its response.
async fn trickled(app: &TestApp, at_once: &str, slowly: &str) -> Answer {
    let (mut reader, mut writer) = sent(app.address, at_once).await.into_split();
    let slowly = slowly.to_owned();
    let trickle = tokio::spawn(async move {
        for byte in slowly.bytes() {
            sleep(Duration::from_millis(50)).await;
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        // The request is never complete.
        std::future::pending::<()>().await;
    });
    let mut bytes = Vec::new();
    let _ = soon("the connection ends", reader.read_to_end(&mut bytes)).await;
    trickle.abort();
    Answer::parse(&bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_trickle_in_are_timed_out() {
    let app = TestApp::with(|settings| {
        settings.edge.body_timeout = Duration::from_millis(300);
        settings.server.header_timeout = Duration::from_millis(300);
    })
    .await;
    let sized = format!("{HEAD}content-length: 201\r\n\r\n");
    let answer = trickled(&app, &sized, &" ".repeat(200)).await;
    assert_eq!(answer.status, 408);
    let endless = format!("x-slow: {}", "x".repeat(200));
    let answer = trickled(&app, HEAD, &endless).await;
    assert!(matches!(answer.status, 0 | 408), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_are_disconnected_and_slow_readers_are_not() {
    let app =
        TestApp::with(|settings| settings.server.write_timeout = Duration::from_secs(1)).await;
    let asked = async |count: usize| {
        let last = "GET /schema.graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let requests = last.replace("connection: close\r\n", "").repeat(count - 1) + last;
        sent(app.address, requests).await
    };
    // How the connection ends does not matter, only how much arrived.
    let taken = async |mut stream: TcpStream, pause: Duration| {
        let (mut all, mut part) = (0, vec![0; 1 << 20]);
        while let Ok(read @ 1..) = stream.read(&mut part).await {
            all += read;
            sleep(pause).await;
        }
        all
    };
    let one = taken(asked(1).await, Duration::ZERO).await;
    // More than the socket buffers of both sides hold.
    let count = (64 << 20) / one;
    let slow = asked(count).await;
    let all = taken(slow, Duration::from_millis(20)).await;
    assert!(all > one * (count - 1), "{all} of {count} times {one}");
    let never = asked(count).await;
    at_least(Duration::from_secs(3)).await;
    let part = taken(never, Duration::ZERO).await;
    assert!(part < all / 2, "{part} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_authenticated_separately() {
    let app = TestApp::start().await;
    let token = app.signed_up("ada").await.token.clone().unwrap();
    let body = r#"{"query":"{ me { name } }"}"#;
    let request = |headers: &str| {
        format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let signed_in = request(&format!("authorization: Bearer {token}\r\n"));
    let (anonymous, last) = (request(""), request("connection: close\r\n"));
    // All at once. The responses have the order of the requests.
    let all = format!("{signed_in}{anonymous}{signed_in}{last}");
    let mut stream = sent(app.address, all).await;
    let mut text = String::new();
    let read = soon("all responses", stream.read_to_string(&mut text)).await;
    read.unwrap();
    let (ada, nobody) = (
        r#"{"data":{"me":{"name":"ada"}}}"#,
        r#"{"data":{"me":null}}"#,
    );
    let bodies: Vec<_> = text
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|answer| answer.split_once("\r\n\r\n").unwrap().1)
        .collect();
    assert_eq!(bodies, [ada, nobody, ada, nobody], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_receive_the_response_to_a_request_that_is_rejected_early() {
    let app = TestApp::with(|settings| settings.edge.max_body = 1_000).await;
    let large = " ".repeat(8_000_000);
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let sized = format!("content-length: {}\r\n\r\n{large}", large.len());
    let (json, text) = (
        HEAD.to_owned(),
        HEAD.replace("application/json", "text/plain"),
    );
    for (head, rest, status) in [
        (&json, &sized, 413),
        (
            &json,
            &format!("transfer-encoding: chunked\r\n\r\n{chunk}"),
            413,
        ),
        (&text, &sized, 415),
    ] {
        let mut stream = sent(app.address, format!("{head}{rest}")).await;
        assert_eq!(read_answer(&mut stream).await.status, status);
    }
    // A small rejected request leaves the connection open.
    let refused = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let mut stream = sent(app.address, refused).await;
    for _ in 0..3 {
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
        stream.write_all(refused.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_heads_and_idle_connections_are_timed_out() {
    let app =
        TestApp::with(|settings| settings.server.header_timeout = Duration::from_millis(300)).await;
    let http2 = "PRI * HTTP/2.0\r\n\r\n";
    for begun in [
        "",
        "P",
        http2,
        "GET /healthz HTTP/1.1\r\nhost: x\r\n",
        HEALTHZ,
    ] {
        let mut stream = sent(app.address, begun).await;
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status == 200, begun == HEALTHZ, "{answer:?}");
    }
}

const SCHEMA: &str = "GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_maximum_wait_until_another_ends() {
    let app = TestApp::with(|settings| settings.server.max_connections = 1).await;
    let mut first = sent(app.address, HEALTHZ).await;
    assert!(read_some(&mut first).await.contains("200 OK"));
    let mut second = sent(app.address, SCHEMA).await;
    // The first connection is served several times before the second one.
    for _ in 0..20 {
        first.write_all(HEALTHZ.as_bytes()).await.unwrap();
        assert!(read_some(&mut first).await.contains("200 OK"));
    }
    let early = second.try_read(&mut [0; 1]);
    assert!(early.is_err(), "it is served while the first is open");
    drop(first);
    assert!(read_some(&mut second).await.contains("200 OK"));
    // It has the slot now, for further requests too.
    second = sent(app.address, SCHEMA).await;
    assert!(read_some(&mut second).await.contains("200 OK"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered_while_all_connections_are_in_use() {
    let app = TestApp::with(|settings| settings.server.max_connections = 2).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = sent(app.address, HEALTHZ).await;
        assert!(read_some(&mut stream).await.contains("200 OK"));
        busy.push(stream);
    }
    let mut waiting = sent(app.address, SCHEMA).await;
    // Clients that send nothing do not keep health checks out.
    for _ in 0..50 {
        busy.push(TcpStream::connect(app.address).await.unwrap());
    }
    for path in ["/healthz", "/readyz"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = read_answer(&mut sent(app.address, request).await).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    // The request that waited the longest had to make room.
    let answer = read_answer(&mut waiting).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let code = &answer.json()["errors"][0]["extensions"]["code"];
    assert_eq!(code, "UNAVAILABLE");
    drop(busy);
    let mut after = sent(app.address, SCHEMA).await;
    assert!(read_some(&mut after).await.contains("200 OK"));
}

pub(super) const RENAME: &str = "mutation($id: ID!) { updateCourse(input: { id: $id, name: \"Renamed\" }) { course { name } } }";

/// A service whose stop waits for longer than a test takes.
pub(super) async fn patient() -> TestApp {
    TestApp::with(|settings| settings.server.shutdown_timeout = Duration::from_secs(120)).await
}

/// A mutation that is in flight, and the transaction that it waits for.
async fn in_flight(app: &TestApp) -> (TcpStream, Transaction) {
    let ada = app.signed_up("ada").await;
    let id = ada.create_course("Algebra").await;
    let held = app.begin("SELECT FROM courses FOR UPDATE").await;
    let running = sent(app.address, ada.request(RENAME, &json!({ "id": id }))).await;
    app.eventually_blocked(1).await;
    (running, held)
}

/// Stops the service, without waiting for the end.
pub(super) async fn stopping(app: TestApp) -> JoinHandle<()> {
    let address = app.address;
    let stopping = tokio::spawn(app.stop());
    eventually("it takes no connections", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    at_least(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished(), "a request is in flight");
    stopping
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_requests_in_flight_and_nothing_else() {
    let app = patient().await;
    let address = app.address;
    let _unused = TcpStream::connect(address).await.unwrap();
    let _half = sent(address, "POST /graphql HTTP/1.1\r\nhost: x\r\n").await;
    let mut idle = sent(address, HEALTHZ).await;
    assert!(read_some(&mut idle).await.contains("200 OK"));
    let (mut running, held) = in_flight(&app).await;

    let stopping = stopping(app).await;
    held.commit().await;
    let answer = read_answer(&mut running).await.json();
    let name = &answer["data"]["updateCourse"]["course"]["name"];
    assert_eq!(name, "Renamed");
    soon("the service stops", stopping).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_a_mutation_whose_client_hung_up() {
    let app = patient().await;
    let (running, held) = in_flight(&app).await;
    drop(running);
    let database = app.database.clone();
    let stopping = stopping(app).await;
    held.commit().await;
    soon("the service stops", stopping).await.unwrap();
    let again = TestApp::on(database, |_| {}).await;
    assert_eq!(again.count("courses WHERE name = 'Renamed'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_longer_than_its_timeout() {
    let timeout = Duration::from_secs(1);
    let app = TestApp::with(|settings| settings.server.shutdown_timeout = timeout).await;
    let (_running, _held) = in_flight(&app).await;
    let begun = Instant::now();
    soon("the service stops", app.stop()).await;
    let took = begun.elapsed();
    assert!(took >= timeout - Duration::from_millis(100), "{took:?}");
}
