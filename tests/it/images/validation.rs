//! Invalid requests for uploads, and uploads that cannot be set.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Notebook, UPLOAD, fetched, png::png, request, send, set, upload_input};
use crate::support::errors;

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
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_can_be_set_until_it_is_replaced_or_expires() {
    let notebook = Notebook::new().await;
    let bytes = png(5, 5);
    let first = notebook.uploaded(&bytes).await;
    let done = notebook.set(&first).await;
    assert_eq!(done["document"]["version"], 2);
    let again = notebook.set(&first).await;
    assert_eq!(again, done, "a repetition changes nothing");
    let newer = notebook.with_image(&png(6, 6)).await;
    assert_eq!(newer["version"], 3);
    let used = notebook.set(&first).await;
    assert_eq!(errors(&used), ["NOT_FOUND uploadId"]);

    let expired = notebook.uploaded(&bytes).await;
    let expire = "UPDATE image_objects SET expires_at = now() WHERE state = 'open'";
    notebook.app.sql(expire).await;
    let refused = notebook.set(&expired).await;
    assert_eq!(errors(&refused), ["NOT_FOUND uploadId"]);

    let upload = notebook.uploaded(&bytes).await;
    notebook.ada.trash(&[&notebook.document]).await;
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
