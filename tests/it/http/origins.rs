//! Which pages may call the service: preflight requests, requests, uploads and sockets.

use tracing::Level;

use super::{JSON, TYPENAME};
use crate::{
    subscriptions::socket::Socket,
    support::{Answer, TestApp, with_log},
};

const KNOWN: &str = "https://app.example.com";
const STRANGE: &str = "https://evil.example";
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

async fn preflight(app: &TestApp, path: &str, origin: &str, requested: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", requested),
    ];
    app.anonymous().http("OPTIONS", path, &headers, b"").await
}

/// All values of a header, in lower case.
fn values(answer: &Answer, name: &str) -> String {
    let named = answer.headers.iter().filter(|(known, _)| known == name);
    let values: Vec<_> = named.map(|(_, value)| value.to_lowercase()).collect();
    values.join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_send_any_header() {
    let app = TestApp::start().await;
    let requested = "content-type,sentry-trace,baggage,apollographql-client-name,x-request-id";
    for path in ["/graphql", "/schema.graphql", "/uploads/x", "/images/x.png"] {
        let answer = preflight(&app, path, KNOWN, requested).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(KNOWN));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some(requested)
        );
        assert_eq!(answer.header("access-control-max-age"), Some("86400"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(values(&answer, "access-control-allow-methods").contains("put"));
        let vary = values(&answer, "vary");
        for name in ["origin", "access-control-request-headers"] {
            assert!(vary.contains(name), "{name}: {vary}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requested_headers_may_be_in_several_fields() {
    let app = TestApp::start().await;
    let name = "access-control-request-headers";
    let headers = [
        ("origin", KNOWN),
        ("access-control-request-method", "POST"),
        (name, "content-type, baggage"),
        (name, ""),
        (name, "traceparent"),
    ];
    let answer = app
        .anonymous()
        .http("OPTIONS", "/graphql", &headers, b"")
        .await;
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("content-type,baggage,traceparent")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_get_no_permission() {
    let app = TestApp::start().await;
    for origin in [
        STRANGE,
        "null",
        "http://localhost:5173",
        "https://app.example.com:444",
    ] {
        let answer = preflight(&app, "/graphql", origin, "content-type").await;
        assert_eq!(answer.status, 204, "{origin}");
        let allowed = answer
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("access-control-"));
        assert_eq!(allowed.count(), 0, "{origin} {answer:?}");
        assert!(values(&answer, "vary").contains("origin"), "{origin}");
    }
    // Not a preflight request.
    let options = app.anonymous().http("OPTIONS", "/graphql", &[], b"").await;
    assert_eq!(options.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_can_read_responses() {
    let app = TestApp::start().await;
    let answer = app
        .anonymous()
        .post_body(&[JSON, ("origin", KNOWN)], TYPENAME)
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(KNOWN));
    let vary = values(&answer, "vary");
    assert!(
        vary.contains("origin") && vary.contains("accept, authorization"),
        "{vary}"
    );
    let exposed = values(&answer, "access-control-expose-headers");
    for name in [
        "x-request-id",
        "retry-after",
        "ratelimit-policy",
        "ratelimit",
        "www-authenticate",
        "etag",
    ] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_pages_on_any_port_can_be_allowed() {
    let app = TestApp::with(|settings| {
        settings.edge.cors_origins = snapnote::http::LOCAL_ORIGINS.map(str::to_owned).to_vec();
    })
    .await;
    for (origin, allowed) in [
        ("http://localhost:5173", true),
        ("http://localhost", true),
        ("http://127.0.0.1:3000", true),
        ("http://[::1]:8", true),
        ("http://localhost.evil.example:80", false),
        ("http://127.0.0.1.evil.example", false),
        ("http://127.0.0.2:3000", false),
        (KNOWN, false),
    ] {
        let answer = preflight(&app, "/graphql", origin, "content-type").await;
        let seen = answer.header("access-control-allow-origin");
        assert_eq!(seen, allowed.then_some(origin));
        let socket = Socket::with(&app.anonymous(), &[PROTOCOL, ("origin", origin)]).await;
        assert_eq!(socket.err(), (!allowed).then_some(403), "{origin}");
    }
}

#[test]
fn a_refused_origin_is_logged_once_with_the_setting_to_change() {
    let log = with_log(Level::WARN, |log| async move {
        let app = TestApp::start().await;
        let own = format!("http://{}", app.address);
        for origin in [STRANGE, STRANGE, "https://other.example", KNOWN, &own] {
            preflight(&app, "/graphql", origin, "content-type").await;
            app.anonymous()
                .post_body(&[JSON, ("origin", origin)], TYPENAME)
                .await;
            let _ = Socket::with(&app.anonymous(), &[PROTOCOL, ("origin", origin)]).await;
        }
        app.stop().await;
        log
    });
    for (origin, lines) in [(STRANGE, 1), ("https://other.example", 1), (KNOWN, 0)] {
        let logged = log.lines(&["SNAPNOTE_CORS_ORIGINS", origin]);
        assert_eq!(logged, lines, "{origin} {}", log.text());
    }
    assert_eq!(log.lines(&["SNAPNOTE_CORS_ORIGINS"]), 2);
}
