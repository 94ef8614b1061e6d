//! Uploading the bytes of an image: rejected, interrupted and repeated uploads. None of them leaves files.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{Notebook, fetched, png::png, send};
use crate::support::{Answer, Client, TestApp, errors, eventually, read_answer, text};

/// The path and query of an upload's link.
pub(super) fn path(upload: &Value) -> String {
    let url: url::Url = text(&upload["url"]).parse().unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// The head of an upload of so many bytes.
pub(super) fn head(upload: &Value, length: usize) -> String {
    format!(
        "PUT {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: image/png\r\n\
         content-length: {length}\r\n\r\n",
        path(upload)
    )
}

/// Bytes in pieces whose length is not announced.
async fn chunked(client: &Client, path: &str, pieces: &[&[u8]]) -> Answer {
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: image/png\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let mut stream = crate::support::sent(client.address, head).await;
    for piece in pieces {
        let _ = stream
            .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
            .await;
        let _ = stream.write_all(piece).await;
        let _ = stream.write_all(b"\r\n").await;
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    read_answer(&mut stream).await
}

/// Waits until no files are left. The service notices a broken connection a moment later.
async fn nothing_left(notebook: &Notebook) {
    eventually("all files are deleted", async || match notebook.files() {
        files if files.is_empty() => Ok(()),
        files => Err(files),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_announced_type_and_size_are_accepted() {
    const PNG: (&str, &str) = ("content-type", "image/png");
    const JPEG: (&str, &str) = ("content-type", "image/jpeg");
    const GZIP: (&str, &str) = ("content-encoding", "gzip");
    let notebook = Notebook::new().await;
    let bytes = png(300, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    let (anonymous, link) = (notebook.app.anonymous(), path(&upload));
    let long = [bytes.clone(), vec![0]].concat();
    let table: [(&str, &[_], &[u8], u16); 8] = [
        ("of another type", &[JPEG], &bytes, 415),
        ("of no type", &[], &bytes, 415),
        ("compressed", &[PNG, GZIP], &bytes, 415),
        ("too long", &[PNG], &long, 413),
        ("far too long", &[PNG], &vec![0; 3_000_000], 413),
        ("too short", &[PNG], &bytes[1..], 400),
        ("no number", &[PNG, ("content-length", "x")], &bytes, 400),
        ("empty", &[PNG, ("content-length", "0")], b"", 400),
    ];
    for (what, headers, body, status) in table {
        let answer = anonymous.http("PUT", &link, headers, body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let sniffing = answer.header("x-content-type-options");
        assert_eq!(sniffing.unwrap_or("nosniff"), "nosniff");
        nothing_left(&notebook).await;
    }
    for method in ["POST", "GET", "DELETE"] {
        let answer = anonymous.http(method, &link, &[PNG], b"").await;
        assert_eq!(answer.status, 405, "{method}");
    }
    assert_eq!(send(&upload, bytes).await, 204);
}

/// A JPEG of 8 × 8 pixels without its end marker.
const ENDLESS_JPEG: &[u8] = b"\xFF\xD8\xFF\xC0\0\x0B\x08\0\x08\0\x08\x01\x01\x11\0\
    \xFF\xDA\0\x08\x01\x01\0\0\x3F\0\x12\x34\x56";

#[tokio::test(flavor = "multi_thread")]
async fn media_types_are_compared_without_case_and_parameters() {
    const IDENTITY: (&str, &str) = ("content-encoding", "identity");
    const BLANK: (&str, &str) = ("content-encoding", "");
    let notebook = Notebook::new().await;
    for requested in ["image/jpg", "IMAGE/JPEG", "image/jpeg; x=y"] {
        let upload = notebook.requested(ENDLESS_JPEG, requested).await;
        assert_eq!(upload["headers"][0]["value"], "image/jpeg", "{requested}");
        for (headers, status) in [
            (&[("content-type", "Image/JPG")][..], 204),
            (&[("content-type", "image/jpeg;q=\"a,b\""), IDENTITY], 204),
            (&[("content-type", "image/jpeg"), BLANK, IDENTITY], 204),
            (&[("content-type", "image/png")], 415),
            (
                &[
                    ("content-type", "image/jpeg"),
                    ("content-type", "image/jpeg"),
                ],
                400,
            ),
        ] {
            let anonymous = notebook.app.anonymous();
            let answer = anonymous
                .http("PUT", &path(&upload), headers, ENDLESS_JPEG)
                .await;
            assert_eq!(answer.status, status, "{headers:?} {answer:?}");
        }
        let done = notebook.set(&upload).await;
        let image = &done["document"]["image"];
        assert_eq!(image["contentType"], "image/jpeg", "{done}");
        let shown = fetched(&image["url"]).await.bytes().await.unwrap();
        assert_eq!(shown, [ENDLESS_JPEG, b"\xFF\xD9"].concat());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_uploads_must_have_the_announced_size() {
    let notebook = Notebook::new().await;
    let bytes = png(300, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    let (anonymous, link) = (notebook.app.anonymous(), path(&upload));
    for (pieces, status) in [
        ([&bytes[..], b"x"], 413),
        ([&bytes[..100], &bytes[100..200]], 400),
        ([&bytes[..100], &bytes[100..]], 204),
    ] {
        assert_eq!(chunked(&anonymous, &link, &pieces).await.status, status);
        if status != 204 {
            nothing_left(&notebook).await;
        }
    }
    let done = notebook.set(&upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_upload_links_are_not_found() {
    let notebook = Notebook::new().await;
    let bytes = png(3, 3);
    let upload = notebook.requested(&bytes, "image/png").await;
    let other = notebook.requested(&bytes, "image/png").await;
    let good = path(&upload);
    let (id, others) = (&*text(&upload["id"]), &*text(&other["id"]));
    let signature = good.split_once("signature=").unwrap().1;
    let links = [
        format!("/uploads/{id}"),
        format!("/uploads/{id}?expires=1&signature="),
        format!("/uploads/{id}?expires=x&signature={signature}"),
        good.replace(signature, &signature.to_lowercase()),
        good.replace(signature, "%00"),
        good.replace("expires=", "expires=9"),
        good.replace(id, others),
        good.replace(id, "no-id"),
        good.replace(id, &format!("..%2f{id}")),
        format!("/uploads/{others}/x"),
    ];
    for link in links {
        let headers = [("content-type", "image/png")];
        let anonymous = notebook.app.anonymous();
        let answer = anonymous.http("PUT", &link, &headers, &bytes).await;
        assert_eq!(answer.status, 404, "{link}");
        if !link.ends_with("/x") {
            assert!(answer.json()["error"].is_string(), "{link}");
        }
    }
    assert_eq!(send(&upload, bytes.clone()).await, 204);
    notebook.set(&upload).await;
    assert_eq!(send(&upload, bytes.clone()).await, 404, "it was used");
    let expire = "UPDATE image_objects SET expires_at = now() WHERE state = 'open'";
    notebook.app.sql(expire).await;
    assert_eq!(send(&other, bytes).await, 404, "it has expired");
    assert_eq!(notebook.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_uploads_leave_no_files() {
    let notebook = Notebook::new().await;
    let bytes = png(1000, 1000);
    let upload = notebook.requested(&bytes, "image/png").await;
    for sent in [0, 1, 300_000, 900_000] {
        let head = head(&upload, bytes.len());
        let mut stream = crate::support::sent(notebook.app.address, head).await;
        stream.write_all(&bytes[..sent]).await.unwrap();
        eventually("it is being written", async || notebook.files().len() == 1).await;
        drop(stream);
        nothing_left(&notebook).await;
    }
    let refused = notebook.set(&upload).await;
    assert_eq!(errors(&refused), ["NOT_FOUND uploadId"]);
    let status = send(&upload, bytes).await;
    assert_eq!(status, 204, "the upload is as good as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_uploads_of_one_image_never_mix() {
    let notebook = Notebook::new().await;
    let (first, mut second) = (png(700, 500), png(700, 500));
    // As long, and with other bytes.
    second[100..200_000].fill(7);
    let upload = notebook.requested(&first, "image/png").await;
    assert_eq!(send(&upload, second.clone()).await, 204);
    let status = send(&upload, first.clone()).await;
    assert_eq!(status, 204, "the later one counts");
    let both = (0..6).map(|index| {
        let bytes = if index % 2 == 0 { &first } else { &second };
        send(&upload, bytes.clone())
    });
    let answers = futures_util::future::join_all(both).await;
    assert!(answers.contains(&204), "{answers:?}");
    let busy = answers.iter().all(|status| [204, 409].contains(status));
    assert!(busy, "one is sent at a time: {answers:?}");
    let files = notebook.files();
    assert_eq!(files.len(), 1, "{files:?}");
    let folder = crate::support::image_folder(&notebook.app.database);
    let kept = std::fs::read(folder.join(&files[0])).unwrap();
    assert!(kept == first || kept == second);
    assert_eq!(send(&upload, first.clone()).await, 204);
    let done = notebook.set(&upload).await;
    let shown = fetched(&done["document"]["image"]["url"]).await;
    assert!(shown.bytes().await.unwrap() == first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_set_concurrently_is_set_once() {
    let notebook = Notebook::new().await;
    let bytes = png(200, 200);
    let upload = notebook.uploaded(&bytes).await;
    let sets = (0..8).map(|_| notebook.set(&upload));
    for answer in futures_util::future::join_all(sets).await {
        let refused = errors(&answer);
        let set_or_used = refused.is_empty() || refused == ["NOT_FOUND uploadId"];
        assert!(set_or_used, "{answer}");
        if refused.is_empty() {
            assert_eq!(answer["document"]["version"], 2);
        }
    }
    let stored = "SELECT count(*) FROM image_objects WHERE state = 'stored'";
    assert_eq!(notebook.app.number(stored).await, 1);
    notebook.sweep().await;
    assert_eq!(notebook.rows().await, "image:stored");
    assert_eq!(notebook.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_can_upload() {
    let notebook = Notebook::new().await;
    let upload = notebook.requested(&png(3, 3), "image/png").await;
    let preflight = async |origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type"),
        ];
        let anonymous = notebook.app.anonymous();
        anonymous
            .http("OPTIONS", &path(&upload), &headers, b"")
            .await
    };
    let allowed = preflight("https://app.example.com").await;
    let origin = allowed.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://app.example.com"));
    let methods = allowed.header("access-control-allow-methods").unwrap();
    let listed = methods.split(',').any(|method| method == "PUT");
    assert!(listed, "{methods}");
    let stranger = preflight("https://evil.example").await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
    assert_eq!(json!(upload["headers"][0]["name"]), "Content-Type");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_needs_one_connection_at_a_time() {
    let small = TestApp::with(|settings| settings.pool.max_connections = 3);
    let notebook = Notebook::on(small.await).await;
    for size in [40, 50] {
        notebook.with_image(&png(size, size)).await;
        let image = notebook.shown().await["image"].take();
        assert_eq!(fetched(&image["url"]).await.status(), 200);
    }
    let input = json!({ "documentId": notebook.document });
    let removed = notebook
        .ada
        .mutate("removeDocumentImage", input, "document { image { url } }");
    assert_eq!(removed.await["document"]["image"], Value::Null);
}
