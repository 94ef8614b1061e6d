//! Traces: the spans that a collector receives, and the trace that a request belongs to.

use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{PASSWORD, SIGNED_IN, Serving, migrated_database, newcomer, text};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE_ID_BYTES: [u8; 16] = [
    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
];

/// A collector that keeps what it receives, and answers every request with 200.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    let mut chunk = vec![0; 1 << 16];
                    let mut request = Vec::new();
                    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                        request.extend_from_slice(&chunk[..count]);
                        if is_complete(&request) {
                            kept.lock().unwrap().append(&mut request);
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                            stream.write_all(answer).await.unwrap();
                        }
                    }
                });
            }
        });
        Collector { url, received }
    }

    /// Everything so far. Strings are in it as they are: protobuf does not change them.
    fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.unwrap().trim().parse().unwrap();
    request.len() >= head.len() + 4 + length
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_of_a_request_and_no_secret() {
    let database = migrated_database().await;
    let collector = Collector::start().await;
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)];
    let serving = Serving::on(&database, &endpoint).await;
    let signed_up = serving.client.mutate("signUp", newcomer("ada"), SIGNED_IN);
    let signed_up = signed_up.await;
    let token = text(&signed_up["accessToken"]);
    let client = serving.client.with_token(&token);
    let course = json!({ "name": "planted course" });
    let course = client.mutate("createCourse", course, "course { id }").await;
    let input = json!({
        "courseId": course["course"]["id"], "title": "planted title",
        "originalText": "planted text", "formattedNote": "planted note",
    });
    client
        .mutate("createDocument", input, "document { id }")
        .await;
    let header = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let traced = client.with_header("traceparent", &header);
    let query =
        "query Traced($first: Int) { documents(first: $first) { nodes { title image { url } } } }";
    let answer = traced.post(query, json!({ "first": 3 })).await;
    assert_eq!(answer.json()["errors"], json!(null), "{answer:?}");
    let named = answer.header("traceresponse").expect("it names its span");
    assert!(named.starts_with(&format!("00-{TRACE_ID}-")), "{named}");
    assert_ne!(named, header, "the span is one of the service");
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(&format!("trace_id={TRACE_ID}")), "{log}");

    let spans = collector.received();
    for part in [
        "POST /v1/traces",
        "service.name",
        "snapnote",
        "POST /graphql",
        "query Traced",
        "graphql.parse",
        "graphql.validate",
        "graphql.coerce",
        "graphql.loader",
        "db.query.text",
        "FROM documents",
    ] {
        assert!(contains(&spans, part.as_bytes()), "no span has {part}");
    }
    assert!(
        contains(&spans, &TRACE_ID_BYTES),
        "the trace is the caller's"
    );
    let refresh = text(&signed_up["refreshToken"]);
    for secret in [PASSWORD, &token, &refresh, "ada@example.com", "planted"] {
        assert!(!contains(&spans, secret.as_bytes()), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_callers_trace_is_only_logged() {
    let database = migrated_database().await;
    let serving = Serving::on(&database, &[]).await;
    let header = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let traced = serving.client.with_header("traceparent", &header);
    let answer = traced.post("{ __typename }", json!({})).await;
    assert_eq!(answer.header("traceresponse"), None);
    let invalid = serving
        .client
        .with_header("traceparent", "00-zz-00f067aa0ba902b7-01");
    invalid.query("query Untraced { __typename }").await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches(TRACE_ID).count(), 1, "{log}");
    let untraced = log.lines().find(|line| line.contains("operation=Untraced"));
    assert!(
        !untraced.expect("it is logged").contains("trace_id"),
        "{log}"
    );
}
