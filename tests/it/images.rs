//! Pictures of documents: asked for, sent, set, shown and removed, as a client does it.
//!
//! What is refused while they are sent is in `sending`, who waits for whom in `senders`, how they are served in `serving`, what
//! the sweep removes in `sweeping`, S3 in `bucket`, and what is left by a service that is killed between any two steps in
//! `faults`.

mod bucket;
mod faults;
mod pixels;
mod s3;
mod senders;
mod sending;
mod serving;
mod sweeping;

use std::{
    fs,
    path::{Path, PathBuf},
};

use pixels::{png, private_png};
use serde_json::{Value, json};
use snapnote::images::sweep;

use crate::support::{Client, TestApp, image_folder};

const REQUEST: &str = "mutation($input: RequestImageUploadInput!) { requestImageUpload(input: $input) {
    upload { id method url headers { name value } expiresAt } userErrors { code field message } } }";
const SET: &str = "mutation($input: SetDocumentImageInput!) { setDocumentImage(input: $input) {
    document { id version image { url contentType byteSize width height } } userErrors { code field message } } }";
const REMOVE: &str =
    "mutation($input: RemoveDocumentImageInput!) { removeDocumentImage(input: $input) {
    document { id version image { url } } userErrors { code field } } }";
const DOCUMENT: &str = "query($id: ID!) { document(id: $id) {
    version createdAt updatedAt image { url contentType byteSize width height } } }";

/// Somebody with a document, on a service of their own.
struct Notebook {
    app: TestApp,
    ada: Client,
    course: Value,
    document: Value,
}

impl Notebook {
    async fn new() -> Notebook {
        Notebook::on(TestApp::start().await).await
    }

    async fn on(app: TestApp) -> Notebook {
        let ada = app.signed_up("ada").await;
        let course = course(&ada).await;
        let document = document(&ada, &course).await;
        Notebook {
            app,
            ada,
            course,
            document,
        }
    }

    /// What is in the folder of pictures, by its path in it.
    fn files(&self) -> Vec<PathBuf> {
        files_in(&image_folder(&self.app.database))
    }

    /// The rows of objects, by kind and state.
    async fn rows(&self) -> String {
        let rows = "SELECT coalesce(string_agg(row, ' ' ORDER BY row), '') FROM (
            SELECT kind || ':' || state AS row FROM image_objects) AS rows";
        self.app.text(rows).await
    }

    /// Makes all that the sweep waits for due, and sweeps.
    async fn sweep(&self) -> u64 {
        let long_ago = "UPDATE image_objects SET sweep_at = sweep_at - interval '2 hours',
            expires_at = expires_at - interval '2 hours'";
        self.app.sql(long_ago).await;
        sweep::sweep(&self.app.images).await.unwrap()
    }

    /// An upload for the document that a picture of these bytes can be sent to.
    async fn requested(&self, bytes: &[u8], content_type: &str) -> Value {
        let payload = requested(&self.ada, &self.document, bytes.len(), content_type).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["upload"].clone()
    }

    /// Sends a picture and makes it the document's; answers the document.
    async fn with_picture(&self, bytes: &[u8]) -> Value {
        let upload = self.requested(bytes, "image/png").await;
        assert_eq!(send(&upload, bytes.to_vec()).await, 204);
        let payload = set(&self.ada, &self.document, &upload).await;
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

async fn course(client: &Client) -> Value {
    let query = r#"mutation { createCourse(input: { name: "Algebra" }) { course { id } } }"#;
    client.data(query, json!({})).await["createCourse"]["course"]["id"].clone()
}

async fn document(client: &Client, course: &Value) -> Value {
    let query = r#"mutation($course: ID!) { createDocument(input: {
        courseId: $course, title: "Groups", originalText: "", formattedNote: "" }) { document { id } } }"#;
    let data = client.data(query, json!({ "course": course })).await;
    data["createDocument"]["document"]["id"].clone()
}

async fn requested(client: &Client, document: &Value, size: usize, content_type: &str) -> Value {
    let input = json!({ "documentId": document, "contentType": content_type, "byteSize": size });
    client.data(REQUEST, json!({ "input": input })).await["requestImageUpload"].clone()
}

async fn set(client: &Client, document: &Value, upload: &Value) -> Value {
    let input = json!({ "documentId": document, "uploadId": upload["id"] });
    client.data(SET, json!({ "input": input })).await["setDocumentImage"].clone()
}

/// Sends bytes as the upload says; answers the status.
async fn send(upload: &Value, bytes: Vec<u8>) -> u16 {
    let url = upload["url"].as_str().unwrap();
    assert_eq!(upload["method"], "PUT");
    let mut request = reqwest::Client::new().put(url).body(bytes);
    for header in upload["headers"].as_array().unwrap() {
        let (name, value) = (header["name"].as_str(), header["value"].as_str());
        request = request.header(name.unwrap(), value.unwrap());
    }
    request.send().await.unwrap().status().as_u16()
}

/// What a link answers.
async fn fetched(url: &Value) -> reqwest::Response {
    reqwest::get(url.as_str().unwrap()).await.unwrap()
}

/// Code and field of a payload's errors.
fn refusals(payload: &Value) -> Vec<(&str, &str)> {
    let errors = payload["userErrors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let field = error["field"].as_array().unwrap().last().unwrap();
            (error["code"].as_str().unwrap(), field.as_str().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_sent_set_shown_and_removed() {
    let notebook = Notebook::new().await;
    let id = json!({ "id": notebook.document });
    let before = notebook.ada.data(DOCUMENT, id.clone()).await["document"].clone();
    assert_eq!(before["image"], Value::Null);
    let bytes = png(40, 30);
    let document = notebook.with_picture(&bytes).await;
    assert_eq!(document["version"], 2);
    let image = &document["image"];
    assert_eq!(
        (&image["contentType"], &image["byteSize"]),
        (&json!("image/png"), &json!(bytes.len()))
    );
    assert_eq!(
        (&image["width"], &image["height"]),
        (&json!(40), &json!(30))
    );
    let answer = fetched(&image["url"]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    let after = notebook.ada.data(DOCUMENT, id.clone()).await["document"].clone();
    assert_eq!(after["image"], *image, "the link is the same");
    assert!(after["updatedAt"].as_str() > before["updatedAt"].as_str());
    assert_eq!(notebook.rows().await, "image:stored upload:removing");
    assert_eq!(notebook.files().len(), 1, "what was sent is gone already");

    let removed = notebook.ada.data(
        REMOVE,
        json!({ "input": { "documentId": notebook.document } }),
    );
    let removed = removed.await["removeDocumentImage"].clone();
    assert_eq!(removed["document"]["image"], Value::Null);
    assert_eq!(removed["document"]["version"], 3);
    let again = notebook.ada.data(
        REMOVE,
        json!({ "input": { "documentId": notebook.document } }),
    );
    let again = again.await["removeDocumentImage"].clone();
    assert_eq!(again["document"]["version"], 3, "nothing was changed");
    assert_eq!(notebook.sweep().await, 2);
    assert_eq!(
        (notebook.rows().await, notebook.files()),
        (String::new(), vec![])
    );
    assert_eq!(fetched(&image["url"]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_a_change_of_its_document_in_the_log() {
    let notebook = Notebook::new().await;
    notebook.with_picture(&png(4, 3)).await;
    notebook.with_picture(&png(3, 4)).await;
    let removed = notebook.ada.data(
        REMOVE,
        json!({ "input": { "documentId": notebook.document } }),
    );
    removed.await;
    let log = "SELECT string_agg(format('%s %s %s %s', action, version, changes #>> '{image,old}' IS NULL,
            changes #>> '{image,new}' IS NULL), ', ' ORDER BY id)
        FROM audit_logs WHERE entity_type = 'Document' AND ip_address IS NOT NULL";
    assert_eq!(
        notebook.app.text(log).await,
        "CREATED 1 t t, UPDATED 2 t f, UPDATED 3 f f, UPDATED 4 f t"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_not_handed_out() {
    let notebook = Notebook::new().await;
    let bytes = private_png(8, 8);
    let found = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"secret");
    assert!(found(&bytes));
    let document = notebook.with_picture(&bytes).await;
    let shown = fetched(&document["image"]["url"]).await;
    assert!(!found(&shown.bytes().await.unwrap()));
    assert!(document["image"]["byteSize"].as_u64().unwrap() < bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_listed_with_their_pictures_in_one_statement_and_by_them() {
    let notebook = Notebook::new().await;
    let url = notebook.with_picture(&png(4, 4)).await["image"]["url"].clone();
    let mut others = Vec::new();
    for _ in 0..9 {
        others.insert(0, document(&notebook.ada, &notebook.course).await);
    }
    let list = "query($has: Boolean) { documents(filter: { hasImage: $has }) { nodes { id image { url } } } }";
    let ids = async |has: Option<bool>| {
        let data = notebook.ada.data(list, json!({ "has": has })).await;
        let nodes = data["documents"]["nodes"].as_array().unwrap().clone();
        let ids: Vec<Value> = nodes.iter().map(|node| node["id"].clone()).collect();
        (ids, nodes)
    };
    assert_eq!(ids(Some(true)).await.0, vec![notebook.document.clone()]);
    assert_eq!(ids(Some(false)).await.0, others);
    let before = notebook.app.pool.statements();
    let (all, nodes) = ids(None).await;
    let statements = notebook.app.pool.statements() - before;
    assert_eq!(all, [others, vec![notebook.document.clone()]].concat());
    assert_eq!(
        (&nodes[0]["image"], &nodes[9]["image"]["url"]),
        (&Value::Null, &url)
    );
    // What was revoked, the list, the pictures; a batch can fall apart on a busy machine.
    assert!(statements <= 5, "{statements} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_asked_for_in_order() {
    let notebook = Notebook::new().await;
    let ask = async |document: &Value, size: i64, content_type: &str| {
        let input =
            json!({ "documentId": document, "contentType": content_type, "byteSize": size });
        let data = notebook.ada.data(REQUEST, json!({ "input": input })).await;
        data["requestImageUpload"].clone()
    };
    let mine = &notebook.document;
    for (size, content_type, expected) in [
        (0, "image/png", ("INVALID", "byteSize")),
        (-1, "image/png", ("INVALID", "byteSize")),
        (20 * 1024 * 1024 + 1, "image/png", ("TOO_LARGE", "byteSize")),
        (1, "image/svg+xml", ("UNSUPPORTED_TYPE", "contentType")),
        (1, "", ("UNSUPPORTED_TYPE", "contentType")),
        (1, "image/png\r\nx: y", ("UNSUPPORTED_TYPE", "contentType")),
    ] {
        let payload = ask(mine, size, content_type).await;
        assert_eq!(refusals(&payload), [expected], "{size} {content_type}");
        assert_eq!(payload["upload"], Value::Null);
    }
    assert_eq!(
        refusals(&ask(mine, 20 * 1024 * 1024, "image/gif").await),
        []
    );
    let bob = notebook.app.signed_up("bob").await;
    let his = document(&bob, &course(&bob).await).await;
    for unknown in [
        his,
        json!("018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f"),
        json!("no id"),
    ] {
        let payload = ask(&unknown, 1, "image/png").await;
        assert_eq!(refusals(&payload), [("NOT_FOUND", "documentId")]);
    }
    let trash = "mutation($id: ID!) { trashItems(input: { ids: [$id] }) { userErrors { code } } }";
    notebook.ada.data(trash, json!({ "id": mine })).await;
    let payload = ask(mine, 1, "image/png").await;
    assert_eq!(refusals(&payload), [("IN_TRASH", "documentId")]);
    let input = json!({ "documentId": mine, "contentType": "image/png", "byteSize": 1 });
    let visitor = notebook.app.visitor();
    let code = visitor.error_code(REQUEST, json!({ "input": input }));
    assert_eq!(code.await, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_uploads_are_open_at_a_time_however_many_ask_at_once() {
    let notebook = Notebook::new().await;
    let input =
        json!({ "documentId": notebook.document, "contentType": "image/png", "byteSize": 9 });
    let ask = async || {
        notebook
            .ada
            .graphql(REQUEST, json!({ "input": input }))
            .await
    };
    let answers = futures_util::future::join_all((0..30).map(|_| ask())).await;
    let opened = |answer: &&Value| answer["data"]["requestImageUpload"]["upload"].is_object();
    assert_eq!(answers.iter().filter(opened).count(), 20);
    let refused = answers.iter().find(|answer| !opened(answer)).unwrap();
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    let wait = extensions["retryAfterMs"].as_i64().unwrap();
    assert!((1..=900_000).contains(&wait), "{wait}");
    let bob = notebook.app.signed_up("bob").await;
    let his = document(&bob, &course(&bob).await).await;
    let payload = requested(&bob, &his, 9, "image/png").await;
    assert_eq!(payload["userErrors"], json!([]), "others are not held back");
    notebook
        .app
        .sql("UPDATE image_objects SET expires_at = now()")
        .await;
    assert!(opened(&&ask().await), "what has expired is not open");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_upload_of_ones_own_is_set() {
    let notebook = Notebook::new().await;
    let (ada, mine) = (&notebook.ada, &notebook.document);
    let bytes = png(5, 5);
    let bob = notebook.app.signed_up("bob").await;
    let his = document(&bob, &course(&bob).await).await;
    let other = document(ada, &notebook.course).await;
    let his_upload = requested(&bob, &his, bytes.len(), "image/png").await["upload"].clone();
    assert_eq!(send(&his_upload, bytes.clone()).await, 204);
    let unsent = notebook.requested(&bytes, "image/png").await;
    let no_upload = [("NOT_FOUND", "uploadId")];
    assert_eq!(refusals(&set(ada, mine, &his_upload).await), no_upload);
    assert_eq!(refusals(&set(ada, mine, &unsent).await), no_upload);
    assert_eq!(
        refusals(&set(ada, mine, &json!({ "id": "no id" })).await),
        no_upload
    );
    let no_document = [("NOT_FOUND", "documentId")];
    assert_eq!(refusals(&set(ada, &his, &his_upload).await), no_document);
    assert_eq!(refusals(&set(&bob, mine, &his_upload).await), no_document);
    assert_eq!(send(&unsent, bytes.clone()).await, 204);
    assert_eq!(
        refusals(&set(ada, &other, &unsent).await),
        no_upload,
        "of another document"
    );

    let done = set(ada, mine, &unsent).await;
    assert_eq!(done["document"]["version"], 2);
    assert_eq!(
        set(ada, mine, &unsent).await,
        done,
        "a repeat changes nothing"
    );
    let newer = notebook.with_picture(&png(6, 6)).await;
    assert_eq!(newer["version"], 3);
    assert_eq!(
        refusals(&set(ada, mine, &unsent).await),
        no_upload,
        "it was used"
    );

    let expired = notebook.requested(&bytes, "image/png").await;
    assert_eq!(send(&expired, bytes.clone()).await, 204);
    notebook
        .app
        .sql("UPDATE image_objects SET expires_at = now() WHERE state = 'open'")
        .await;
    assert_eq!(refusals(&set(ada, mine, &expired).await), no_upload);

    let upload = notebook.requested(&bytes, "image/png").await;
    assert_eq!(send(&upload, bytes).await, 204);
    let trash = "mutation($id: ID!) { trashItems(input: { ids: [$id] }) { userErrors { code } } }";
    ada.data(trash, json!({ "id": mine })).await;
    assert_eq!(
        refusals(&set(ada, mine, &upload).await),
        [("IN_TRASH", "documentId")]
    );
    let remove = ada
        .data(REMOVE, json!({ "input": { "documentId": mine } }))
        .await;
    assert_eq!(
        refusals(&remove["removeDocumentImage"]),
        [("IN_TRASH", "documentId")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_picture_is_refused_and_gone() {
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
        let refused = set(&notebook.ada, &notebook.document, &upload).await;
        assert_eq!(refusals(&refused), [(code, "uploadId")], "{refused}");
        assert_eq!(notebook.files(), Vec::<PathBuf>::new());
        let again = set(&notebook.ada, &notebook.document, &upload).await;
        assert_eq!(refusals(&again), [("NOT_FOUND", "uploadId")]);
    }
    let document = notebook.with_picture(&appended).await;
    let shown = fetched(&document["image"]["url"])
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(shown, whole, "what stood behind the picture is gone");
}
