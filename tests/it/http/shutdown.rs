//! A stop resets no request: readiness ends first, then connections are accepted for a while, and open ones get their
//! last response.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream as BlockingStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    subscriptions::socket::Socket,
    support::{
        Serving, TestApp, eventually, eventually_eq, migrated_database, read_answer, sent, soon,
    },
};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Sends a request on a connection that the response must close.
async fn last_response(stream: &mut TcpStream) {
    stream.write_all(HEALTHZ.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = soon("the connection ends", stream.read_to_string(&mut text)).await;
    read.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
}

/// A connection on which one request has been answered.
async fn idle(address: SocketAddr) -> TcpStream {
    let mut stream = sent(address, HEALTHZ).await;
    let response = whole_response(&mut stream).await.unwrap();
    assert!(!response.contains("connection: close"), "{response}");
    stream
}

/// A short response. `None` if the connection breaks first.
async fn whole_response(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !text.ends_with('}') {
        match stream.read(&mut part).await {
            Ok(read @ 1..) => text.push_str(std::str::from_utf8(&part[..read]).unwrap()),
            _ => return None,
        }
    }
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_delay_connections_are_accepted_although_the_service_is_not_ready() {
    let app = TestApp::with(|settings| settings.server.shutdown_delay = LONG).await;
    let ada = app.signed_up("ada").await;
    let (anonymous, address) = (app.anonymous(), app.address);
    let mut idle = idle(address).await;
    let mut before = Socket::of(&ada).await;
    let stopping = tokio::spawn(app.stop());
    eventually_eq("readiness", 503, async || {
        anonymous.http("GET", "/readyz", &[], b"").await.status
    })
    .await;
    let ready = anonymous.http("GET", "/readyz", &[], b"").await;
    let report: Value = ready.json();
    assert_eq!(report["status"], "stopping");
    last_response(&mut idle).await;
    last_response(&mut TcpStream::connect(address).await.unwrap()).await;
    // Sockets would reconnect to this process.
    before.sends_nothing_else().await;
    Socket::of(&ada).await.sends_nothing_else().await;
    stopping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_get_a_last_response_after_the_listener_has_closed() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = LONG;
        settings.server.idle_grace = LONG;
    })
    .await;
    let address = app.address;
    let (mut used, mut unused) = (
        idle(address).await,
        TcpStream::connect(address).await.unwrap(),
    );
    let stopped = tokio::spawn(app.stop());
    eventually("it takes no connections", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    last_response(&mut used).await;
    last_response(&mut unused).await;
    soon("the service stops", stopped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_after_the_grace_period() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = LONG;
        settings.server.idle_grace = Duration::from_millis(100);
    })
    .await;
    let (mut used, mut unused) = (
        idle(app.address).await,
        TcpStream::connect(app.address).await.unwrap(),
    );
    soon("the service stops", app.stop()).await;
    for stream in [&mut used, &mut unused] {
        assert_eq!(read_answer(stream).await.body, "");
    }
}

/// All tasks of this test run on one thread, so the service accepts nothing before the test waits.
#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    let app = TestApp::start().await;
    let waiting: Vec<BlockingStream> = (0..50)
        .map(|_| {
            let mut stream = BlockingStream::connect(app.address).unwrap();
            stream.write_all(HEALTHZ.as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let stopped = tokio::spawn(app.stop());
    for stream in waiting {
        let mut stream = TcpStream::from_std(stream).unwrap();
        let response = soon("a response", whole_response(&mut stream)).await;
        assert!(response.expect("it was reset").contains("200 OK"));
    }
    soon("the service stops", stopped).await.unwrap();
}

/// Waits until the service tells a client of HTTP/2 to leave.
async fn told_to_leave(stream: &mut TcpStream) {
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0];
    let mut read = Vec::new();
    while !read.windows(go_away.len()).any(|part| part == go_away) {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "it ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_waits_for_room_is_served() {
    let app = TestApp::with(|settings| {
        settings.server.max_connections = 1;
        settings.server.shutdown_timeout = LONG;
        settings.server.idle_grace = LONG;
    })
    .await;
    let busy = idle(app.address).await;
    // They fill the reserve, and leave it only after a while, because they acknowledge nothing.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let mut stream = sent(app.address, start).await;
        stream.read_u8().await.unwrap();
        slow.push(stream);
    }
    let mut waiting = sent(app.address, HEALTHZ).await;
    soon("one has to leave", told_to_leave(&mut slow[0])).await;
    let stopped = tokio::spawn(app.stop());
    let response = soon("a response", whole_response(&mut waiting)).await;
    assert!(response.expect("it was reset").contains("200 OK"));
    drop((busy, slow));
    soon("the service stops", stopped).await.unwrap();
}

/// What happened to short requests around a stop.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    /// The connection was open, but broke before the response.
    reset: AtomicUsize,
    /// As a load balancer sees it: once the service is not ready, it gets no new connections.
    unready: AtomicBool,
}

/// Sends requests until the service accepts no connection. `keeps`: on one connection as long as the service allows it.
async fn requests(address: SocketAddr, counts: Arc<Counts>, keeps: bool) {
    while !counts.unready.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            return;
        };
        loop {
            let sent = stream.write_all(HEALTHZ.as_bytes()).await;
            let Some(response) = whole_response(&mut stream).await.filter(|_| sent.is_ok()) else {
                counts.reset.fetch_add(1, Ordering::Relaxed);
                break;
            };
            counts.answered.fetch_add(1, Ordering::Relaxed);
            if !keeps || response.contains("\r\nconnection: close\r\n") {
                break;
            }
        }
    }
}

/// How many of the short requests are reset when the program stops.
async fn reset_by_a_stop(database: &str, delay: &str) -> usize {
    let serving = Serving::on(database, &[("SNAPNOTE_SHUTDOWN_DELAY", delay)]).await;
    let (client, counts) = (serving.client.clone(), Arc::<Counts>::default());
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        tasks.spawn(requests(client.address, counts.clone(), number % 2 == 0));
    }
    eventually("requests are answered", async || {
        counts.answered.load(Ordering::Relaxed) > 1000
    })
    .await;
    serving.signal(Signal::SIGTERM);
    if delay != "0s" {
        eventually_eq("readiness", 503, async || {
            client.http("GET", "/readyz", &[], b"").await.status
        })
        .await;
        counts.unready.store(true, Ordering::Relaxed);
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (code, said) = serving.end().await;
    assert_eq!(code, Some(0), "{said}");
    let (answered, reset) = (&counts.answered, counts.reset.load(Ordering::Relaxed));
    println!("delay {delay}: {answered:?} answered, {reset} reset");
    reset
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_resets_hardly_any_request_and_none_with_a_delay() {
    let database = migrated_database().await;
    for _ in 0..3 {
        // One may arrive between the last look and the close of the listener.
        assert!(reset_by_a_stop(&database, "0s").await <= 4);
        assert_eq!(reset_by_a_stop(&database, "2s").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_of_the_terminal_does_not_end_the_program() {
    let database = migrated_database().await;
    let mut serving = Serving::on(&database, &[]).await;
    for _ in 0..3 {
        serving.signal(Signal::SIGHUP);
        serving.client.query("{ __typename }").await;
    }
    assert!(serving.child.try_wait().unwrap().is_none(), "it runs");
    serving.signal(Signal::SIGTERM);
    let (code, said) = serving.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("SIGHUP: the filter of the log was not changed"),
        "{said}"
    );
}
