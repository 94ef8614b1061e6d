//! CORS: which pages of other origins may call the service. None by default. The service uses no cookies.
//!
//! The same rule holds for requests and for the handshake of a WebSocket. A refused origin is logged once, because the browser tells only the
//! developer of the page, and often not why.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use parking_lot::Mutex;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use url::Url;

use super::{cost_limit, fields};

/// Pages on this machine, on any port. A service with an embedded database allows them by default.
pub const LOCAL_ORIGINS: [&str; 3] = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];

/// How long a browser may cache the response to a preflight request. Chromium reduces it to 2 hours.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// Maximum number of refused origins that are logged. Programs can send any number of them.
const MAX_LOGGED: usize = 100;
/// Maximum bytes of an origin in the log.
const MAX_LOGGED_LENGTH: usize = 200;

/// The origins whose pages may call the service.
pub(super) struct Origins {
    allowed: Vec<Allowed>,
    /// The refused origins that have been logged.
    logged: Mutex<HashSet<String>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Any,
    Exact(String),
    /// Scheme and host, with any port or none.
    AnyPort(String),
}

impl Origins {
    /// # Errors
    /// A message that names the invalid origin.
    pub(super) fn new(origins: &[String]) -> Result<Origins, String> {
        let origins = origins.iter().map(|origin| origin.trim());
        let origins = origins.filter(|origin| !origin.is_empty());
        Ok(Origins {
            allowed: origins.map(Allowed::parse).collect::<Result<_, _>>()?,
            logged: Mutex::default(),
        })
    }

    /// Whether the sender of a request may call the service: a program, which sends no origin, or a page of an allowed origin or of the
    /// service itself.
    pub(super) fn may_call(&self, parts: &Parts) -> bool {
        let origin = parts.headers.get(header::ORIGIN);
        origin.is_none_or(|origin| self.allows(origin, parts))
    }

    fn allows(&self, origin: &HeaderValue, parts: &Parts) -> bool {
        let origin = origin.to_str().unwrap_or_default();
        let mut allowed = self.allowed.iter();
        let allows = is_own(origin, parts) || allowed.any(|allowed| allowed.matches(origin));
        if !allows && self.is_new(origin) {
            tracing::warn!(
                origin,
                "a page of this origin may not call the service; add the origin to SNAPNOTE_CORS_ORIGINS to allow it"
            );
        }
        allows
    }

    /// Whether a refused origin has not been logged yet.
    fn is_new(&self, origin: &str) -> bool {
        let mut logged = self.logged.lock();
        origin.len() <= MAX_LOGGED_LENGTH
            && logged.len() < MAX_LOGGED
            && logged.insert(origin.to_owned())
    }
}

impl Allowed {
    /// # Errors
    /// A message that names the invalid origin.
    fn parse(origin: &str) -> Result<Allowed, String> {
        if origin == "*" {
            return Ok(Allowed::Any);
        }
        // A host that has a port already is not an origin with any port.
        let host = origin
            .strip_suffix(":*")
            .filter(|host| !host.is_empty() && !has_port(host));
        match host {
            Some(host) => check(host, origin).map(|()| Allowed::AnyPort(host.to_owned())),
            None => check(origin, origin).map(|()| Allowed::Exact(origin.to_owned())),
        }
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Allowed::Any => true,
            Allowed::Exact(exact) => exact == origin,
            Allowed::AnyPort(host) => origin.strip_prefix(host).is_some_and(|port| {
                let digits = port.strip_prefix(':');
                port.is_empty() || digits.is_some_and(|digits| digits.parse::<u16>().is_ok())
            }),
        }
    }
}

fn has_port(origin: &str) -> bool {
    let port = origin.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Whether the page comes from the service itself, for example GraphiQL.
fn is_own(origin: &str, parts: &Parts) -> bool {
    let host = fields::text(&parts.headers, header::HOST);
    let host = host.or(parts.uri.authority().map(|authority| authority.as_str()));
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    host.zip(authority)
        .is_some_and(|(host, authority)| authority.eq_ignore_ascii_case(host))
}

/// What is wrong with an origin of the setting, if one is not valid.
pub fn invalid_origin(origins: &[String]) -> Option<String> {
    Origins::new(origins).err()
}

/// The layer that responds to preflight requests, and tells browsers which pages may read a response.
pub(super) fn layer(origins: Arc<Origins>) -> CorsLayer {
    let allowed = match origins.allowed.contains(&Allowed::Any) {
        true => AllowOrigin::any(),
        false => AllowOrigin::predicate(move |origin, parts| origins.allows(origin, parts)),
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        // Pages of an allowed origin may send any header: clients and tracing libraries add their own.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("traceresponse"),
            header::RETRY_AFTER,
            cost_limit::POLICY,
            cost_limit::STATE,
            header::WWW_AUTHENTICATE,
            header::ETAG,
            header::ACCEPT_RANGES,
            header::CONTENT_RANGE,
        ])
        .max_age(MAX_AGE)
}

/// Middleware around the layer. OPTIONS has no content, and the response to a refused origin has no permissions.
pub(super) async fn finish(mut request: Request, next: Next) -> Response {
    let is_options = request.method() == Method::OPTIONS;
    join_requested_headers(request.headers_mut());
    let mut response = next.run(request).await;
    if is_options {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let headers = response.headers_mut();
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_METHODS,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            header::ACCESS_CONTROL_MAX_AGE,
        ] {
            headers.remove(name);
        }
    }
    response
}

/// Makes several fields with requested headers one, because the layer mirrors only the first.
fn join_requested_headers(headers: &mut HeaderMap) {
    let name = header::ACCESS_CONTROL_REQUEST_HEADERS;
    if headers.get_all(&name).iter().nth(1).is_none() {
        return;
    }
    let requested: Vec<&str> = fields::list(headers, &name).collect();
    if let Ok(requested) = HeaderValue::from_str(&requested.join(",")) {
        headers.insert(name, requested);
    }
}

/// Checks that browsers send this origin: origins are compared byte for byte. `setting` is the text to name.
fn check(origin: &str, setting: &str) -> Result<(), String> {
    let sent = match Url::parse(origin) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        // An app's own scheme, such as capacitor://localhost.
        Ok(url) => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => String::new(),
    };
    if sent == origin && !origin.contains('*') {
        return Ok(());
    }
    Err(format!(
        "SNAPNOTE_CORS_ORIGINS: {setting:?} is not an origin as browsers send it. Write the scheme, the host and, unless it is the \
         default, the port, for example https://app.example.com. `:*` allows any port, for example http://localhost:*."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(allowed: &[&str]) -> Origins {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        Origins::new(&allowed).expect("good origins")
    }

    fn request(headers: &[(HeaderName, &str)]) -> Parts {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        for (name, value) in headers {
            parts.headers.append(name, value.parse().expect("a value"));
        }
        parts
    }

    #[test]
    fn only_origins_as_browsers_send_them_are_accepted() {
        for good in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://[::1]:3000",
            "http://[::1]:*",
            "https://app.example.com:*",
            "capacitor://localhost",
        ] {
            assert!(Allowed::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://app.example.com/path",
            "https://*.example.com",
            "http://localhost:3000:*",
            "http://localhost:**",
            "app.example.com",
            "localhost:5173",
            "localhost:*",
            "null",
            "https://",
            ":*",
        ] {
            let message = Allowed::parse(bad).expect_err(bad);
            assert!(message.contains("SNAPNOTE_CORS_ORIGINS"), "{message}");
            assert!(message.contains(bad), "{message}");
        }
    }

    #[test]
    fn pages_of_allowed_origins_and_of_the_service_may_call() {
        let origins = origins(&[
            "https://a.example.com",
            " http://localhost:*",
            "",
            "http://[::1]:*",
        ]);
        for (origin, expected) in [
            ("https://a.example.com", true),
            ("http://localhost", true),
            ("http://localhost:1", true),
            ("http://localhost:65535", true),
            ("http://[::1]:8", true),
            ("http://api.example.com", true),
            ("http://API.example.com", true),
            ("http://localhost:", false),
            ("http://localhost:65536", false),
            ("http://localhost.evil.example", false),
            ("http://localhost:1.evil.example", false),
            ("http://localhostile", false),
            ("https://localhost:1", false),
            ("https://a.example.com:444", false),
            ("http://a.example.com", false),
            ("null", false),
            ("", false),
        ] {
            let parts = request(&[(header::ORIGIN, origin), (header::HOST, "api.example.com")]);
            assert_eq!(origins.may_call(&parts), expected, "{origin}");
        }
        assert!(origins.may_call(&request(&[])), "a program");
        let parts = request(&[(header::ORIGIN, "https://b.example.com")]);
        assert!(!Origins::new(&[]).expect("none").may_call(&parts));
        assert!(self::origins(&["*"]).may_call(&parts));
    }

    #[test]
    fn each_refused_origin_is_logged_once_and_not_endlessly_many() {
        let origins = origins(&[]);
        assert!(origins.is_new("https://a.example.com"));
        assert!(!origins.is_new("https://a.example.com"));
        assert!(!origins.is_new(&"x".repeat(MAX_LOGGED_LENGTH + 1)));
        let more = (0..1000).filter(|number| origins.is_new(&number.to_string()));
        assert_eq!(more.count(), MAX_LOGGED - 1);
    }
}
