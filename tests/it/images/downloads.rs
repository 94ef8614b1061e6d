//! Serving images: caching, ranges, and security headers.

use reqwest::{Client, Method, StatusCode, header};
use serde_json::Value;

use super::{Notebook, png::png};

/// An answer's status, body, and the headers that tell how much it is.
async fn asked(url: &str, method: Method, headers: &[(&str, &str)]) -> (u16, usize, Vec<String>) {
    let mut request = Client::new().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let told = [header::CONTENT_RANGE, header::CONTENT_LENGTH].map(|name| {
        let value = answer.headers().get(name).map(|value| value.to_str());
        value.map_or("-", |value| value.unwrap()).to_owned()
    });
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap().len(), told.to_vec())
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
    assert_eq!(
        of("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
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

/// The headers; the status, the length, and what the answer tells of range and length.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, usize, &'a str, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_conditional_requests_follow_http() {
    let notebook = Notebook::new().await;
    let bytes = png(400, 400);
    let size = bytes.len();
    let url = url_of(&notebook.with_image(&bytes).await);
    let answer = reqwest::get(&url).await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let whole = size.to_string();
    let table: [Case<'_>; 9] = [
        (&[], 200, size, "-", &whole),
        (
            &[("range", "bytes=0-9")],
            206,
            10,
            &format!("bytes 0-9/{size}"),
            "10",
        ),
        (
            &[("range", "bytes=-5")],
            206,
            5,
            &format!("bytes {}-{}/{size}", size - 5, size - 1),
            "5",
        ),
        (
            &[("range", &format!("bytes={size}-"))],
            416,
            0,
            &format!("bytes */{size}"),
            "0",
        ),
        (&[("range", "bytes=0-1,4-5")], 200, size, "-", &whole),
        (
            &[("range", "bytes=0-9"), ("if-range", "\"other\"")],
            200,
            size,
            "-",
            &whole,
        ),
        (&[("if-none-match", &tag)], 304, 0, "-", "-"),
        (
            &[("if-none-match", &format!("\"x\", W/{tag}"))],
            304,
            0,
            "-",
            "-",
        ),
        (&[("if-none-match", "\"x\"")], 200, size, "-", &whole),
    ];
    for (headers, status, length, range, told) in table {
        let answer = asked(&url, Method::GET, headers).await;
        assert_eq!(
            answer,
            (status, length, vec![range.to_owned(), told.to_owned()]),
            "{headers:?}"
        );
    }
    assert_eq!(
        asked(&url, Method::HEAD, &[]).await,
        (200, 0, vec!["-".into(), whole.clone()])
    );
    let request = Client::new()
        .get(&url)
        .header("range", "bytes=100000-150000");
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
