//! Serving images: caching, ranges, and security headers.

use reqwest::{Client, Method, StatusCode, header};
use serde_json::Value;

use super::{Notebook, png::png};

/// The status, the length of the body, and the Content-Range and Content-Length headers of a response. `headers` are lines.
async fn asked(url: &str, method: Method, headers: &str) -> (u16, usize, Vec<String>) {
    let mut request = Client::new().request(method, url);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let lengths = [header::CONTENT_RANGE, header::CONTENT_LENGTH].map(|name| {
        let value = answer.headers().get(name).map(|value| value.to_str());
        value.map_or("-", |value| value.unwrap()).to_owned()
    });
    let status = answer.status().as_u16();
    (
        status,
        answer.bytes().await.unwrap().len(),
        lengths.to_vec(),
    )
}

fn url_of(document: &Value) -> String {
    document["image"]["url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_served_with_its_type_and_a_policy_that_allows_nothing() {
    let notebook = Notebook::new().await;
    let url = url_of(&notebook.with_image(&png(50, 50)).await);
    let answer = reqwest::get(&url).await.unwrap();
    let of = |name: &str| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(of("content-type"), Some("image/png"));
    assert_eq!(of("x-content-type-options"), Some("nosniff"));
    let policy = Some("default-src 'none'; sandbox");
    assert_eq!(of("content-security-policy"), policy);
    assert_eq!(of("cross-origin-resource-policy"), Some("cross-origin"));
    assert_eq!(of("accept-ranges"), Some("bytes"));
    let disposition = of("content-disposition").unwrap();
    assert!(disposition.starts_with("inline; filename=\"") && disposition.ends_with(".png\""));
    let kept = of("cache-control").unwrap();
    let age = kept.strip_prefix("private, max-age=").unwrap();
    let age: u64 = age.strip_suffix(", immutable").unwrap().parse().unwrap();
    assert!((3600..=7500).contains(&age), "{kept}");
    let tag = of("etag").unwrap();
    assert!(tag.starts_with('"'), "a strong one: {tag}");
    assert_eq!(of("set-cookie"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_conditional_requests_follow_http() {
    let notebook = Notebook::new().await;
    let bytes = png(400, 400);
    let size = bytes.len();
    let url = url_of(&notebook.with_image(&bytes).await);
    let answer = reqwest::get(&url).await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap();
    let all = format!("{size}");
    let first = format!("bytes 0-9/{size}");
    let last = format!("bytes {}-{}/{size}", size - 5, size - 1);
    let (after, none) = (format!("range: bytes={size}-"), format!("bytes */{size}"));
    let other = "range: bytes=0-9\nif-range: \"other\"";
    let same = format!("if-none-match: {tag}");
    let weak = format!("if-none-match: \"x\", W/{tag}");
    let table: [(&str, u16, usize, &str, &str); 9] = [
        ("", 200, size, "-", &all),
        ("range: bytes=0-9", 206, 10, &first, "10"),
        ("range: bytes=-5", 206, 5, &last, "5"),
        (&after, 416, 0, &none, "0"),
        ("range: bytes=0-1,4-5", 200, size, "-", &all),
        (other, 200, size, "-", &all),
        (&same, 304, 0, "-", "-"),
        (&weak, 304, 0, "-", "-"),
        ("if-none-match: \"x\"", 200, size, "-", &all),
    ];
    for (headers, status, length, range, whole) in table {
        let expected = (status, length, vec![range.to_owned(), whole.to_owned()]);
        let answer = asked(&url, Method::GET, headers).await;
        assert_eq!(answer, expected, "{headers}");
    }
    let head = asked(&url, Method::HEAD, "").await;
    assert_eq!(head, (200, 0, vec!["-".to_owned(), all]));
    let request = Client::new().get(&url);
    let request = request.header("range", "bytes=100000-150000");
    let part = request.send().await.unwrap().bytes().await.unwrap();
    assert!(part == bytes[100_000..=150_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_image_links_are_not_found() {
    let notebook = Notebook::new().await;
    let url = url_of(&notebook.with_image(&png(9, 9)).await);
    let other = url_of(&notebook.with_image(&png(10, 10)).await);
    let file = |url: &str| {
        let path = url.split_once('?').unwrap().0;
        path.rsplit_once('/').unwrap().1.to_owned()
    };
    let base = url.split_once('?').unwrap().0;
    let signature = url.split_once("signature=").unwrap().1;
    let upload = notebook.requested(&png(3, 3), "image/png").await;
    let sent = upload["url"].as_str().unwrap();
    for link in [
        base.to_owned(),
        url.replace(signature, ""),
        url.replace(".png", ".gif"),
        url.replace(".png", ".svg"),
        url.replace(".png", ""),
        url.replace("until=", "until=9"),
        url.replace(&file(&url), &file(&other)),
        url.replace(&file(&url), "..%2f..%2fpostgres"),
        sent.replace("/uploads/", "/images/")
            .replace("expires", "until"),
    ] {
        let answer = reqwest::get(&link).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{link}");
        let policy = &answer.headers()["content-security-policy"];
        assert_eq!(policy, "default-src 'none'; sandbox");
        assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
    }
    assert_eq!(Client::new().put(&url).send().await.unwrap().status(), 405);
}
