//! Pictures of documents: asked for, sent, set, shown and removed, as a client does it.
//!
//! What is refused while they are sent is in `sending`, who waits for whom in `senders`, how they are served in `serving`, what
//! the sweep removes in `sweeping`, S3 in `bucket`, and what is left by a service that is killed between any two steps in
//! `faults`.

mod clean_up;
mod concurrent_uploads;
mod crashes;
mod downloads;
mod png;
mod s3_server;
mod s3_storage;
mod uploads;

use std::{
    fs,
    path::{Path, PathBuf},
};

use png::{png, private_png};
use serde_json::{Value, json};
use snapnote::images::sweep;

use crate::support::{Client, Person, TestApp, errors, image_folder, text, texts};

/// A user with a course and a document in it, on a service of their own.
struct Notebook {
    app: TestApp,
    ada: Person,
    course: String,
    document: String,
}

impl Notebook {
    async fn new() -> Notebook {
        Notebook::on(TestApp::start().await).await
    }

    async fn on(app: TestApp) -> Notebook {
        let ada = app.signed_up("ada").await;
        let course = ada.create_course("Algebra").await;
        let document = ada.create_document(&course, "").await;
        Notebook {
            app,
            ada,
            course,
            document,
        }
    }

    /// Another user and a document of theirs.
    async fn stranger(&self) -> (Person, String) {
        let bob = self.app.signed_up("bob").await;
        let course = bob.create_course("Algebra").await;
        let document = bob.create_document(&course, "").await;
        (bob, document)
    }

    /// The document as its owner sees it.
    async fn shown(&self) -> Value {
        let query = "query($id: ID!) { document(id: $id) {
            version createdAt updatedAt image { url contentType byteSize width height } } }";
        let mut data = self.ada.data(query, json!({ "id": self.document })).await;
        data["document"].take()
    }

    /// Makes an upload the image of the document.
    async fn set(&self, upload: &Value) -> Value {
        set(&self.ada, &self.document, upload).await
    }

    async fn remove(&self) -> Value {
        let input = json!({ "documentId": self.document });
        let selection = "document { id version image { url } }";
        self.ada
            .try_mutate("removeDocumentImage", input, selection)
            .await
    }

    /// The files in the folder of images, by their paths in it.
    fn files(&self) -> Vec<PathBuf> {
        files_in(&image_folder(&self.app.database))
    }

    /// The kinds and states of all rows.
    async fn rows(&self) -> String {
        let rows = "SELECT coalesce(string_agg(row, ' ' ORDER BY row), '') FROM (
            SELECT kind || ':' || state AS row FROM image_objects) AS rows";
        self.app.text(rows).await
    }

    /// Makes everything due that the sweep waits for, and sweeps.
    async fn sweep(&self) -> u64 {
        let long_ago = "UPDATE image_objects SET sweep_at = sweep_at - interval '2 hours',
            expires_at = expires_at - interval '2 hours'";
        self.app.sql(long_ago).await;
        sweep::sweep(&self.app.images).await.unwrap()
    }

    /// An upload for these bytes.
    async fn requested(&self, bytes: &[u8], content_type: &str) -> Value {
        let payload = request(&self.ada, &self.document, bytes.len(), content_type).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["upload"].clone()
    }

    /// An upload to which these bytes have been sent.
    async fn uploaded(&self, bytes: &[u8]) -> Value {
        let upload = self.requested(bytes, "image/png").await;
        let status = send(&upload, bytes.to_vec()).await;
        assert!([200, 204].contains(&status), "{status}");
        upload
    }

    /// Uploads an image and sets it. Returns the document.
    async fn with_image(&self, bytes: &[u8]) -> Value {
        let payload = self.set(&self.uploaded(bytes).await).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["document"].clone()
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found
}

const UPLOAD: &str = "upload { id method url headers { name value } expiresAt }";

/// The input of a request for an upload.
fn upload_input(document: &str, size: impl Into<i64>, content_type: &str) -> Value {
    json!({ "documentId": document, "contentType": content_type, "byteSize": size.into() })
}

async fn request(client: &Client, document: &str, size: usize, content_type: &str) -> Value {
    let input = upload_input(document, i64::try_from(size).unwrap(), content_type);
    client.try_mutate("requestImageUpload", input, UPLOAD).await
}

async fn set(client: &Client, document: &str, upload: &Value) -> Value {
    let input = json!({ "documentId": document, "uploadId": upload["id"] });
    let selection = "document { id version image { url contentType byteSize width height } }";
    client
        .try_mutate("setDocumentImage", input, selection)
        .await
}

/// Sends bytes as the upload says. Returns the status.
async fn send(upload: &Value, bytes: Vec<u8>) -> u16 {
    assert_eq!(upload["method"], "PUT");
    let mut request = reqwest::Client::new().put(text(&upload["url"])).body(bytes);
    for header in upload["headers"].as_array().unwrap() {
        let (name, value) = (header["name"].as_str(), header["value"].as_str());
        request = request.header(name.unwrap(), value.unwrap());
    }
    request.send().await.unwrap().status().as_u16()
}

/// The response to a link.
async fn fetched(url: &Value) -> reqwest::Response {
    reqwest::get(url.as_str().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_uploaded_set_served_and_removed() {
    let notebook = Notebook::new().await;
    let before = notebook.shown().await;
    assert_eq!(before["image"], Value::Null);
    let bytes = png(40, 30);
    let document = notebook.with_image(&bytes).await;
    assert_eq!(document["version"], 2);
    let image = &document["image"];
    let url = &image["url"];
    let expected = json!({ "url": url, "contentType": "image/png", "byteSize": bytes.len(),
                           "width": 40, "height": 30 });
    assert_eq!(*image, expected);
    let answer = fetched(&image["url"]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    let after = notebook.shown().await;
    assert_eq!(after["image"], *image, "the link is the same");
    assert!(after["updatedAt"].as_str() > before["updatedAt"].as_str());
    assert_eq!(notebook.rows().await, "image:stored upload:removing");
    assert_eq!(notebook.files().len(), 1, "the upload is deleted");

    let removed = notebook.remove().await;
    assert_eq!(removed["document"]["image"], Value::Null);
    assert_eq!(removed["document"]["version"], 3);
    let again = notebook.remove().await;
    assert_eq!(again["document"]["version"], 3, "nothing was changed");
    assert_eq!(notebook.sweep().await, 2);
    assert_eq!(
        (notebook.rows().await, notebook.files()),
        (String::new(), vec![])
    );
    assert_eq!(fetched(&image["url"]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_image_are_logged_as_changes_of_the_document() {
    let notebook = Notebook::new().await;
    notebook.with_image(&png(4, 3)).await;
    notebook.with_image(&png(3, 4)).await;
    notebook.remove().await;
    let log = "SELECT string_agg(format('%s %s %s %s', action, version, changes #>> '{image,old}' IS NULL,
            changes #>> '{image,new}' IS NULL), ', ' ORDER BY id)
        FROM audit_logs WHERE entity_type = 'Document' AND ip_address IS NOT NULL";
    assert_eq!(
        notebook.app.text(log).await,
        "CREATED 1 t t, UPDATED 2 t f, UPDATED 3 f f, UPDATED 4 f t"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn private_metadata_is_not_served() {
    let notebook = Notebook::new().await;
    let bytes = private_png(8, 8);
    let found = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"secret");
    assert!(found(&bytes));
    let document = notebook.with_image(&bytes).await;
    let shown = fetched(&document["image"]["url"]).await;
    assert!(!found(&shown.bytes().await.unwrap()));
    assert!(document["image"]["byteSize"].as_u64().unwrap() < bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_listed_with_their_images_and_filtered_by_having_one() {
    let notebook = Notebook::new().await;
    let (ada, mine) = (&notebook.ada, notebook.document.clone());
    let url = notebook.with_image(&png(4, 4)).await["image"]["url"].clone();
    let mut others = Vec::new();
    for _ in 0..9 {
        others.insert(0, ada.create_document(&notebook.course, "").await);
    }
    let listed = async |has: Option<bool>| {
        let query = "query($has: Boolean) { documents(filter: { hasImage: $has }) { nodes { id image { url } } } }";
        ada.data(query, json!({ "has": has })).await["documents"]["nodes"].take()
    };
    assert_eq!(texts(&listed(Some(true)).await, "id"), [mine.as_str()]);
    assert_eq!(texts(&listed(Some(false)).await, "id"), others);
    let before = notebook.app.pool.statements();
    let all = listed(None).await;
    let statements = notebook.app.pool.statements() - before;
    assert_eq!(texts(&all, "id"), [others, vec![mine]].concat());
    assert_eq!(
        (&all[0]["image"], &all[9]["image"]["url"]),
        (&Value::Null, &url)
    );
    // The revocations, the list, the images. On a busy machine a batch may be split.
    assert!(statements <= 5, "{statements} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_upload_requests_are_rejected() {
    let notebook = Notebook::new().await;
    let ada = &notebook.ada;
    let ask = async |document: &str, size: i64, content_type: &str| {
        let input = upload_input(document, size, content_type);
        ada.try_mutate("requestImageUpload", input, UPLOAD).await
    };
    let mine = &notebook.document;
    let most = 20 * 1024 * 1024;
    for (size, content_type, expected) in [
        (0, "image/png", "INVALID byteSize"),
        (-1, "image/png", "INVALID byteSize"),
        (most + 1, "image/png", "TOO_LARGE byteSize"),
        (1, "image/svg+xml", "UNSUPPORTED_TYPE contentType"),
        (1, "", "UNSUPPORTED_TYPE contentType"),
        (1, "image/png\r\nx: y", "UNSUPPORTED_TYPE contentType"),
    ] {
        let payload = ask(mine, size, content_type).await;
        assert_eq!(errors(&payload), [expected], "{size} {content_type}");
        assert_eq!(payload["upload"], Value::Null);
    }
    assert_eq!(errors(&ask(mine, most, "image/gif").await), [""; 0]);
    let (_, his) = notebook.stranger().await;
    for unknown in [&his, "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f", "no id"] {
        let payload = ask(unknown, 1, "image/png").await;
        assert_eq!(errors(&payload), ["NOT_FOUND documentId"]);
    }
    ada.trash(&[mine]).await;
    let payload = ask(mine, 1, "image/png").await;
    assert_eq!(errors(&payload), ["IN_TRASH documentId"]);
    let input = upload_input(mine, 1, "image/png");
    let code = notebook
        .app
        .anonymous()
        .mutation_error("requestImageUpload", input)
        .await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_at_most_twenty_open_uploads() {
    let notebook = Notebook::new().await;
    let input = upload_input(&notebook.document, 9, "image/png");
    let ask = async || {
        let asked = notebook
            .ada
            .post_mutation("requestImageUpload", input.clone(), UPLOAD);
        asked.await.json()
    };
    let answers = futures_util::future::join_all((0..30).map(|_| ask())).await;
    let opened = |answer: &&Value| answer["data"]["requestImageUpload"]["upload"].is_object();
    assert_eq!(answers.iter().filter(opened).count(), 20);
    let refused = answers.iter().find(|answer| !opened(answer)).unwrap();
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    let wait = extensions["retryAfterMs"].as_i64().unwrap();
    assert!((1..=900_000).contains(&wait), "{wait}");
    let (bob, his) = notebook.stranger().await;
    let payload = request(&bob, &his, 9, "image/png").await;
    assert_eq!(payload["userErrors"], json!([]), "others are not limited");
    let expire = "UPDATE image_objects SET expires_at = now()";
    notebook.app.sql(expire).await;
    assert!(opened(&&ask().await), "expired uploads do not count");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_own_complete_upload_for_the_document_can_be_set() {
    let notebook = Notebook::new().await;
    let (ada, mine) = (&notebook.ada, &notebook.document);
    let bytes = png(5, 5);
    let (bob, his) = notebook.stranger().await;
    let other = ada.create_document(&notebook.course, "").await;
    let his_upload = request(&bob, &his, bytes.len(), "image/png").await["upload"].clone();
    assert_eq!(send(&his_upload, bytes.clone()).await, 204);
    let unsent = notebook.requested(&bytes, "image/png").await;
    for upload in [&his_upload, &unsent, &json!({ "id": "no id" })] {
        let refused = notebook.set(upload).await;
        assert_eq!(errors(&refused), ["NOT_FOUND uploadId"]);
    }
    for (client, document) in [(ada, &his), (&bob, mine)] {
        let refused = set(client, document, &his_upload).await;
        assert_eq!(errors(&refused), ["NOT_FOUND documentId"]);
    }
    assert_eq!(send(&unsent, bytes.clone()).await, 204);
    let of_another_document = set(ada, &other, &unsent).await;
    assert_eq!(errors(&of_another_document), ["NOT_FOUND uploadId"]);

    let done = notebook.set(&unsent).await;
    assert_eq!(done["document"]["version"], 2);
    assert_eq!(
        notebook.set(&unsent).await,
        done,
        "a repetition changes nothing"
    );
    let newer = notebook.with_image(&png(6, 6)).await;
    assert_eq!(newer["version"], 3);
    let used = notebook.set(&unsent).await;
    assert_eq!(errors(&used), ["NOT_FOUND uploadId"]);

    let expired = notebook.uploaded(&bytes).await;
    let expire = "UPDATE image_objects SET expires_at = now() WHERE state = 'open'";
    notebook.app.sql(expire).await;
    let refused = notebook.set(&expired).await;
    assert_eq!(errors(&refused), ["NOT_FOUND uploadId"]);

    let upload = notebook.uploaded(&bytes).await;
    ada.trash(&[mine]).await;
    let refused = notebook.set(&upload).await;
    assert_eq!(errors(&refused), ["IN_TRASH documentId"]);
    let refused = notebook.remove().await;
    assert_eq!(errors(&refused), ["IN_TRASH documentId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_not_such_images_are_rejected_and_deleted() {
    let notebook = Notebook::new().await;
    let whole = png(9, 9);
    let mut appended = whole.clone();
    appended.extend_from_slice(b"<script>alert(1)</script>");
    for (bytes, announced, code) in [
        (whole.clone(), "image/jpeg", "INVALID"),
        (whole[..whole.len() - 6].to_vec(), "image/png", "INVALID"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
            "image/png",
            "UNSUPPORTED_TYPE",
        ),
        (b"BM______".to_vec(), "image/gif", "UNSUPPORTED_TYPE"),
        (vec![0xff], "image/jpeg", "UNSUPPORTED_TYPE"),
    ] {
        let upload = notebook.requested(&bytes, announced).await;
        assert_eq!(send(&upload, bytes).await, 204);
        let refused = notebook.set(&upload).await;
        assert_eq!(errors(&refused), [format!("{code} uploadId")]);
        assert_eq!(notebook.files(), Vec::<PathBuf>::new());
        let again = notebook.set(&upload).await;
        assert_eq!(errors(&again), ["NOT_FOUND uploadId"]);
    }
    let document = notebook.with_image(&appended).await;
    let shown = fetched(&document["image"]["url"]).await;
    let shown = shown.bytes().await.unwrap();
    assert_eq!(shown, whole, "bytes after the image are removed");
}
