//! Senders beside each other, and slow ones: one at a time for each upload, so many in all, and none that holds a connection
//! with a byte now and then.

use serde_json::{Value, json};
use snapnote::http::UploadSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, interval, sleep, timeout},
};

use super::{Notebook, pixels::png, send, sending, set};
use crate::support::{Answer, TestApp};

async fn notebook(change: impl FnOnce(&mut UploadSettings)) -> Notebook {
    Notebook::on(TestApp::with(|settings| change(&mut settings.edge.uploads)).await).await
}

/// A connection on which an upload of so many bytes has begun, and these have been sent.
async fn begun(notebook: &Notebook, upload: &Value, length: usize, sent: &[u8]) -> TcpStream {
    let files = notebook.files().len();
    let mut stream = TcpStream::connect(notebook.app.address).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: image/png\r\n\
         content-length: {length}\r\n\r\n",
        sending::path(upload)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    for _ in 0..1000 {
        if notebook.files().len() > files {
            return stream;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not begin");
}

/// What is answered in the end.
async fn answered(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = read.await.expect("it is answered");
    Answer::parse(&answer)
}

/// The answer to a whole upload.
async fn sent(notebook: &Notebook, upload: &Value, bytes: &[u8]) -> Answer {
    let headers = [("content-type", "image/png")];
    let link = sending::path(upload);
    let visitor = notebook.app.visitor();
    visitor.http("PUT", &link, &headers, bytes).await
}

fn told_to_wait(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("3"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.json()["error"].is_string(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_has_one_sender_at_a_time() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_secs(600)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    let other = notebook.requested(&bytes, "image/png").await;
    let mut first = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
    for _ in 0..3 {
        told_to_wait(&sent(&notebook, &upload, &bytes).await, 409);
    }
    assert_eq!(notebook.files().len(), 1, "nothing of the others is there");
    assert_eq!(send(&other, bytes.clone()).await, 204, "another upload is");
    first.write_all(&bytes[9..]).await.unwrap();
    assert_eq!(answered(first).await.status, 204);
    assert_eq!(send(&upload, bytes.clone()).await, 204, "the place is free");
    let done = set(&notebook.ada, &notebook.document, &upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_connection_broke_sends_again_at_once() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_secs(600)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    for _ in 0..3 {
        let broken = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
        drop(broken);
        let began = Instant::now();
        while send(&upload, bytes.clone()).await == 409 {
            assert!(began.elapsed() < Duration::from_secs(2), "it is noticed");
            sleep(Duration::from_millis(10)).await;
        }
        notebook.sweep_upload(&upload).await;
    }
}

impl Notebook {
    /// Takes away what was sent, so that it can be seen when something is again.
    async fn sweep_upload(&self, upload: &Value) {
        let id = upload["id"].as_str().unwrap();
        let folder = crate::support::image_folder(&self.app.database);
        std::fs::remove_dir_all(folder.join("uploads").join(id)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_still_gives_way_to_the_next() {
    let notebook = notebook(|uploads| uploads.takeover_after = Duration::from_millis(50)).await;
    let bytes = png(100, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    // As a connection is that nobody has heard of: open, and silent.
    let silent = begun(&notebook, &upload, bytes.len(), &bytes[..9]).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(send(&upload, bytes.clone()).await, 204);
    told_to_wait(&answered(silent).await, 409);
    let done = set(&notebook.ada, &notebook.document, &upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
    assert_eq!(notebook.files().len(), 1, "nothing of the silent one is");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_uploads_are_sent_at_a_time_and_no_more() {
    let notebook = notebook(|uploads| uploads.max_uploads = 2).await;
    let bytes = png(100, 100);
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(notebook.requested(&bytes, "image/png").await);
    }
    let mut first = begun(&notebook, &uploads[0], bytes.len(), &bytes[..9]).await;
    let second = begun(&notebook, &uploads[1], bytes.len(), &bytes[..9]).await;
    told_to_wait(&sent(&notebook, &uploads[2], &bytes).await, 503);
    let unknown = json!({ "url": format!("{}x", uploads[2]["url"].as_str().unwrap()) });
    assert_eq!(
        sent(&notebook, &unknown, &bytes).await.status,
        404,
        "what is none is not put off"
    );
    first.write_all(&bytes[9..]).await.unwrap();
    assert_eq!(answered(first).await.status, 204);
    assert_eq!(sent(&notebook, &uploads[2], &bytes).await.status, 204);
    drop(second);
}

/// Sends the rest in pieces of that many bytes, one each 20 ms, until it is answered; tells the answer and how long it took.
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
        read = timeout(Duration::from_secs(20), reading.read_buf(&mut answer)) => {
            read.expect("it is answered").unwrap();
        }
        () = send => {}
    }
    (Answer::parse(&answer), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_now_and_then_holds_no_connection() {
    let notebook = notebook(|uploads| {
        uploads.speed_grace = Duration::from_millis(300);
        uploads.min_speed = 10 * 1024;
    })
    .await;
    let bytes = png(800, 800);
    let upload = notebook.requested(&bytes, "image/png").await;
    let slow = begun(&notebook, &upload, bytes.len(), &bytes[..1]).await;
    let (answer, took) = trickled(slow, &bytes[1..], 1).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(
        send(&upload, bytes.clone()).await,
        204,
        "and is free at once"
    );
    notebook.sweep_upload(&upload).await;

    // Whoever is fast enough goes on long after that.
    let steady = begun(&notebook, &upload, bytes.len(), &bytes[..100_000]).await;
    let (answer, took) = trickled(steady, &bytes[100_000..], 8 * 1024).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(took > Duration::from_millis(300), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_still_or_takes_too_long_is_not_waited_for() {
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
        let (answer, took) = trickled(slow, rest, 1).await;
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(send(&upload, bytes).await, 204);
    }
}
