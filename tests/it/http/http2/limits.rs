//! What one client of HTTP/2 may occupy: connections, and operations of streams that it resets.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Http2, PREFACE, frame, get, received};
use crate::support::{TestApp, eventually, sent, soon};

/// Acknowledges the pings on a connection until it ends, except the one that h2 sends before it closes an idle connection.
async fn acknowledge_some_pings(stream: &mut TcpStream) -> std::io::Result<()> {
    const SHUTDOWN: [u8; 8] = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await?;
        if head[3..5] == [6, 0] && payload != SHUTDOWN {
            stream.write_all(&frame(6, 1, 0, &payload)).await?;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_although_the_client_does_not_agree() {
    let app =
        TestApp::with(|settings| settings.server.header_timeout = Duration::from_millis(300)).await;
    let start = [PREFACE, &frame(4, 0, 0, b""), &get(1, "/healthz")].concat();
    let mut stream = sent(app.address, start).await;
    let ended = soon("it is closed", acknowledge_some_pings(&mut stream)).await;
    ended.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_idle_clients_that_do_not_agree() {
    let app = TestApp::with(|settings| {
        settings.server.header_timeout = Duration::from_secs(3600);
        settings.server.shutdown_timeout = Duration::from_secs(3600);
    })
    .await;
    let start = [PREFACE, &frame(4, 0, 0, b""), &get(1, "/healthz")].concat();
    let mut stream = sent(app.address, start).await;
    stream.read_u8().await.unwrap();
    soon("the service stops", app.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_of_streams_that_were_reset_count() {
    const SIGN_IN: &str = "mutation { signIn(input: { email: \"ada@example.com\", password: \"correct horse\" }) { userErrors { code } } }";
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(600);
        settings.pool.wait = Duration::from_secs(600);
    })
    .await;
    let client = app.anonymous();
    let connection = Http2::open(&app).await;
    let status = async |connection: &Http2| {
        let query = connection.post(&client, "{ __typename }", "application/json");
        let (status, body) = received(query.await).await.unwrap();
        assert_eq!(status == 503, body.contains("UNAVAILABLE"), "{body}");
        status.as_u16()
    };
    let held = app.begin("LOCK TABLE users").await;
    eventually("the maximum number runs", async || {
        let mutations = (0..20).map(|_| connection.post(&client, SIGN_IN, "application/json"));
        let _reset_when_dropped = join_all(mutations).await;
        status(&connection).await == 503
    })
    .await;
    assert_eq!(connection.get("/healthz").await.0.as_u16(), 200);
    assert_eq!(status(&Http2::open(&app).await).await, 200);
    held.commit().await;
    eventually("they have ended", async || status(&connection).await == 200).await;
}
