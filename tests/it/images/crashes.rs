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
    uploads::head,
};
use crate::support::{Client, Serving, eventually, image_folder, sent, soon};

/// When to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The request has not come to the store.
    Before,
    /// The store has done it, but the service has no response.
    After,
}

/// A proxy between the program and the store that kills the program at one request.
struct Killer {
    address: SocketAddr,
    fault: Arc<Fault>,
}

struct Fault {
    /// The number of the request, from 1; `None` once the program is killed.
    armed: Mutex<Option<(i32, When)>>,
    /// The process, once it has started.
    victim: watch::Sender<Option<i32>>,
}

impl Fault {
    /// Counts a request. Returns when to kill at this one, if at all.
    fn count(&self) -> Option<When> {
        let mut armed = self.armed.lock().unwrap();
        let (to_come, when) = armed.as_mut()?;
        *to_come -= 1;
        (*to_come == 0).then_some(*when)
    }

    async fn kill(&self) {
        let mut known = self.victim.subscribe();
        let pid = known.wait_for(Option::is_some).await.unwrap().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        *self.armed.lock().unwrap() = None;
    }
}

impl Killer {
    async fn before(store: SocketAddr) -> Killer {
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
        Killer { address, fault }
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

/// Forwards one request and its response, and closes the connection.
async fn pass(mut from: TcpStream, store: SocketAddr, fault: Arc<Fault>) {
    let Some(request) = whole_request(&mut from).await else {
        return;
    };
    let when = fault.count();
    if when == Some(When::Before) {
        return fault.kill().await;
    }
    let mut to = TcpStream::connect(store).await.unwrap();
    to.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let _ = to.read_to_end(&mut answer).await;
    if when == Some(When::After) {
        return fault.kill().await;
    }
    let _ = from.write_all(&answer).await;
}

/// A request, with a header that closes the connection after it.
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

/// Sets an upload, if the process is not killed before.
async fn try_to_set(notebook: &Notebook, serving: &Serving, upload: &Value) {
    let (client, document) = (as_ada(notebook, serving), notebook.document.clone());
    let upload = upload.clone();
    let _ = tokio::spawn(async move { set(&client, &document, &upload).await }).await;
}

/// Waits until the process is killed.
async fn killed(mut victim: Serving) {
    let status = soon("it is killed", victim.child.wait()).await.unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_sets_an_image_leaves_and_loses_nothing() {
    let Some(store) = S3::start().await else {
        return;
    };
    let notebook = store.notebook().await;
    let killer = Killer::before(store.address).await;
    let mut shown = Value::Null;
    // Reading the upload, writing the image and the thumbnail, and deleting the upload.
    for (index, (nth, when)) in [1, 2, 3, 4]
        .into_iter()
        .flat_map(|nth| [(nth, When::Before), (nth, When::After)])
        .enumerate()
    {
        let bytes = png(40 + u32::try_from(index).unwrap(), 40);
        let upload = notebook.uploaded(&bytes).await;
        let victim = killer.victim(&notebook, nth, when).await;
        try_to_set(&notebook, &victim, &upload).await;
        killed(victim).await;

        // The image is the former one until the new one is set.
        let image = notebook.shown().await["image"].take();
        let is_new = image["byteSize"] == bytes.len();
        assert_eq!(is_new, nth == 4, "{nth} {when:?}: it is set first");
        assert!(is_new || image["byteSize"] == shown["byteSize"]);
        if !image.is_null() {
            assert_eq!(fetched(&image["url"]).await.status(), 200);
        }
        // The client tries again, and it is set once.
        let again = notebook.set(&upload).await;
        assert_eq!(again["userErrors"], json!([]), "{nth} {when:?}");
        shown = again["document"]["image"].clone();
        assert_eq!(fetched(&shown["url"]).await.bytes().await.unwrap(), bytes);
        only_used_images_are_left(&notebook, &store).await;
    }
    assert_eq!(notebook.shown().await["version"], 9, "eight images");
}

/// Asserts that after a sweep exactly the images that documents have are left, with their thumbnails.
async fn only_used_images_are_left(notebook: &Notebook, store: &S3) {
    notebook.sweep().await;
    notebook.make_thumbnails().await;
    let referred = "SELECT coalesce(string_agg('pages/' || kind || '/' || image_id, ' ' ORDER BY kind), '')
        FROM documents, (VALUES ('images'), ('thumbnails')) AS kinds (kind) WHERE image_id IS NOT NULL";
    let referred = notebook.app.text(referred).await;
    assert_eq!(store.keys().await.join(" "), referred);
    let expected = ["", "image:stored"][usize::from(!referred.is_empty())];
    assert_eq!(notebook.rows().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_continues_the_sweep_of_a_killed_one() {
    let Some(store) = S3::start().await else {
        return;
    };
    let notebook = store.notebook().await;
    let killer = Killer::before(store.address).await;
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
        // A process sweeps when it starts.
        killed(killer.victim(&notebook, nth, when).await).await;
        let claimed = "image_objects WHERE state = 'removing'";
        assert!(notebook.app.count(claimed).await > 0, "claims stay");
        let image = notebook.shown().await["image"].take();
        assert_eq!(fetched(&image["url"]).await.status(), 200);
        only_used_images_are_left(&notebook, &store).await;
    }
    notebook.remove().await;
    only_used_images_are_left(&notebook, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_during_an_upload_to_a_folder_leaves_nothing() {
    let notebook = Notebook::new().await;
    let folder = image_folder(&notebook.app.database);
    let storage = format!("file://{}", folder.display());
    let bytes = png(800, 800);
    let mut uploads = Vec::new();
    for parts in 0..3 {
        let upload = notebook.requested(&bytes, "image/png").await;
        let victim = serving(&notebook, &storage).await;
        let head = head(&upload, bytes.len());
        let mut stream = sent(victim.client.address, head).await;
        let part = &bytes[..bytes.len() * parts / 2];
        stream.write_all(part).await.unwrap();
        if parts == 2 {
            let _ = stream.read_u8().await;
        } else {
            eventually("the upload has begun", async || {
                notebook.files().len() > uploads.len()
            })
            .await;
        }
        victim.signal(Signal::SIGKILL);
        killed(victim).await;
        uploads.push(upload);
    }
    assert_eq!(notebook.files().len(), 3, "two incomplete, one complete");
    for (upload, whole) in uploads.iter().zip([false, false, true]) {
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
        assert_eq!(left, usize::from(kind == "images"), "folders in {kind}");
    }
}
