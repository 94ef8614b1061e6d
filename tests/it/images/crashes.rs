//! The program is killed before and after each request to the store, during an upload, and before and after each deletion of
//! the sweep. Then another process sweeps, and exactly the images that documents have are left, complete.

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{
    Notebook, fetched,
    png::png,
    s3_server::{self, S3},
    set,
};
use crate::support::{Client, Serving, TestApp, eventually, image_folder, soon};

/// When to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The request has not come to the store.
    Before,
    /// The store has done it, but the service has no response.
    After,
}

/// Stands between the program and the store, and kills the program at one request.
struct Between {
    address: SocketAddr,
    fault: Arc<Fault>,
}

struct Fault {
    /// At which request from now, from 1; `None` once it has struck.
    armed: Mutex<Option<(i32, When)>>,
    /// The process, as soon as it is known.
    victim: watch::Sender<Option<i32>>,
}

impl Fault {
    /// Counts a request; answers when to kill at it, if so.
    fn comes(&self) -> Option<When> {
        let mut armed = self.armed.lock().unwrap();
        let (to_come, when) = armed.as_mut()?;
        *to_come -= 1;
        (*to_come == 0).then_some(*when)
    }

    async fn strike(&self) {
        let mut known = self.victim.subscribe();
        let pid = known.wait_for(Option::is_some).await.unwrap().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        *self.armed.lock().unwrap() = None;
    }
}

impl Between {
    async fn before(store: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = Arc::new(Fault {
            armed: Mutex::default(),
            victim: watch::Sender::new(None),
        });
        let known = fault.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(stream, store, known.clone()));
            }
        });
        Between { address, fault }
    }

    /// The program, which is killed at its `nth` request to the store, from 1.
    async fn victim(&self, notebook: &Notebook, nth: i32, when: When) -> Serving {
        self.fault.victim.send_replace(None);
        *self.fault.armed.lock().unwrap() = Some((nth, when));
        let victim = serving(notebook, &s3_server::url(self.address)).await;
        let pid = i32::try_from(victim.child.id().unwrap()).unwrap();
        self.fault.victim.send_replace(Some(pid));
        victim
    }
}

/// One request and its answer, each read whole; then the connection ends.
async fn pass(mut from: TcpStream, store: SocketAddr, fault: Arc<Fault>) {
    let Some(request) = whole_request(&mut from).await else {
        return;
    };
    let when = fault.comes();
    if when == Some(When::Before) {
        return fault.strike().await;
    }
    let mut to = TcpStream::connect(store).await.unwrap();
    to.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let _ = to.read_to_end(&mut answer).await;
    if when == Some(When::After) {
        return fault.strike().await;
    }
    let _ = from.write_all(&answer).await;
}

/// A request, with a header that makes it the connection's last.
async fn whole_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    bytes.splice(head..head, b"\r\nconnection: close".iter().copied());
    Some(bytes)
}

/// The program on the notebook's database, with this storage.
async fn serving(notebook: &Notebook, storage: &str) -> Serving {
    let [id, key] = s3_server::CREDENTIALS;
    let environment = [("SNAPNOTE_STORAGE_URL", storage), id, key];
    Serving::on(&notebook.app.database, &environment).await
}

fn as_ada(notebook: &Notebook, serving: &Serving) -> Client {
    notebook.ada.at_address(serving.client.address)
}

/// Sets an upload, or dies on the way.
async fn try_to_set(notebook: &Notebook, serving: &Serving, upload: &Value) {
    let (client, document) = (as_ada(notebook, serving), notebook.document.clone());
    let upload = upload.clone();
    let _ = tokio::spawn(async move { set(&client, &document, &upload).await }).await;
}

/// Waits for its end, which must be that one.
async fn killed(mut victim: Serving) {
    let status = soon("it is killed", victim.child.wait()).await.unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_setting_it_leaves_nothing_and_loses_nothing() {
    let Some(store) = S3::start().await else {
        return;
    };
    let between = Between::before(store.address).await;
    let storage = S3::storage(store.address);
    let app = TestApp::with(|settings| settings.images.storage = storage).await;
    let notebook = Notebook::on(app).await;
    let mut shown = Value::Null;
    for (index, (nth, when)) in [1, 2, 3]
        .into_iter()
        .flat_map(|nth| [(nth, When::Before), (nth, When::After)])
        .enumerate()
    {
        let bytes = png(40 + u32::try_from(index).unwrap(), 40);
        let upload = notebook.uploaded(&bytes).await;
        let victim = between.victim(&notebook, nth, when).await;
        try_to_set(&notebook, &victim, &upload).await;
        killed(victim).await;

        // What was an image before is one until there is another.
        let image = notebook.shown().await["image"].take();
        let is_new = image["byteSize"] == bytes.len();
        assert_eq!(
            is_new,
            nth == 3,
            "{nth} {when:?}: it was done before what it leaves is removed"
        );
        assert!(is_new || image["byteSize"] == shown["byteSize"]);
        if !image.is_null() {
            assert_eq!(fetched(&image["url"]).await.status(), 200);
        }
        // The caller tries again, and it is done, once.
        let again = notebook.set(&upload).await;
        assert_eq!(again["userErrors"], json!([]), "{nth} {when:?}");
        shown = again["document"]["image"].clone();
        assert_eq!(fetched(&shown["url"]).await.bytes().await.unwrap(), bytes);
        exactly_what_is_referred_to(&notebook, &store).await;
    }
    assert_eq!(
        notebook.shown().await["version"],
        7,
        "six images, each set once"
    );
}

/// After a sweep of all that may be swept.
async fn exactly_what_is_referred_to(notebook: &Notebook, store: &S3) {
    notebook.sweep().await;
    let referred =
        "SELECT coalesce(string_agg('pages/images/' || image_id, ' '), '') FROM documents
        WHERE image_id IS NOT NULL";
    let referred = notebook.app.text(referred).await;
    assert_eq!(store.keys().await.join(" "), referred);
    let rows = if referred.is_empty() {
        ""
    } else {
        "image:stored"
    };
    assert_eq!(notebook.rows().await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_the_sweep_it_is_done_by_the_next() {
    let Some(store) = S3::start().await else {
        return;
    };
    let between = Between::before(store.address).await;
    let storage = S3::storage(store.address);
    let app = TestApp::with(|settings| settings.images.storage = storage).await;
    let notebook = Notebook::on(app).await;
    for (nth, when) in [1, 2]
        .into_iter()
        .flat_map(|nth| [(nth, When::Before), (nth, When::After)])
    {
        for size in [10, 11] {
            notebook.with_image(&png(size, 10)).await;
        }
        let due =
            "UPDATE image_objects SET sweep_at = now() - interval '1 hour' WHERE state <> 'stored'";
        notebook.app.sql(due).await;
        // It sweeps as it starts.
        killed(between.victim(&notebook, nth, when).await).await;
        let claimed = "image_objects WHERE state = 'removing'";
        assert!(
            notebook.app.count(claimed).await > 0,
            "what it claimed is still known"
        );
        let image = notebook.shown().await["image"].take();
        assert_eq!(fetched(&image["url"]).await.status(), 200);
        exactly_what_is_referred_to(&notebook, &store).await;
    }
    notebook.remove().await;
    exactly_what_is_referred_to(&notebook, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_an_upload_is_sent_to_a_folder_it_leaves_nothing() {
    let notebook = Notebook::new().await;
    let folder = image_folder(&notebook.app.database);
    let storage = format!("file://{}", folder.display());
    let bytes = png(800, 800);
    let mut sent = Vec::new();
    for parts in 0..3 {
        let upload = notebook.requested(&bytes, "image/png").await;
        let victim = serving(&notebook, &storage).await;
        let url: url::Url = upload["url"].as_str().unwrap().parse().unwrap();
        let mut stream = TcpStream::connect(victim.client.address).await.unwrap();
        let head = format!(
            "PUT {}?{} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: {}\r\n\r\n",
            url.path(),
            url.query().unwrap(),
            bytes.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
            .write_all(&bytes[..bytes.len() * parts / 2])
            .await
            .unwrap();
        if parts == 2 {
            let _ = stream.read_u8().await;
        } else {
            eventually("the upload has begun", async || {
                notebook.files().len() > sent.len()
            })
            .await;
        }
        victim.signal(Signal::SIGKILL);
        killed(victim).await;
        sent.push(upload);
    }
    assert_eq!(
        notebook.files().len(),
        3,
        "two that were begun, and a whole one"
    );
    for (upload, whole) in sent.iter().zip([false, false, true]) {
        let done = notebook.set(upload).await;
        assert_eq!(done["document"].is_object(), whole, "{done}");
    }
    let image = notebook.shown().await["image"].take();
    notebook.sweep().await;
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
    assert_eq!(fetched(&image["url"]).await.bytes().await.unwrap(), bytes);
    for kind in ["uploads", "images"] {
        let left = std::fs::read_dir(folder.join(kind)).unwrap().count();
        assert_eq!(
            left,
            usize::from(kind == "images"),
            "no empty folders in {kind}"
        );
    }
}
