//! CORS: which pages of other origins may call the service. None by default. The service uses no cookies.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

/// How long a browser may cache the response to a preflight request. Browsers reduce it to about 2 hours.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// The layer for these origins; `*` allows any. Without origins it is `None`, and OPTIONS gets no special treatment.
///
/// # Errors
/// A message that names the invalid origin.
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
        .max_age(MAX_AGE);
    Ok(Some(layer))
}

/// Origins are compared byte for byte with what browsers send. An origin that no browser sends is therefore rejected.
fn exact(origin: &str) -> Result<HeaderValue, String> {
    let sent = match Url::parse(origin) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        // An app's own scheme, such as capacitor://localhost.
        Ok(url) => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => String::new(),
    };
    match HeaderValue::from_str(origin) {
        Ok(value) if sent == origin && !origin.contains('*') => Ok(value),
        _ => Err(format!(
            "SNAPNOTE_CORS_ORIGINS: {origin:?} is not an origin as browsers send it. Write the scheme, the host and, unless it \
             is the default, the port, for example https://app.example.com."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_as_browsers_send_them_are_accepted() {
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
