//! Thumbnails: made with the image or later, served, removed with the image, and never a reason for a failure.

use std::fs;

use serde_json::{Value, json};
use snapnote::images::{sweep::sweep, thumbnails::make_due};

use super::{
    Notebook, fetched,
    png::{black_png, png, transparent_png, undecodable_png},
};
use crate::support::{PASSWORD, eventually, image_folder, text};

const THUMBNAIL: &str = "query($id: ID!) {
    document(id: $id) { version updatedAt image { url thumbnail { url width height } } } }";

/// As it was before the service made thumbnails.
const FORGET: &str = "UPDATE image_objects
    SET thumbnail_type = NULL, thumbnail_width = NULL, thumbnail_height = NULL, thumbnail_at = now()";

impl Notebook {
    /// The document with its image and the image's thumbnail.
    async fn with_thumbnail(&self) -> Value {
        let id = json!({ "id": self.document });
        self.ada.data(THUMBNAIL, id).await["document"].take()
    }

    async fn thumbnail(&self) -> Value {
        self.with_thumbnail().await["image"]["thumbnail"].take()
    }

    /// Sets an image, and returns its thumbnail.
    pub(super) async fn thumbnail_of(&self, bytes: &[u8]) -> Value {
        self.with_image(bytes).await;
        self.make_thumbnails().await;
        self.thumbnail().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thumbnail_is_made_when_the_image_is_set() {
    let notebook = Notebook::new().await;
    // On a very busy machine, a request may not wait for it.
    let thumbnail = eventually("a request makes it", async || {
        notebook.with_image(&png(1024, 300)).await;
        let thumbnail = notebook.thumbnail().await;
        thumbnail.is_object().then_some(thumbnail).ok_or("null")
    });
    let thumbnail = thumbnail.await;
    assert_eq!(thumbnail["width"], 512);
    assert_eq!(thumbnail["height"], 150);
    let answer = fetched(&thumbnail["url"]).await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "image/jpeg");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(
        headers["content-security-policy"],
        "default-src 'none'; sandbox"
    );
    let caching = headers["cache-control"].to_str().unwrap();
    assert!(caching.starts_with("private, max-age=") && caching.ends_with(", immutable"));
    let (info, _) = image_intake::clean(answer.bytes().await.unwrap().into()).unwrap();
    assert_eq!(
        (info.content_type, info.width, info.height),
        ("image/jpeg", 512, 150)
    );
    assert_eq!(
        notebook.thumbnail().await,
        thumbnail,
        "the link is the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_of_transparent_images_are_png_and_small_images_keep_their_size() {
    let notebook = Notebook::new().await;
    let thumbnail = notebook.thumbnail_of(&transparent_png(30, 20)).await;
    assert_eq!(thumbnail["width"], 30);
    assert_eq!(thumbnail["height"], 20);
    let answer = fetched(&thumbnail["url"]).await;
    assert_eq!(answer.headers()["content-type"], "image/png");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_makes_the_thumbnails_of_older_images_without_changing_documents() {
    let notebook = Notebook::new().await;
    notebook.thumbnail_of(&png(20, 20)).await;
    fs::remove_dir_all(image_folder(&notebook.app.database).join("thumbnails")).unwrap();
    notebook.app.sql(FORGET).await;
    let before = notebook.with_thumbnail().await;
    assert_eq!(before["image"]["thumbnail"], Value::Null);
    let changes = notebook.app.count("audit_logs").await;

    // A process runs the job when it starts.
    let _other = notebook.app.another().await;
    let made = eventually("the job makes it", async || {
        let document = notebook.with_thumbnail().await;
        let thumbnail = &document["image"]["thumbnail"];
        thumbnail.is_object().then_some(document).ok_or("null")
    });
    let made = made.await;
    assert_eq!(
        fetched(&made["image"]["thumbnail"]["url"]).await.status(),
        200
    );
    assert_eq!(made["version"], before["version"]);
    assert_eq!(made["updatedAt"], before["updatedAt"]);
    assert_eq!(notebook.app.count("audit_logs").await, changes);
    assert_eq!(notebook.make_thumbnails().await, 0, "it is made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_are_too_large_or_cannot_be_decoded_have_no_thumbnail_and_are_tried_once() {
    let notebook = Notebook::new().await;
    for bytes in [black_png(8001, 8000), undecodable_png(20, 20)] {
        let document = notebook.with_image(&bytes).await;
        assert_eq!(document["image"]["byteSize"], bytes.len());
        assert_eq!(notebook.thumbnail().await, Value::Null);
        notebook.app.sql(FORGET).await;
        assert_eq!(make_due(&notebook.app.images).await.unwrap(), 0);
        assert_eq!(notebook.thumbnail().await, Value::Null);
        assert_eq!(
            notebook
                .app
                .count("image_objects WHERE state = 'stored' AND thumbnail_at IS NOT NULL")
                .await,
            0
        );
        assert_eq!(notebook.thumbnail_files(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_set_even_if_its_thumbnail_cannot_be_written() {
    let notebook = Notebook::new().await;
    // A file where there should be a folder.
    let folder = image_folder(&notebook.app.database).join("thumbnails");
    fs::write(&folder, "").unwrap();
    let document = notebook.with_image(&png(20, 20)).await;
    assert_eq!(fetched(&document["image"]["url"]).await.status(), 200);
    assert_eq!(notebook.thumbnail().await, Value::Null);

    let due = "UPDATE image_objects SET thumbnail_at = now() WHERE state = 'stored'";
    notebook.app.sql(due).await;
    assert_eq!(make_due(&notebook.app.images).await.unwrap(), 0);
    let postponed = "image_objects WHERE thumbnail_at > now() + interval '50 minutes'";
    assert_eq!(notebook.app.count(postponed).await, 1);
    fs::remove_file(&folder).unwrap();
    assert_eq!(notebook.make_thumbnails().await, 1);
    let thumbnail = notebook.thumbnail().await;
    assert_eq!(fetched(&thumbnail["url"]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_read_does_not_prevent_the_thumbnails_of_others() {
    let mut notebook = Notebook::new().await;
    notebook.with_image(&png(20, 20)).await;
    let file = image_folder(&notebook.app.database).join(&notebook.files()[0]);
    // A link to itself cannot be opened.
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&file, &file).unwrap();
    notebook.app.sql(FORGET).await;
    notebook.document = notebook.ada.create_document(&notebook.course, "").await;
    notebook.with_image(&png(21, 20)).await;
    let forget = FORGET.replace("now()", "coalesce(thumbnail_at, now())");
    notebook.app.sql(&forget).await;
    assert_eq!(make_due(&notebook.app.images).await.unwrap(), 1);
    assert_eq!(notebook.thumbnail().await["width"], 21);
    let postponed = "image_objects WHERE thumbnail_at > now() + interval '50 minutes'";
    assert_eq!(notebook.app.count(postponed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_at_which_five_processes_died_is_not_tried_again() {
    let notebook = Notebook::new().await;
    notebook.thumbnail_of(&png(20, 20)).await;
    for (attempts, made) in [(4, 1), (5, 0)] {
        notebook.app.sql(FORGET).await;
        let died = format!("UPDATE image_objects SET thumbnail_attempts = {attempts}");
        notebook.app.sql(&died).await;
        assert_eq!(
            make_due(&notebook.app.images).await.unwrap(),
            made,
            "{attempts}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_are_removed_with_their_images() {
    let notebook = Notebook::new().await;
    let replaced = notebook.thumbnail_of(&png(20, 20)).await;
    let removed = notebook.thumbnail_of(&png(21, 20)).await;
    assert_eq!(notebook.thumbnail_files(), 2);
    notebook.remove().await;
    notebook.sweep().await;
    assert_eq!(notebook.thumbnail_files(), 0);
    for thumbnail in [replaced, removed] {
        assert_eq!(fetched(&thumbnail["url"]).await.status(), 404);
    }

    notebook.thumbnail_of(&png(20, 20)).await;
    notebook.ada.trash(&[&notebook.document]).await;
    notebook.sweep().await;
    assert_eq!(notebook.thumbnail_files(), 1, "it stays in the trash");
    notebook.ada.delete(&[&notebook.document]).await;
    notebook.sweep().await;
    assert_eq!(notebook.thumbnail_files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_are_removed_with_their_owner() {
    let notebook = Notebook::new().await;
    notebook.thumbnail_of(&png(20, 20)).await;
    notebook.ada.delete_me(PASSWORD).await;
    notebook.sweep().await;
    assert_eq!(notebook.thumbnail_files(), 0);
    assert_eq!(notebook.rows().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_waits_for_a_process_that_may_be_writing_a_thumbnail() {
    let notebook = Notebook::new().await;
    notebook.thumbnail_of(&png(20, 20)).await;
    notebook.sweep().await;
    let claimed = "UPDATE image_objects SET thumbnail_at = now() + interval '10 minutes'";
    notebook.app.sql(claimed).await;
    notebook.remove().await;
    assert_eq!(sweep(&notebook.app.images).await.unwrap(), 0);
    assert_eq!(notebook.thumbnail_files(), 1);
    assert_eq!(notebook.sweep().await, 1);
    assert_eq!(notebook.thumbnail_files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_images_and_thumbnails_cannot_be_exchanged() {
    let notebook = Notebook::new().await;
    notebook.thumbnail_of(&png(20, 20)).await;
    let image = notebook.with_thumbnail().await["image"].take();
    let (of_image, of_thumbnail) = (text(&image["url"]), text(&image["thumbnail"]["url"]));
    for link in [
        of_image.replace("/images/", "/thumbnails/"),
        of_image
            .replace("/images/", "/thumbnails/")
            .replace(".png", ".jpg"),
        of_thumbnail.replace("/thumbnails/", "/images/"),
        of_thumbnail.replace(".jpg", ".png"),
    ] {
        assert_eq!(fetched(&json!(link)).await.status(), 404, "{link}");
    }
}
