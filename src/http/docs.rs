//! The documentation at `/docs`: the site of the crate `docs-site`, which mdBook renders when the program is built.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::embedded::{Caching, Embedded, content_type};

/// The pages and files below `/docs`. Links between pages are relative, so the first page is at `/docs/`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(first_page))
        .route("/docs/{*path}", get(page_or_file))
}

async fn first_page(headers: HeaderMap) -> Response {
    send("index.html", &headers)
}

async fn page_or_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    send(&path, &headers)
}

fn send(path: &str, headers: &HeaderMap) -> Response {
    if let Some(file) = docs_site::file(path) {
        return embedded(file).respond(headers);
    }
    if let Some(page) = page_named(path) {
        return Redirect::permanent(&page).into_response();
    }
    let page = docs_site::file("404.html").map(embedded);
    // A client that has the page must get the status, too.
    let mut headers = headers.clone();
    headers.remove(header::IF_NONE_MATCH);
    let page = page.map(|page| page.respond(&headers));
    (StatusCode::NOT_FOUND, page.unwrap_or_default()).into_response()
}

/// The address of a page that is named without `.html`, or by the name of its source file in `docs/`.
fn page_named(path: &str) -> Option<String> {
    let name = path.strip_suffix(".md").unwrap_or(path);
    let page = docs_site::file(&format!("{name}.html"))?;
    let is_part = ["404.html", "toc.html"].contains(&page.path);
    (!is_part).then(|| format!("/docs/{}", page.path))
}

fn embedded(file: &docs_site::File) -> Embedded {
    Embedded {
        gzip: file.gzip,
        content_type: content_type(file.path),
        caching: match file.is_hashed {
            true => Caching::Forever,
            false => Caching::Revalidate(file.tag),
        },
        policy: docs_site::POLICY,
    }
}
