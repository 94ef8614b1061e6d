//! The documentation at `/docs`: pages, files, caching, the Content-Security-Policy, and the switch. The tests of the crate `docs-site` follow all links.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::support::TestApp;

/// The paths of the scripts and styles that a page loads.
fn loaded(page: &str) -> Vec<String> {
    let tags = page.split('<');
    let tags = tags
        .filter(|tag| tag.starts_with("script src=") || tag.starts_with("link rel=\"stylesheet\""));
    let values = tags.filter_map(|tag| {
        tag.split("src=\"")
            .nth(1)
            .or_else(|| tag.split("href=\"").nth(1))
    });
    let paths = values.filter_map(|value| value.split('"').next());
    paths.map(|path| format!("/docs/{path}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_html_and_revalidated() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    for (path, title) in [
        ("/docs/", "SnapNote"),
        ("/docs/index.html", "SnapNote"),
        ("/docs/auth.html", "Authentication"),
        ("/docs/packages-client.html", "@snapnote/client"),
    ] {
        let page = anonymous.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(page.body.contains(&format!(">{title}</a></h1>")), "{path}");
        let known = [("if-none-match", page.header("etag").unwrap())];
        let again = anonymous.http("GET", path, &known, b"").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        for name in ["etag", "cache-control", "vary", "content-security-policy"] {
            assert_eq!(again.header(name), page.header(name), "{path}: {name}");
        }
    }
    for (path, page) in [
        ("/docs", "/docs/"),
        ("/docs/auth", "/docs/auth.html"),
        ("/docs/quick-start.md", "/docs/quick-start.html"),
    ] {
        let redirect = anonymous.get(path).await;
        let seen = (redirect.status, redirect.header("location"));
        assert_eq!(seen, (308, Some(page)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_styles_and_the_search_index_are_cached_forever() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let page = anonymous.get("/docs/").await.body;
    let (_, index) = page.split_once("path_to_searchindex_js = \"").unwrap();
    let index = format!("/docs/{}", index.split_once('"').unwrap().0);
    let paths = loaded(&page);
    assert!(paths.len() >= 10, "{paths:?}");
    for path in paths.iter().chain([&index]) {
        let file = anonymous.http("HEAD", path, &[], b"").await;
        assert_eq!((file.status, file.body.as_str()), (200, ""), "{path}");
        let media_type = match path.ends_with(".js") {
            true => "text/javascript; charset=utf-8",
            false => "text/css; charset=utf-8",
        };
        assert_eq!(file.header("content-type"), Some(media_type), "{path}");
        let caching = file.header("cache-control");
        assert_eq!(
            caching,
            Some("public, max-age=31536000, immutable"),
            "{path}"
        );
    }
    let index = anonymous.get(&index).await.body;
    assert!(index.starts_with("window.search"), "{}", &index[..50]);
}

/// The encoding and the size of a page for a client that accepts these encodings.
async fn size(app: &TestApp, path: &str, accepted: &str) -> (Option<String>, usize) {
    let headers = [("accept-encoding", accepted)];
    let head = app.anonymous().http("HEAD", path, &headers, b"").await;
    let varies = |(name, value): &(String, String)| name == "vary" && value == "Accept-Encoding";
    assert!(head.headers.iter().any(varies), "{head:?}");
    let encoding = head.header("content-encoding").map(str::to_owned);
    let length = head.header("content-length").unwrap();
    (encoding, length.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_name_gzip_get_plain_text() {
    let app = TestApp::start().await;
    let path = "/docs/operations.html";
    let (encoding, compressed) = size(&app, path, "br, gzip").await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    let (encoding, plain) = size(&app, path, "identity").await;
    assert_eq!(encoding, None);
    assert!(compressed * 2 < plain, "{compressed} of {plain} bytes");
    let page = app.anonymous().get(path).await;
    assert_eq!(page.header("content-encoding"), None);
    assert_eq!(page.body.len(), plain);
    assert!(page.body.ends_with("</html>\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_get_a_page_that_says_so() {
    let app = TestApp::start().await;
    for path in [
        "/docs/nothing.html",
        "/docs/a/b",
        "/docs/auth.html/",
        "/docs/auth/",
        "/docs/nothing.md",
        "/docs/.md",
        "/docs/404",
        "/docs/toc",
        "/docs/..%2fCargo.toml",
    ] {
        // The client has the page already, and must get the status all the same.
        let known = [("if-none-match", "*")];
        let page = app.anonymous().http("GET", path, &known, b"").await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(page.body.contains("<base href=\"/docs/\">"), "{path}");
    }
    let post = app.anonymous().http("POST", "/docs/", &[], b"").await;
    assert_eq!(post.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_scripts_of_the_site_run() {
    let app = TestApp::start().await;
    for path in ["/docs/", "/docs/auth.html", "/docs/nothing"] {
        let page = app.anonymous().get(path).await;
        let policy = page.header("content-security-policy").unwrap();
        let directive = |name: &str| {
            let mut directives = policy.split("; ");
            let found = directives.find_map(|directive| directive.strip_prefix(name));
            found
                .unwrap_or_else(|| panic!("{name} is missing: {policy}"))
                .trim()
        };
        assert_eq!(directive("default-src"), "'none'");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"));
        assert!(
            !policy.contains("http") && !policy.contains('*'),
            "{policy}"
        );
        let mut allowed: Vec<_> = directive("script-src").split(' ').collect();
        assert_eq!(allowed.remove(0), "'self'");
        let scripts = page.body.split("<script>").skip(1);
        let hashes = scripts.map(|script| {
            let (script, _) = script.split_once("</script>").unwrap();
            format!(
                "'sha256-{}'",
                BASE64_STANDARD.encode(Sha256::digest(script))
            )
        });
        let hashes: Vec<_> = hashes.collect();
        assert!(
            hashes.len() >= 4,
            "{path} has {} inline scripts",
            hashes.len()
        );
        assert!(
            hashes.iter().all(|hash| allowed.contains(&hash.as_str())),
            "{path}"
        );
        let has_handler = ["onclick=", "onload=", "onerror=", "javascript:"];
        assert!(
            !has_handler.iter().any(|text| page.body.contains(text)),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_can_be_turned_off() {
    let app = TestApp::with(|settings| settings.edge.docs_site = false).await;
    for path in ["/docs", "/docs/", "/docs/auth.html"] {
        assert_eq!(app.anonymous().get(path).await.status, 404, "{path}");
    }
}
