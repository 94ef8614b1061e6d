//! Which pages of other origins may call. None by default, and none ever sends cookies: there are none.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

/// How long a browser remembers that it may call; browsers cut it to 2 hours or so.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The layer for these origins, `*` being any; `None` for none, so that OPTIONS is a method like others.
///
/// # Errors
/// A message that names the origin that is none.
pub(super) fn layer(origins: &[String]) -> Result<Option<CorsLayer>, String> {
    let origins: Vec<&str> = origins
        .iter()
        .map(|origin| origin.trim())
        .filter(|origin| !origin.is_empty())
        .collect();
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = if origins.contains(&"*") {
        AllowOrigin::any()
    } else {
        let exact: Result<Vec<_>, _> = origins.into_iter().map(exact).collect();
        AllowOrigin::list(exact?)
    };
    let request_id = HeaderName::from_static("x-request-id");
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            HeaderName::from_static("last-event-id"),
            request_id.clone(),
        ])
        .expose_headers([request_id, header::RETRY_AFTER])
        .max_age(REMEMBERED);
    Ok(Some(layer))
}

/// An origin is compared byte for byte with what browsers send, so one that they never send is a mistake.
fn exact(origin: &str) -> Result<HeaderValue, String> {
    let sent = match Url::parse(origin) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        // As of an app's own scheme: capacitor://localhost.
        Ok(url) => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => String::new(),
    };
    match HeaderValue::from_str(origin) {
        Ok(value) if sent == origin && !origin.contains('*') => Ok(value),
        _ => Err(format!(
            "SNAPNOTE_CORS_ORIGINS: {origin:?} is no origin as browsers send it. Write scheme, host and, if it is not the \
             usual one, port, as in https://app.example.com."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_is_an_origin() {
        for good in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://[::1]:3000",
            "capacitor://localhost",
        ] {
            assert_eq!(exact(good), Ok(HeaderValue::from_static(good)));
        }
        for bad in [
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://app.example.com/path",
            "https://*.example.com",
            "app.example.com",
            "localhost:5173",
            "null",
            "https://",
        ] {
            let message = exact(bad).expect_err(bad);
            assert!(message.contains("SNAPNOTE_CORS_ORIGINS"), "{message}");
        }
    }

    #[test]
    fn without_origins_there_is_no_layer() {
        for none in [vec![], vec![String::new()], vec![" ".to_owned()]] {
            assert!(layer(&none).is_ok_and(|layer| layer.is_none()), "{none:?}");
        }
        let some = ["https://a.example.com", " https://b.example.com"].map(str::to_owned);
        assert!(layer(&some).is_ok_and(|layer| layer.is_some()));
    }
}
