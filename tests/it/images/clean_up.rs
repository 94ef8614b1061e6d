//! What the sweep deletes, and what it keeps.

use std::{cell::Cell, fs};

use futures_util::future::{join, join_all};
use serde_json::json;
use snapnote::images::sweep::sweep;
use tokio::time::{Duration, Instant};

use super::{Notebook, UPLOAD, fetched, png::png, request, send, set, upload_input};
use crate::support::{PASSWORD, image_folder, list, soon};

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_deletes_only_what_is_not_needed() {
    let notebook = Notebook::new().await;
    let bytes = png(20, 20);
    let replaced = notebook.with_image(&png(21, 20)).await;
    let kept = notebook.with_image(&bytes).await;
    let sent = notebook.uploaded(&bytes).await;
    let unsent = notebook.requested(&bytes, "image/png").await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!(now, 1, "the image that was replaced");
    assert_eq!(fetched(&replaced["image"]["url"]).await.status(), 404);
    // A young image that is being written, and its bytes, are left.
    notebook.app.sql(&pending()).await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!(now, 0);
    assert_eq!(notebook.files().len(), 2);
    let done = notebook.set(&sent).await;
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

/// A row of an image that a process is writing, or has died over.
fn pending() -> String {
    "INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height, sweep_at)
     SELECT user_id, gen_random_uuid(), id, 'image', 'pending', 'image/png', 1, 1, 1, now() + interval '1 hour'
     FROM documents LIMIT 1"
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_deleted_with_their_documents_but_stay_in_the_trash() {
    let notebook = Notebook::new().await;
    let image = notebook.with_image(&png(20, 20)).await["image"].clone();
    notebook.ada.trash(&[&notebook.course]).await;
    notebook.sweep().await;
    assert_eq!(fetched(&image["url"]).await.status(), 200);
    notebook.ada.restore(&[&notebook.course]).await;
    assert_eq!(notebook.shown().await["image"]["url"], image["url"]);

    notebook.ada.trash(&[&notebook.course]).await;
    notebook.ada.delete(&[&notebook.course]).await;
    assert_eq!(notebook.sweep().await, 1);
    assert_eq!(notebook.rows().await, "");
    assert_eq!(notebook.files().len(), 0);
    assert_eq!(fetched(&image["url"]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_deleted_with_their_owner_only() {
    let notebook = Notebook::new().await;
    notebook.with_image(&png(20, 20)).await;
    let open = notebook.requested(&png(3, 3), "image/png").await;
    assert_eq!(send(&open, png(3, 3)).await, 204);
    let (bob, his) = notebook.stranger().await;
    let upload = request(&bob, &his, png(4, 4).len(), "image/png").await["upload"].clone();
    assert_eq!(send(&upload, png(4, 4)).await, 204);
    let kept = set(&bob, &his, &upload).await["document"]["image"].clone();
    notebook.ada.delete_me(PASSWORD).await;
    notebook.sweep().await;
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
    assert_eq!(fetched(&kept["url"]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_deletions_are_retried() {
    let notebook = Notebook::new().await;
    notebook.with_image(&png(20, 20)).await;
    notebook.with_image(&png(21, 20)).await;
    // A process claimed it all, and died before it removed anything.
    let claimed = "UPDATE image_objects SET state = 'removing', sweep_at = now() + interval '10 minutes' WHERE state <> 'stored'";
    notebook.app.sql(claimed).await;
    let now = sweep(&notebook.app.images).await.unwrap();
    assert_eq!((now, notebook.files().len()), (0, 2));
    assert_eq!(notebook.sweep().await, 3);
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_document_refers_to_cannot_be_deleted() {
    let notebook = Notebook::new().await;
    notebook.with_image(&png(20, 20)).await;
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
async fn files_of_a_process_that_died_while_writing_are_deleted() {
    let notebook = Notebook::new().await;
    notebook.app.sql(&pending()).await;
    let id = notebook.app.text("SELECT id FROM image_objects").await;
    let folder = image_folder(&notebook.app.database).join("images").join(id);
    fs::create_dir_all(&folder).unwrap();
    for name in ["image", "image#1"] {
        fs::write(folder.join(name), "half a pic").unwrap();
    }
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 0);
    assert!(folder.exists());
    assert_eq!(notebook.sweep().await, 1);
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_cannot_be_deleted_do_not_block_others() {
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
    let aside = "image_objects WHERE sweep_at > now() + interval '23 hours'";
    assert_eq!(notebook.app.count(aside).await, 120);
    assert_eq!(notebook.app.count("image_objects").await, 120);
    fs::remove_dir_all(&folder).unwrap();
    notebook
        .app
        .sql("UPDATE image_objects SET sweep_at = now()")
        .await;
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_object_is_postponed_while_the_storage_is_unavailable() {
    let notebook = Notebook::new().await;
    notebook.with_image(&png(20, 20)).await;
    notebook.with_image(&png(21, 20)).await;
    let folder = image_folder(&notebook.app.database);
    let elsewhere = folder.with_extension("away");
    fs::rename(&folder, &elsewhere).unwrap();
    fs::write(&folder, "").unwrap();
    notebook
        .app
        .sql("UPDATE image_objects SET sweep_at = now() WHERE state <> 'stored'")
        .await;
    assert!(sweep(&notebook.app.images).await.is_err());
    let aside = "image_objects WHERE sweep_at > now() + interval '11 minutes'";
    assert_eq!(notebook.app.count(aside).await, 0);
    fs::remove_file(&folder).unwrap();
    fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(notebook.sweep().await, 3);
}

/// Sets and removes images in a loop. A mutation may fail or be UNAVAILABLE when its rows are deleted at the same time.
async fn change_repeatedly(notebook: &Notebook, done: &Cell<bool>) {
    let ada = &notebook.ada;
    let mine = ada.create_document(&notebook.course, "").await;
    let mut size = 10;
    while !done.get() {
        size += 1;
        let bytes = png(size, 10);
        let input = upload_input(&mine, i64::try_from(bytes.len()).unwrap(), "image/png");
        let asked = ada
            .post_mutation("requestImageUpload", input, UPLOAD)
            .await
            .json();
        let upload = &asked["data"]["requestImageUpload"]["upload"];
        if upload.is_null() {
            continue;
        }
        send(upload, bytes).await;
        let input = json!({ "documentId": mine, "uploadId": upload["id"] });
        let done = ada.post_mutation("setDocumentImage", input, "document { image { url } }");
        let done = done.await.json();
        let url = &done["data"]["setDocumentImage"]["document"]["image"]["url"];
        if url.is_string() {
            assert_eq!(fetched(url).await.status(), 200, "{done}");
        }
        if size % 5 == 0 {
            let input = json!({ "documentId": mine });
            ada.try_mutate("removeDocumentImage", input, "").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_document_loses_its_image_whenever_the_sweep_runs() {
    let (notebook, done) = (Notebook::new().await, Cell::new(false));
    let changing = join_all((0..4).map(|_| change_repeatedly(&notebook, &done)));
    let sweeping = async {
        let (mut swept, began) = (0, Instant::now());
        while swept <= 20 || began.elapsed() < Duration::from_secs(4) {
            // Far too early: files are swept while they are sent and written.
            let due = "UPDATE image_objects SET sweep_at = now() WHERE sweep_at IS NOT NULL";
            notebook.app.sql(due).await;
            swept += sweep(&notebook.app.images).await.unwrap();
        }
        done.set(true);
    };
    let both = join(changing, sweeping);
    soon("enough images are swept", both).await;
    let query = "{ documents(first: 100) { nodes { image { url } } } }";
    let data = notebook.ada.query(query).await;
    for node in list(&data["documents"]["nodes"]) {
        if node["image"].is_object() {
            assert_eq!(fetched(&node["image"]["url"]).await.status(), 200);
        }
    }
}
