//! Concurrent and slow uploads: one sender per upload, a maximum of uploads at the same time, and a minimum speed.

use serde_json::{Value, json};
use snapnote::http::UploadSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, interval},
};

use super::{
    Notebook,
    png::png,
    send,
    uploads::{head, path},
};
use crate::support::{
    Answer, TestApp, at_least, eventually, eventually_eq, image_folder, read_answer, soon, text,
};

async fn notebook(change: impl FnOnce(&mut UploadSettings)) -> Notebook {
    Notebook::on(TestApp::with(|settings| change(&mut settings.edge.uploads)).await).await
}

/// A connection over which an upload has begun: the service has stored a part of it.
async fn begun(notebook: &Notebook, upload: &Value, length: usize, sent: &[u8]) -> TcpStream {
    let files = notebook.files().len();
    let head = head(upload, length);
    let mut stream = crate::support::sent(notebook.app.address, head).await;
    stream.write_all(sent).await.unwrap();
    eventually("it begins", async || notebook.files().len() > files).await;
    stream
}

/// The response to a whole upload.
async fn sent(notebook: &Notebook, upload: &Value, bytes: &[u8]) -> Answer {
    let headers = [("content-type", "image/png")];
    let anonymous = notebook.app.anonymous();
    anonymous.http("PUT", &path(upload), &headers, bytes).await
}

fn assert_retry_later(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("3"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.json()["error"].is_string(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_has_one_sender_at_the_same_time() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_secs(600)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    let other = notebook.requested(&bytes, "image/png").await;
    let mut first = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
    for _ in 0..3 {
        assert_retry_later(&sent(&notebook, &upload, &bytes).await, 409);
    }
    assert_eq!(notebook.files().len(), 1, "nothing of the others is stored");
    let status = send(&other, bytes.clone()).await;
    assert_eq!(status, 204, "another upload is taken");
    first.write_all(&bytes[9..]).await.unwrap();
    assert_eq!(read_answer(&mut first).await.status, 204);
    assert_eq!(send(&upload, bytes.clone()).await, 204, "the slot is free");
    let done = notebook.set(&upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_can_be_sent_again_after_its_connection_broke() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_secs(600)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    for _ in 0..3 {
        let broken = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
        drop(broken);
        eventually_eq("the upload is taken", 204, async || {
            send(&upload, bytes.clone()).await
        })
        .await;
        notebook.sweep_upload(&upload).await;
    }
}

impl Notebook {
    /// Deletes the uploaded file, so that the start of the next upload can be seen.
    async fn sweep_upload(&self, upload: &Value) {
        let uploads = image_folder(&self.app.database).join("uploads");
        std::fs::remove_dir_all(uploads.join(text(&upload["id"]))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_sender_is_replaced_by_the_next() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_millis(50)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    // A dead connection looks like this: open, and silent.
    let mut silent = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
    at_least(Duration::from_millis(100)).await;
    assert_eq!(send(&upload, bytes.clone()).await, 204);
    assert_retry_later(&read_answer(&mut silent).await, 409);
    let done = notebook.set(&upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
    let files = notebook.files().len();
    assert_eq!(files, 1, "nothing of the silent one is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_uploads_are_limited() {
    let notebook = notebook(|uploads| uploads.max_uploads = 2).await;
    let bytes = png(100, 100);
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(notebook.requested(&bytes, "image/png").await);
    }
    let mut first = begun(&notebook, &uploads[0], bytes.len(), &bytes[..9]).await;
    let second = begun(&notebook, &uploads[1], bytes.len(), &bytes[..9]).await;
    assert_retry_later(&sent(&notebook, &uploads[2], &bytes).await, 503);
    let unknown = json!({ "url": format!("{}x", uploads[2]["url"].as_str().unwrap()) });
    let status = sent(&notebook, &unknown, &bytes).await.status;
    assert_eq!(status, 404, "invalid links are not told to retry");
    first.write_all(&bytes[9..]).await.unwrap();
    assert_eq!(read_answer(&mut first).await.status, 204);
    assert_eq!(sent(&notebook, &uploads[2], &bytes).await.status, 204);
    drop(second);
}

/// Sends the rest in pieces of this size, one every 20 ms, until there is a response. Returns it, and how long it took.
async fn trickled(mut stream: TcpStream, rest: &[u8], piece: usize) -> (Answer, Duration) {
    let began = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let send = async {
        let mut ticks = interval(Duration::from_millis(20));
        for piece in rest.chunks(piece) {
            ticks.tick().await;
            if writing.write_all(piece).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = soon("a response", reading.read_buf(&mut answer)) => drop(read.unwrap()),
        () = send => {}
    }
    (Answer::parse(&answer), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_below_the_minimum_speed_are_cut_off() {
    let notebook = notebook(|uploads| {
        uploads.speed_grace = Duration::from_millis(300);
        uploads.min_speed = 10 * 1024;
    })
    .await;
    let bytes = png(800, 800);
    let upload = notebook.requested(&bytes, "image/png").await;
    let slow = begun(&notebook, &upload, bytes.len(), &bytes[..1]).await;
    let (answer, _) = trickled(slow, &bytes[1..], 1).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    let status = send(&upload, bytes.clone()).await;
    assert_eq!(status, 204, "the upload is free at once");
    notebook.sweep_upload(&upload).await;

    // A fast sender can send for longer than the grace period.
    let steady = begun(&notebook, &upload, bytes.len(), &bytes[..100_000]).await;
    let (answer, took) = trickled(steady, &bytes[100_000..], 8 * 1024).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(took > Duration::from_millis(300), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_too_long_uploads_are_cut_off() {
    for (still, whole) in [(200, 600_000), (30_000, 400)] {
        let notebook = notebook(|uploads| {
            uploads.idle_timeout = Duration::from_millis(still);
            uploads.timeout = Duration::from_millis(whole);
        });
        let notebook = notebook.await;
        let bytes = png(400, 400);
        let upload = notebook.requested(&bytes, "image/png").await;
        let slow = begun(&notebook, &upload, bytes.len(), &bytes[..1]).await;
        let rest = if still == 200 { &[] } else { &bytes[1..] };
        let (answer, _) = trickled(slow, rest, 1).await;
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(send(&upload, bytes).await, 204);
    }
}
