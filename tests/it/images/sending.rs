//! Sending a picture's bytes: what is refused, what is cut off, and what is sent twice. Nothing of it stays.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, sleep},
};

use super::{Notebook, fetched, pixels::png, refusals, send, set};
use crate::support::{Answer, Client};

/// The path and query of an upload's link.
pub(super) fn path(upload: &Value) -> String {
    let url: url::Url = upload["url"].as_str().unwrap().parse().unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// Bytes in pieces whose length is not announced.
async fn chunked(client: &Client, path: &str, pieces: &[&[u8]]) -> Answer {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: image/png\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in pieces {
        let _ = stream
            .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
            .await;
        let _ = stream.write_all(piece).await;
        let _ = stream.write_all(b"\r\n").await;
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Answer::parse(&answer)
}

/// Waits until there are no files; what is cut off is noticed in a moment.
async fn nothing_left(notebook: &Notebook) {
    for _ in 0..100 {
        if notebook.files().is_empty() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("left: {:?}", notebook.files());
}

/// What is wrong, the headers, the body, and the status that says so.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_announced_is_taken() {
    let notebook = Notebook::new().await;
    let bytes = png(300, 100);
    let upload = notebook.requested(&bytes, "image/png").await;
    let (visitor, link) = (notebook.app.visitor(), path(&upload));
    const PNG: (&str, &str) = ("content-type", "image/png");
    let long = [bytes.clone(), vec![0]].concat();
    let table: [Case<'_>; 8] = [
        (
            "of another type",
            &[("content-type", "image/jpeg")],
            &bytes,
            415,
        ),
        ("of no type", &[], &bytes, 415),
        (
            "compressed",
            &[PNG, ("content-encoding", "gzip")],
            &bytes,
            415,
        ),
        ("too long", &[PNG], &long, 413),
        ("far too long", &[PNG], &vec![0; 3_000_000], 413),
        ("too short", &[PNG], &bytes[1..], 400),
        (
            "a length that is none",
            &[PNG, ("content-length", "x")],
            &bytes,
            400,
        ),
        ("empty", &[PNG, ("content-length", "0")], b"", 400),
    ];
    for (what, headers, body, status) in table {
        let answer = visitor.http("PUT", &link, headers, body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(
            answer.header("x-content-type-options").unwrap_or("nosniff"),
            "nosniff"
        );
        nothing_left(&notebook).await;
    }
    for (pieces, status) in [
        ([&bytes[..], b"x"], 413),
        ([&bytes[..100], &bytes[100..200]], 400),
        ([&bytes[..100], &bytes[100..]], 204),
    ] {
        assert_eq!(chunked(&visitor, &link, &pieces).await.status, status);
        if status != 204 {
            nothing_left(&notebook).await;
        }
    }
    for method in ["POST", "GET", "DELETE"] {
        let answer = visitor.http(method, &link, &[PNG], b"").await;
        assert_eq!(answer.status, 405, "{method}");
    }
    let done = set(&notebook.ada, &notebook.document, &upload).await;
    assert_eq!(done["document"]["image"]["byteSize"], bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_none_of_ours_is_not_found_in_plain_json() {
    let notebook = Notebook::new().await;
    let bytes = png(3, 3);
    let upload = notebook.requested(&bytes, "image/png").await;
    let other = notebook.requested(&bytes, "image/png").await;
    let good = path(&upload);
    let (id, others) = (
        upload["id"].as_str().unwrap(),
        other["id"].as_str().unwrap(),
    );
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
        let answer = notebook
            .app
            .visitor()
            .http("PUT", &link, &[("content-type", "image/png")], &bytes)
            .await;
        assert_eq!(answer.status, 404, "{link}");
        if !link.ends_with("/x") {
            assert!(answer.json()["error"].is_string(), "{link}");
        }
    }
    assert_eq!(send(&upload, bytes.clone()).await, 204);
    set(&notebook.ada, &notebook.document, &upload).await;
    assert_eq!(send(&upload, bytes.clone()).await, 404, "it was used");
    notebook
        .app
        .sql("UPDATE image_objects SET expires_at = now() WHERE state = 'open'")
        .await;
    assert_eq!(send(&other, bytes).await, 404, "it has expired");
    assert_eq!(notebook.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_leaves_nothing() {
    let notebook = Notebook::new().await;
    let bytes = png(1000, 1000);
    let upload = notebook.requested(&bytes, "image/png").await;
    for sent in [0, 1, 300_000, 900_000] {
        let mut stream = TcpStream::connect(notebook.app.address).await.unwrap();
        let head = format!(
            "PUT {} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: {}\r\n\r\n",
            path(&upload),
            bytes.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&bytes[..sent]).await.unwrap();
        for _ in 0..200 {
            if !notebook.files().is_empty() {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(notebook.files().len(), 1, "it is being written");
        drop(stream);
        nothing_left(&notebook).await;
    }
    let refused = set(&notebook.ada, &notebook.document, &upload).await;
    assert_eq!(refusals(&refused), [("NOT_FOUND", "uploadId")]);
    assert_eq!(
        send(&upload, bytes).await,
        204,
        "the upload is as good as before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_one_or_the_other_and_never_a_mix() {
    let notebook = Notebook::new().await;
    let (first, mut second) = (png(700, 500), png(700, 500));
    // As long, and with other bytes.
    second[100..200_000].fill(7);
    let upload = notebook.requested(&first, "image/png").await;
    assert_eq!(send(&upload, second.clone()).await, 204);
    assert_eq!(
        send(&upload, first.clone()).await,
        204,
        "the later one counts"
    );
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
    let done = set(&notebook.ada, &notebook.document, &upload).await;
    let shown = fetched(&done["document"]["image"]["url"]).await;
    assert!(shown.bytes().await.unwrap() == first);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_upload_that_is_set_many_times_at_once_is_set_once() {
    let notebook = Notebook::new().await;
    let bytes = png(200, 200);
    let upload = notebook.requested(&bytes, "image/png").await;
    assert_eq!(send(&upload, bytes).await, 204);
    let sets = (0..8).map(|_| set(&notebook.ada, &notebook.document, &upload));
    for answer in futures_util::future::join_all(sets).await {
        let refused = refusals(&answer);
        assert!(
            refused.is_empty() || refused == [("NOT_FOUND", "uploadId")],
            "{answer}"
        );
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
async fn pages_of_allowed_origins_may_send() {
    let notebook = Notebook::new().await;
    let upload = notebook.requested(&png(3, 3), "image/png").await;
    let preflight = async |origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type"),
        ];
        let visitor = notebook.app.visitor();
        visitor.http("OPTIONS", &path(&upload), &headers, b"").await
    };
    let allowed = preflight("https://app.example.com").await;
    let origin = allowed.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://app.example.com"));
    let methods = allowed.header("access-control-allow-methods").unwrap();
    assert!(
        methods.split(',').any(|method| method == "PUT"),
        "{methods}"
    );
    let stranger = preflight("https://evil.example").await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
    assert_eq!(json!(upload["headers"][0]["name"]), "Content-Type");
}
