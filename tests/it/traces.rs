//! Traces: the spans that a collector receives, and the trace that a request belongs to.

use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    Folder, PASSWORD, SIGNED_IN, Serving, migrated_database, newcomer, output_of, program, text,
};

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
    // A request without a body has none.
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    request.len() >= head.len() + 4 + length
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_of_a_request_and_no_secret() {
    let database = migrated_database().await;
    let collector = Collector::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
        ("SNAPNOTE_TRUST_TRACEPARENT", "true"),
    ];
    let serving = Serving::on(&database, &environment).await;
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

/// What a collector received from a service with these settings that got one request with this header, and the response.
async fn spans_of(
    environment: &[(&str, &str)],
    header: &str,
) -> (Vec<u8>, crate::support::Answer, String) {
    let database = migrated_database().await;
    let collector = Collector::start().await;
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)];
    let serving = Serving::on(&database, &[&endpoint, environment].concat()).await;
    let traced = serving.client.with_header("traceparent", header);
    let answer = traced.post("query Traced { __typename }", json!({})).await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    (collector.received(), answer, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_decide_what_is_recorded_only_if_they_are_trusted() {
    // The service itself records nothing.
    let never = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ];
    let trusted = [&never[..], &[("SNAPNOTE_TRUST_TRACEPARENT", "true")]].concat();
    let sampled = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let (spans, answer, _) = spans_of(&never, &sampled).await;
    assert!(!contains(&spans, b"query Traced"), "a client turned it on");
    let named = answer.header("traceresponse").unwrap();
    assert!(
        !named.contains(TRACE_ID) && named.ends_with("-00"),
        "{named}"
    );
    let (spans, answer, _) = spans_of(&trusted, &sampled).await;
    assert!(contains(&spans, b"query Traced"));
    let named = answer.header("traceresponse").unwrap();
    assert!(
        named.contains(TRACE_ID) && named.ends_with("-01"),
        "{named}"
    );

    // The service records everything. The trace of a caller who is not trusted is only a link.
    let unsampled = format!("00-{TRACE_ID}-00f067aa0ba902b7-00");
    let (spans, answer, log) = spans_of(&[], &unsampled).await;
    assert!(contains(&spans, b"query Traced"), "a client turned it off");
    assert!(contains(&spans, &TRACE_ID_BYTES), "it has a link");
    let named = answer.header("traceresponse").unwrap();
    assert!(!named.contains(TRACE_ID), "{named}");
    let id = named.split('-').nth(1).unwrap();
    assert!(log.contains(&format!("trace_id={id}")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_gets_credentials_from_a_file_at_the_url_of_spans() {
    let folder = Folder::new("otlp");
    let file = folder.0.join("headers");
    std::fs::write(&file, "authorization=Bearer%20hush,x-tenant=notes\n").unwrap();
    let database = migrated_database().await;
    let collector = Collector::start().await;
    let url = format!("{}/spans", collector.url);
    let environment = [
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", file.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*url),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
    ];
    let serving = Serving::on(&database, &environment).await;
    serving.client.query("{ __typename }").await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    let received = String::from_utf8_lossy(&collector.received()).to_ascii_lowercase();
    for part in [
        "post /spans http",
        "authorization: bearer hush",
        "x-tenant: notes",
    ] {
        assert!(received.contains(part), "{part}");
    }
    assert!(!log.contains("hush"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_the_exporter_does_not_support_are_errors() {
    let folder = Folder::new("otlp-wrong");
    for (name, value, expected) in [
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\": only http/protobuf is supported",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "http/json",
            "only http/protobuf is supported",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "collector:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Bearer hush",
            "OTEL_EXPORTER_OTLP_HEADERS is not valid: entry 1 has no `=`",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "a=b,hu sh=c",
            "the name of entry 2",
        ),
    ] {
        let mut command = program(&folder.0, &["--embedded", "serve"]);
        let output = output_of(command.env(name, value)).await;
        let printed = text_of(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains(expected), "{printed}");
        assert!(
            !printed.contains("hush") && !printed.contains("hu sh"),
            "{printed}"
        );
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_s3_are_spans_and_pass_the_trace_on() {
    let database = migrated_database().await;
    // Another one stands for S3. Its answers have no object, so the image is not set.
    let (collector, store) = (Collector::start().await, Collector::start().await);
    let storage = format!(
        "s3://notes/pages?region=eu-central-1&endpoint={}",
        store.url
    );
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
        ("SNAPNOTE_TRUST_TRACEPARENT", "true"),
        ("SNAPNOTE_STORAGE_URL", &*storage),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let serving = Serving::on(&database, &environment).await;
    let signed_up = serving.client.mutate("signUp", newcomer("ada"), SIGNED_IN);
    let client = serving
        .client
        .with_token(text(&signed_up.await["accessToken"]));
    let course = client.mutate("createCourse", json!({ "name": "Looms" }), "course { id }");
    let input = json!({
        "courseId": course.await["course"]["id"], "title": "Warp", "originalText": "", "formattedNote": "",
    });
    let made = client
        .mutate("createDocument", input, "document { id }")
        .await;
    let document = text(&made["document"]["id"]);
    let requested = crate::images::request(&client, &document, 100, "image/png").await;
    let header = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let traced = client.with_header("traceparent", &header);
    let input = json!({ "documentId": document, "uploadId": requested["upload"]["id"] });
    let answer = traced.post_mutation("setDocumentImage", input, "").await;
    assert_ne!(answer.status, 400, "{answer:?}");
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");

    let received = text_of(&store.received());
    let upload = text(&requested["upload"]["id"]);
    assert!(
        received.contains(&format!("GET /notes/pages/uploads/{upload}")),
        "{received}"
    );
    assert!(
        received.contains(&format!("traceparent: 00-{TRACE_ID}-")),
        "{received}"
    );
    let spans = collector.received();
    for part in [
        "GET S3",
        "http.response.status_code",
        &format!("/notes/pages/uploads/{upload}"),
    ] {
        assert!(contains(&spans, part.as_bytes()), "no span has {part}");
    }
    for secret in ["AKIDEXAMPLE", "hush", "X-Amz-Signature"] {
        assert!(!contains(&spans, secret.as_bytes()), "{secret}");
    }
}
