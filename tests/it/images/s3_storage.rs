//! Images in S3: clients upload and download by signed links.

use serde_json::json;

use super::{
    Notebook, fetched,
    png::{png, private_png},
    s3_server::S3,
    send,
};
use crate::support::{TestApp, errors};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_uploaded_to_the_bucket_and_served_from_it() {
    let Some(s3) = S3::start().await else { return };
    let notebook = s3.notebook().await;
    let bytes = private_png(30, 20);
    let upload = notebook.requested(&bytes, "image/png").await;
    let url: url::Url = upload["url"].as_str().unwrap().parse().unwrap();
    let id = upload["id"].as_str().unwrap();
    assert_eq!(url.path(), format!("/notes/pages/uploads/{id}"));
    let signed = url
        .query_pairs()
        .find(|(name, _)| name == "X-Amz-SignedHeaders");
    assert_eq!(signed.unwrap().1, "content-length;content-type;host");
    assert_eq!(send(&upload, bytes.clone()).await, 200);
    assert_eq!(s3.keys().await, [format!("pages/uploads/{id}")]);
    let done = notebook.set(&upload).await;
    let image = &done["document"]["image"];
    assert_eq!(image["width"], 30);
    assert_eq!(image["height"], 20);
    notebook.make_thumbnails().await;
    assert_image_and_thumbnail(&s3).await;

    let answer = fetched(&image["url"]).await;
    assert_eq!(answer.headers()["content-type"], "image/png");
    let disposition = answer.headers()["content-disposition"].to_str().unwrap();
    let inline = disposition.starts_with("inline; filename=");
    assert!(inline, "{disposition}");
    let shown = answer.bytes().await.unwrap();
    assert_eq!(image["byteSize"], shown.len());
    assert!(shown.len() < bytes.len(), "without metadata");
}

/// Asserts that the bucket has one image and its thumbnail.
async fn assert_image_and_thumbnail(s3: &S3) {
    let keys = s3.keys().await;
    let id = keys[0].strip_prefix("pages/images/").unwrap();
    assert_eq!(keys[1..], [format!("pages/thumbnails/{id}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_are_served_from_the_bucket() {
    let Some(s3) = S3::start().await else { return };
    let notebook = s3.notebook().await;
    let thumbnail = notebook.thumbnail_of(&png(700, 20)).await;
    assert_eq!(
        (&thumbnail["width"], &thumbnail["height"]),
        (&json!(512), &json!(15))
    );
    let answer = fetched(&thumbnail["url"]).await;
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    let (info, _) = image_intake::clean(answer.bytes().await.unwrap().into()).unwrap();
    assert_eq!(
        (info.content_type, info.width, info.height),
        ("image/jpeg", 512, 15)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_the_bucket_are_the_same_on_every_process() {
    let Some(s3) = S3::start().await else { return };
    let notebook = s3.notebook().await;
    let document = notebook.with_image(&png(30, 20)).await;
    let image = &document["image"];
    let again = notebook.shown().await;
    assert_eq!(again["image"], *image);
    let other = TestApp::on(notebook.app.database.clone(), |settings| {
        settings.images.storage = S3::storage(s3.address);
    })
    .await;
    let query =
        "query($id: ID!) { document(id: $id) { image { url contentType byteSize width height } } }";
    let there = notebook.ada.at(&other);
    let again = there.data(query, json!({ "id": notebook.document })).await;
    assert_eq!(again["document"]["image"], *image);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_images_are_deleted_from_the_bucket() {
    let Some(s3) = S3::start().await else { return };
    let notebook = s3.notebook().await;
    let document = notebook.with_image(&png(30, 20)).await;
    let image = &document["image"];
    let newer = notebook.with_image(&png(5, 5)).await;
    assert_eq!(newer["version"], 3);
    assert_eq!(notebook.sweep().await, 3);
    notebook.make_thumbnails().await;
    assert_image_and_thumbnail(&s3).await;
    assert_eq!(fetched(&newer["image"]["url"]).await.status(), 200);
    assert!(fetched(&image["url"]).await.status().is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_uploads_to_the_bucket_are_rejected_and_deleted() {
    let Some(s3) = S3::start().await else { return };
    let notebook = s3.notebook().await;
    // This server ignores signatures, so it accepts what S3 rejects.
    let large = vec![0_u8; 20 * 1024 * 1024 + 1];
    for (bytes, code) in [
        (large, "TOO_LARGE"),
        (b"<html>".to_vec(), "UNSUPPORTED_TYPE"),
        (Vec::new(), "INVALID"),
    ] {
        let upload = notebook.requested(b"<html>", "image/png").await;
        assert_eq!(send(&upload, bytes).await, 200);
        let refused = notebook.set(&upload).await;
        assert_eq!(errors(&refused), [format!("{code} uploadId")]);
        assert_eq!(s3.keys().await, Vec::<String>::new());
    }
    let unsent = notebook.requested(b"<html>", "image/png").await;
    let refused = notebook.set(&unsent).await;
    assert_eq!(errors(&refused), ["NOT_FOUND uploadId"]);
    let sent_later = notebook.requested(b"<html>", "image/png").await;
    assert_eq!(send(&sent_later, b"<html>".to_vec()).await, 200);
    assert_eq!(notebook.sweep().await, 5);
    assert_eq!(s3.keys().await, Vec::<String>::new());
    for (method, path) in [("PUT", "/uploads/x"), ("GET", "/images/x.png")] {
        let answer = notebook.app.anonymous().http(method, path, &[], b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_unavailable_while_the_storage_is_and_nothing_is_lost() {
    let nowhere = S3::storage("127.0.0.1:1".parse().unwrap());
    let app = TestApp::with(|settings| settings.images.storage = nowhere).await;
    let notebook = Notebook::on(app).await;
    let upload = notebook.requested(b"image", "image/png").await;
    let input = json!({ "documentId": notebook.document, "uploadId": upload["id"] });
    let code = notebook.ada.mutation_error("setDocumentImage", input).await;
    assert_eq!(code, "UNAVAILABLE");
    assert_eq!(notebook.rows().await, "upload:open");
    let long_ago = "UPDATE image_objects SET sweep_at = now() - interval '1 hour'";
    notebook.app.sql(long_ago).await;
    let swept = snapnote::images::sweep::sweep(&notebook.app.images).await;
    assert!(swept.is_err());
    let row = notebook.rows().await;
    assert_eq!(row, "upload:removing", "the row outlives the object");
}
