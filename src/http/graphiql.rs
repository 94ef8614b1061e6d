//! The GraphiQL page and its assets, compiled into the binary from `graphiql/dist`.
//!
//! The module reads no files at run time and serves only assets listed at compile time. The page calls `/graphql` like any other client.
//! `graphiql/README.md` describes how the page is built and checked.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};

use super::embedded::{Caching, Embedded, common_headers, content_type};

static PAGE: &str = include_str!("../../graphiql/dist/index.html");
static LICENSES: &str = include_str!("../../graphiql/dist/LICENSES.txt");

/// Scripts, styles, the favicon and a font. Each is gzipped and named after the hash of its content.
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/graphiql/dist/assets");

/// Allows resources of this origin only: no inline scripts, no eval, no `blob:`. The editor needs `<style>` elements and `data:` images,
/// hence the two exceptions. Workers obey the policy of their own response, so assets carry it, too.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page at `/graphiql`, and its assets below that path.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/graphiql", get(|| async { page() }))
        .route("/graphiql/", get(|| async { page() }))
        .route("/graphiql/LICENSES.txt", get(|| async { licenses() }))
        .route("/graphiql/assets/{name}", get(asset))
}

/// The page. It works at any path of this origin, because the paths of its assets are absolute.
pub(crate) fn page() -> Response {
    let page = respond("text/html; charset=utf-8", PAGE);
    // At `/graphql`, other clients get JSON.
    ([(header::VARY, "Accept")], page).into_response()
}

fn licenses() -> Response {
    respond("text/plain; charset=utf-8", LICENSES)
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = ASSETS.get_file(format!("{name}.gz")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asset = Embedded {
        gzip: file.contents(),
        content_type: content_type(&name),
        caching: Caching::Forever,
        policy: CONTENT_SECURITY_POLICY,
    };
    asset.respond(&headers)
}

fn respond(content_type: &'static str, body: &'static str) -> Response {
    let content_type = [(header::CONTENT_TYPE, content_type)];
    let headers = common_headers("no-cache", CONTENT_SECURITY_POLICY);
    (content_type, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes, to_bytes};
    use axum::http::Request;
    use axum::http::header::HeaderName;
    use tower::Service;

    use super::*;

    async fn get(path: &str) -> Response {
        let request = Request::builder()
            .uri(path)
            .header("accept-encoding", "gzip")
            .body(Body::empty());
        let request = request.expect("the path is a valid URI");
        let response = router::<()>().call(request).await;
        response.expect("a router cannot fail")
    }

    async fn body(response: Response) -> Bytes {
        let body = to_bytes(response.into_body(), usize::MAX).await;
        body.expect("the body is in memory")
    }

    fn header_of(response: &Response, name: HeaderName) -> &str {
        let value = response.headers().get(&name);
        let value = value.unwrap_or_else(|| panic!("{name} is missing"));
        value.to_str().expect("our headers are ASCII")
    }

    fn asset_names() -> Vec<String> {
        let paths = ASSETS.files().map(|file| file.path().display().to_string());
        let names = paths.map(|path| path.strip_suffix(".gz").map(str::to_owned));
        names
            .collect::<Option<_>>()
            .expect("every asset is gzipped")
    }

    /// The quoted paths in the page that start with `/graphiql/`.
    fn paths_in_the_page() -> Vec<&'static str> {
        let quoted = PAGE
            .split('"')
            .filter(|text| text.starts_with("/graphiql/"));
        quoted.collect()
    }

    #[tokio::test]
    async fn the_page_is_html_and_must_be_revalidated() {
        for path in ["/graphiql", "/graphiql/"] {
            let response = get(path).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(
                header_of(&response, header::CONTENT_TYPE),
                "text/html; charset=utf-8"
            );
            assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-cache");
            assert_eq!(header_of(&response, header::VARY), "Accept");
            assert_eq!(body(response).await, PAGE);
        }
    }

    #[tokio::test]
    async fn page_and_assets_forbid_inline_scripts_and_eval() {
        let script = format!("/graphiql/assets/{}", asset_names()[0]);
        for path in ["/graphiql", "/graphiql/LICENSES.txt", &script] {
            let response = get(path).await;
            let policy = header_of(&response, header::CONTENT_SECURITY_POLICY);
            let directives: Vec<_> = policy.split("; ").collect();
            assert!(directives.contains(&"default-src 'none'"), "{policy}");
            assert!(directives.contains(&"script-src 'self'"), "{policy}");
            assert!(directives.contains(&"connect-src 'self'"), "{policy}");
            assert!(directives.contains(&"worker-src 'self'"), "{policy}");
            assert!(directives.contains(&"frame-ancestors 'none'"), "{policy}");
            assert_eq!(
                header_of(&response, header::X_CONTENT_TYPE_OPTIONS),
                "nosniff"
            );
            assert_eq!(header_of(&response, header::REFERRER_POLICY), "no-referrer");
        }
    }

    #[tokio::test]
    async fn the_page_refers_only_to_assets_that_are_served_from_this_origin() {
        let paths = paths_in_the_page();
        assert!(paths.len() >= 3, "script, style and favicon");
        for path in paths {
            assert_eq!(get(path).await.status(), StatusCode::OK, "{path}");
        }
        assert!(!PAGE.contains("//"), "a URL of another origin");
    }

    #[tokio::test]
    async fn assets_are_gzipped_and_cached_forever() {
        for name in asset_names() {
            let response = get(&format!("/graphiql/assets/{name}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(
                header_of(&response, header::CACHE_CONTROL),
                "public, max-age=31536000, immutable"
            );
            assert_eq!(header_of(&response, header::CONTENT_ENCODING), "gzip");
            assert!(body(response).await.starts_with(&[0x1f, 0x8b]), "{name}");
        }
    }

    #[test]
    fn every_asset_has_a_known_content_type() {
        let unknown: Vec<_> = asset_names()
            .into_iter()
            .filter(|name| content_type(name) == "application/octet-stream")
            .collect();
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn the_editors_workers_are_separate_scripts() {
        for worker in ["editor.worker-", "graphql.worker-", "json.worker-"] {
            let name = asset_names()
                .into_iter()
                .find(|name| name.starts_with(worker));
            let name = name.unwrap_or_else(|| panic!("{worker} is missing"));
            assert_eq!(content_type(&name), "text/javascript; charset=utf-8");
        }
    }

    #[tokio::test]
    async fn the_licences_of_bundled_packages_are_served() {
        let response = get("/graphiql/LICENSES.txt").await;
        assert_eq!(
            header_of(&response, header::CONTENT_TYPE),
            "text/plain; charset=utf-8"
        );
        let text = body(response).await;
        let text = str::from_utf8(&text).expect("the licences are UTF-8");
        for package in ["\ngraphiql ", "\nmonaco-editor ", "\nreact ", "\nprettier "] {
            assert!(text.contains(package), "{}", package.trim());
        }
    }

    #[tokio::test]
    async fn unlisted_paths_are_not_found() {
        let compressed = format!("/graphiql/assets/{}.gz", asset_names()[0]);
        for path in [
            "/graphiql/assets/unknown.js",
            "/graphiql/assets/",
            "/graphiql/assets/../index.html",
            "/graphiql/assets/..%2Findex.html",
            "/graphiql/assets/%2Fetc%2Fpasswd",
            "/graphiql/index.html",
            &compressed,
        ] {
            assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
