//! What the sweep removes, and what it never does.

use std::{fs, sync::Arc};

use serde_json::json;
use snapnote::images::sweep::sweep;
use tokio::time::{Duration, Instant};

use super::{Notebook, REMOVE, REQUEST, SET, document, fetched, pixels::png, send, set};
use crate::support::image_folder;

const TRASH: &str =
    "mutation($ids: [ID!]!) { trashItems(input: { ids: $ids }) { userErrors { code } } }";
const DELETE: &str =
    "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_is_removed_and_nothing_else() {
    let notebook = Notebook::new().await;
    let bytes = png(20, 20);
    let replaced = notebook.with_picture(&png(21, 20)).await;
    let kept = notebook.with_picture(&bytes).await;
    let sent = notebook.requested(&bytes, "image/png").await;
    assert_eq!(send(&sent, bytes.clone()).await, 204);
    let unsent = notebook.requested(&bytes, "image/png").await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!(now, 1, "the picture that was replaced");
    assert_eq!(fetched(&replaced["image"]["url"]).await.status(), 404);
    // A young picture that is being written, and its bytes, are left.
    notebook.app.sql(&pending()).await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!(now, 0);
    assert_eq!(notebook.files().len(), 2);
    let done = set(&notebook.ada, &notebook.document, &sent).await;
    assert_eq!(done["userErrors"], json!([]));

    assert_eq!(notebook.sweep().await, 6);
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
    assert_eq!(fetched(&kept["image"]["url"]).await.status(), 404);
    let shown = fetched(&done["document"]["image"]["url"]).await;
    assert_eq!(shown.bytes().await.unwrap(), bytes);
    assert_eq!(send(&unsent, bytes).await, 404);
    assert_eq!(notebook.sweep().await, 0);
}

/// A row of a picture that a process is writing, or has died over.
fn pending() -> String {
    "INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height, sweep_at)
     SELECT user_id, gen_random_uuid(), id, 'image', 'pending', 'image/png', 1, 1, 1, now() + interval '1 hour'
     FROM documents LIMIT 1"
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_with_their_documents_but_not_to_the_trash() {
    let notebook = Notebook::new().await;
    let image = notebook.with_picture(&png(20, 20)).await["image"].clone();
    notebook
        .ada
        .data(TRASH, json!({ "ids": [notebook.course] }))
        .await;
    notebook.sweep().await;
    assert_eq!(fetched(&image["url"]).await.status(), 200);
    let restore =
        "mutation($ids: [ID!]!) { restoreItems(input: { ids: $ids }) { userErrors { code } } }";
    notebook
        .ada
        .data(restore, json!({ "ids": [notebook.course] }))
        .await;
    let query = "query($id: ID!) { document(id: $id) { image { url } } }";
    let back = notebook
        .ada
        .data(query, json!({ "id": notebook.document }))
        .await;
    assert_eq!(back["document"]["image"]["url"], image["url"]);

    notebook
        .ada
        .data(TRASH, json!({ "ids": [notebook.course] }))
        .await;
    notebook
        .ada
        .data(DELETE, json!({ "ids": [notebook.course] }))
        .await;
    assert_eq!(notebook.sweep().await, 1);
    assert_eq!(
        (notebook.rows().await, notebook.files().len()),
        (String::new(), 0)
    );
    assert_eq!(fetched(&image["url"]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_with_their_owner_and_others_stay() {
    let notebook = Notebook::new().await;
    notebook.with_picture(&png(20, 20)).await;
    let open = notebook.requested(&png(3, 3), "image/png").await;
    assert_eq!(send(&open, png(3, 3)).await, 204);
    let bob = notebook.app.signed_up("bob").await;
    let his = document(&bob, &super::course(&bob).await).await;
    let upload = super::requested(&bob, &his, png(4, 4).len(), "image/png").await["upload"].clone();
    assert_eq!(send(&upload, png(4, 4)).await, 204);
    let kept = set(&bob, &his, &upload).await["document"]["image"].clone();
    let leave =
        r#"mutation { deleteMe(input: { password: "correct horse" }) { userErrors { code } } }"#;
    notebook.ada.data(leave, json!({})).await;
    notebook.sweep().await;
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
    assert_eq!(fetched(&kept["url"]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_removed_is_tried_again() {
    let notebook = Notebook::new().await;
    notebook.with_picture(&png(20, 20)).await;
    notebook.with_picture(&png(21, 20)).await;
    // A process claimed it all, and died before it removed anything.
    let claimed = "UPDATE image_objects SET state = 'removing', sweep_at = now() + interval '10 minutes' WHERE state <> 'stored'";
    notebook.app.sql(claimed).await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!((now, notebook.files().len()), (0, 2));
    assert_eq!(notebook.sweep().await, 3);
    assert_eq!(
        (notebook.rows().await.as_str(), notebook.files().len()),
        ("image:stored", 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lets_no_row_go_that_a_document_refers_to() {
    let notebook = Notebook::new().await;
    notebook.with_picture(&png(20, 20)).await;
    // Even if the states were wrong.
    notebook
        .app
        .sql("UPDATE image_objects SET state = 'removing', sweep_at = now() - interval '1 day'")
        .await;
    assert_eq!(notebook.sweep().await, 1, "the upload alone");
    assert_eq!(notebook.files().len(), 1);
    assert_eq!(notebook.rows().await, "image:removing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_left_that_died_while_it_wrote_goes_with_its_row() {
    let notebook = Notebook::new().await;
    notebook.app.sql(&pending()).await;
    let id = notebook.app.text("SELECT id FROM image_objects").await;
    let folder = image_folder(&notebook.app.database).join("images").join(id);
    fs::create_dir_all(&folder).unwrap();
    for name in ["picture", "picture#1"] {
        fs::write(folder.join(name), "half a pic").unwrap();
    }
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 0);
    assert!(folder.exists());
    assert_eq!(notebook.sweep().await, 1);
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_removed_is_set_aside_for_a_day_and_the_others_go() {
    let notebook = Notebook::new().await;
    // More than one step claims, and those that cannot be removed are due first.
    notebook
        .app
        .sql(
            "INSERT INTO image_objects
                 (user_id, id, document_id, kind, state, content_type, byte_size, width, height, sweep_at)
             SELECT user_id, gen_random_uuid(), id, 'image', 'removing', 'image/png', 1, 1, 1, now() - n * interval '1 minute'
             FROM documents, generate_series(1, 230) AS n",
        )
        .await;
    let folder = image_folder(&notebook.app.database).join("images");
    fs::create_dir_all(&folder).unwrap();
    let oldest = "SELECT string_agg(id::text, ' ') FROM (SELECT id FROM image_objects ORDER BY sweep_at LIMIT 120) AS oldest";
    for id in notebook.app.text(oldest).await.split(' ') {
        // A file where there should be a folder.
        fs::write(folder.join(id), "").unwrap();
    }
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 110);
    let aside = "SELECT count(*) FROM image_objects WHERE sweep_at > now() + interval '23 hours'";
    assert_eq!(notebook.app.number(aside).await, 120);
    assert_eq!(
        notebook
            .app
            .number("SELECT count(*) FROM image_objects")
            .await,
        120
    );
    fs::remove_dir_all(&folder).unwrap();
    notebook
        .app
        .sql("UPDATE image_objects SET sweep_at = now()")
        .await;
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_set_aside_while_the_store_is_away() {
    let notebook = Notebook::new().await;
    notebook.with_picture(&png(20, 20)).await;
    notebook.with_picture(&png(21, 20)).await;
    let folder = image_folder(&notebook.app.database);
    let elsewhere = folder.with_extension("away");
    fs::rename(&folder, &elsewhere).unwrap();
    fs::write(&folder, "").unwrap();
    notebook
        .app
        .sql("UPDATE image_objects SET sweep_at = now() WHERE state <> 'stored'")
        .await;
    assert!(sweep(&notebook.app.images).await.is_err());
    let aside = "SELECT count(*) FROM image_objects WHERE sweep_at > now() + interval '11 minutes'";
    assert_eq!(notebook.app.number(aside).await, 0);
    fs::remove_file(&folder).unwrap();
    fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(notebook.sweep().await, 3);
}

/// Sets and removes pictures over and over; a mutation may be refused or UNAVAILABLE, when its rows are swept under it.
async fn change_over_and_over(notebook: Arc<Notebook>, until: Instant) {
    let mine = document(&notebook.ada, &notebook.course).await;
    let mut size = 10;
    while Instant::now() < until {
        size += 1;
        let bytes = png(size, 10);
        let input =
            json!({ "documentId": mine, "contentType": "image/png", "byteSize": bytes.len() });
        let asked = notebook
            .ada
            .graphql(REQUEST, json!({ "input": input }))
            .await;
        let upload = &asked["data"]["requestImageUpload"]["upload"];
        if upload.is_null() {
            continue;
        }
        send(upload, bytes).await;
        let input = json!({ "documentId": mine, "uploadId": upload["id"] });
        let done = notebook.ada.graphql(SET, json!({ "input": input })).await;
        let url = &done["data"]["setDocumentImage"]["document"]["image"]["url"];
        if url.is_string() {
            assert_eq!(fetched(url).await.status(), 200, "{done}");
        }
        if size % 5 == 0 {
            notebook
                .ada
                .data(REMOVE, json!({ "input": { "documentId": mine } }))
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_swept_at_whatever_moment_no_document_loses_its_picture() {
    let notebook = Arc::new(Notebook::new().await);
    let until = Instant::now() + Duration::from_secs(4);
    let changing = (0..4).map(|_| tokio::spawn(change_over_and_over(notebook.clone(), until)));
    let changing: Vec<_> = changing.collect();
    let mut swept = 0;
    while Instant::now() < until {
        // Far too early: what is being sent and written is swept under the hands of who does it.
        notebook
            .app
            .sql("UPDATE image_objects SET sweep_at = now() WHERE sweep_at IS NOT NULL")
            .await;
        swept += sweep(&notebook.app.images).await.unwrap();
    }
    for task in changing {
        task.await.unwrap();
    }
    assert!(swept > 20, "{swept}");
    let query = "{ documents(first: 100) { nodes { image { url } } } }";
    let data = notebook.ada.data(query, json!({})).await;
    for node in data["documents"]["nodes"].as_array().unwrap() {
        if node["image"].is_object() {
            assert_eq!(fetched(&node["image"]["url"]).await.status(), 200);
        }
    }
}
