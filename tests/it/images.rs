//! Images of documents: requested, uploaded, set, served and removed, as a client does it.

mod clean_up;
mod concurrent_uploads;
mod crashes;
mod downloads;
mod png;
mod quotas;
mod s3_server;
mod s3_storage;
mod thumbnails;
mod uploads;
mod validation;

use std::{
    fs,
    path::{Path, PathBuf},
};

use png::{png, private_png};
use serde_json::{Value, json};
use snapnote::images::{sweep, thumbnails::make_due};

use crate::support::{Client, Person, TestApp, image_folder, text, texts};

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

    /// The files in the folder of images, except thumbnails, by their paths in it.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = files_in(&image_folder(&self.app.database));
        files.retain(|file| !file.starts_with("thumbnails"));
        files
    }

    /// The files of thumbnails.
    fn thumbnail_files(&self) -> usize {
        files_in(&image_folder(&self.app.database).join("thumbnails")).len()
    }

    /// Makes all thumbnails that are due, now or later. Returns how many were made. On a busy machine, a request leaves its
    /// thumbnail to this job.
    async fn make_thumbnails(&self) -> u64 {
        let due = "UPDATE image_objects SET thumbnail_at = now() WHERE thumbnail_at IS NOT NULL";
        self.app.sql(due).await;
        make_due(&self.app.images).await.unwrap()
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

pub(crate) async fn request(
    client: &Client,
    document: &str,
    size: usize,
    content_type: &str,
) -> Value {
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

/// Uploads an image for a document. Returns the upload.
pub(crate) async fn uploaded(client: &Client, document: &str) -> Value {
    let bytes = png(20, 30);
    let mut requested = request(client, document, bytes.len(), "image/png").await;
    let upload = requested["upload"].take();
    assert_eq!(send(&upload, bytes).await, 204);
    upload
}

/// Gives a document an image. Returns its bytes as they are served.
pub(crate) async fn with_image(client: &Client, document: &str) -> Vec<u8> {
    let upload = uploaded(client, document).await;
    let set = set(client, document, &upload).await;
    let image = fetched(&set["document"]["image"]["url"]).await;
    image.bytes().await.unwrap().to_vec()
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
    assert_eq!(notebook.rows().await, "");
    assert_eq!(notebook.files().len(), 0);
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
    let expected = "CREATED 1 t t, UPDATED 2 t f, UPDATED 3 f f, UPDATED 4 f t";
    assert_eq!(notebook.app.text(log).await, expected);
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
    assert_eq!(all[0]["image"], Value::Null);
    assert_eq!(all[9]["image"]["url"], url);
    // The revocations, the list, the images. On a busy machine a batch may be split.
    assert!(statements <= 5, "{statements} statements");
}
