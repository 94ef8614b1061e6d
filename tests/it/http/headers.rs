//! Header fields in all the forms that the standards allow and clients send.

use crate::support::{TestApp, read_answer, sent, trust_proxies};

use super::{JSON, TYPENAME};

#[tokio::test(flavor = "multi_thread")]
async fn json_in_utf_8_is_accepted_in_any_spelling() {
    let app = TestApp::start().await;
    let table: [(&[&str], &[&str], u16); 14] = [
        (&["application/json; charset=utf-8"], &["identity"], 200),
        (&["Application/Json;CHARSET=\"Utf-8\""], &[""], 200),
        (&["application/json; charset=utf8"], &[" , Identity"], 200),
        (
            &["application/json; charset="],
            &["identity", "identity"],
            200,
        ),
        (&["application/json;; x=\"a;b,c\""], &[], 200),
        (&["application/json; charset=utf-16"], &["identity"], 415),
        (&["application/json; charset=ISO-8859-1"], &[], 415),
        (&["application/json"], &["gzip"], 415),
        (&["application/json"], &["identity", "br"], 415),
        (&["application/graphql"], &["identity"], 415),
        (&["application/x-www-form-urlencoded"], &[], 415),
        (&["application/json", "application/json"], &[], 400),
        (&["application/json, text/plain"], &[], 400),
        (&["text/plain", "application/json"], &[], 400),
    ];
    for (types, codings, status) in table {
        let types = types.iter().map(|value| ("content-type", *value));
        let codings = codings.iter().map(|value| ("content-encoding", *value));
        let headers: Vec<_> = types.chain(codings).collect();
        let answer = app.anonymous().post_body(&headers, TYPENAME).await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
    for (content_type, named) in [
        ("application/json; charset=koi8-r", "`koi8-r`"),
        ("text/html", "`text/html`"),
    ] {
        let headers = [("content-type", content_type)];
        let answer = app.anonymous().post_body(&headers, TYPENAME).await;
        let error = &answer.json()["errors"][0];
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{error}"
        );
        assert_eq!(error["extensions"]["code"], "BAD_REQUEST");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_skipped_and_other_encodings_are_rejected() {
    let app = TestApp::start().await;
    let utf_16: Vec<u8> = TYPENAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = format!("\u{feff}{TYPENAME}");
    let table: [(&[u8], u16); 5] = [
        (marked.as_bytes(), 200),
        (b"\xef\xbb\xbf", 400),
        ("\u{feff}\u{feff}{}".as_bytes(), 400),
        (b"{\"query\":\"{a}#\xe9\"}", 400),
        (&utf_16, 400),
    ];
    for (body, status) in table {
        let answer = app.anonymous().post_body(&[JSON], body).await;
        assert_eq!(answer.status, status, "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_fields_of_one_name_are_one_list() {
    let app = TestApp::with(trust_proxies).await;
    let anonymous = app.anonymous();
    let accept = |values: &[&'static str]| {
        let values = values.iter().map(|value| ("accept", *value));
        [JSON].into_iter().chain(values).collect::<Vec<_>>()
    };
    for (values, status) in [
        (&["text/html", "application/json"][..], 200),
        (&["application/json;q=0", "text/html"], 406),
        (&["application/graphql-response+json;q=0, */*;q=0"], 406),
        (&["text/html;q=0", "application/json;q=0.1"], 200),
        (&["text/event-stream;q=0", "*/*"], 200),
    ] {
        let answer = anonymous.post_body(&accept(values), TYPENAME).await;
        assert_eq!(answer.status, status, "{values:?} {answer:?}");
    }
    let page = [("accept", "text/html;q=0, application/json;q=0")];
    let answer = anonymous.http("GET", "/graphql", &page, b"").await;
    assert_eq!(answer.status, 406, "a page that is not acceptable");

    let schema = anonymous.get("/schema.graphql").await;
    let tag = schema.header("etag").unwrap();
    let known = [
        ("if-none-match", "\"a,b\""),
        ("if-none-match", &format!("\"c\", W/{tag}")),
    ];
    let again = anonymous.http("GET", "/schema.graphql", &known, b"").await;
    assert_eq!(again.status, 304);

    let hops = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-for", "127.0.0.9"),
    ];
    let ada = app.signed_up("ada").await;
    let headers: Vec<_> = [JSON].into_iter().chain(hops).collect();
    let sign_in = r#"{"query":"mutation { signIn(input: { email: \"ada@example.com\", password: \"correct horse\" }) { session { ipAddress } } }"}"#;
    let answer = ada.post_body(&headers, sign_in).await.json();
    let address = &answer["data"]["signIn"]["session"]["ipAddress"];
    assert_eq!(address, "192.0.2.7", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_sent_in_gzip_only_to_clients_that_accept_it() {
    let app = TestApp::start().await;
    let page = app.anonymous().get("/graphiql").await.body;
    let (_, rest) = page.split_once("\"/graphiql/assets/").unwrap();
    let path = format!("/graphiql/assets/{}", rest.split_once('"').unwrap().0);
    for (values, encoding) in [
        (&[][..], None),
        (&["br", "gzip;q=0.5"], Some("gzip")),
        (&["gzip;q=0", "*"], None),
        (&["identity"], None),
    ] {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("accept-encoding", *value))
            .collect();
        let answer = app.anonymous().http("GET", &path, &headers, b"").await;
        assert_eq!(answer.status, 200, "{values:?}");
        assert_eq!(answer.header("content-encoding"), encoding, "{values:?}");
        assert!(
            answer
                .headers
                .iter()
                .any(|(name, value)| name == "vary" && value == "Accept-Encoding")
        );
    }
}

/// The head of the response to this handshake, as it was sent.
async fn handshake(app: &TestApp, headers: &str) -> String {
    let request = format!(
        "GET /graphql HTTP/1.1\r\nhost: x\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    let mut stream = sent(app.address, request).await;
    crate::support::read_some(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_can_have_several_fields_of_one_name() {
    let app = TestApp::start().await;
    let protocol = "sec-websocket-protocol: graphql-transport-ws\r\n";
    for headers in [
        "connection: keep-alive\r\nconnection: Upgrade\r\nupgrade: websocket\r\n",
        "connection: keep-alive, UPGRADE\r\nupgrade: h2c\r\nupgrade: WebSocket\r\n",
        "upgrade: h2c, websocket\r\nconnection: upgrade\r\nconnection: x\r\nsec-websocket-protocol: graphql-ws\r\n",
    ] {
        let head = handshake(&app, &format!("{headers}{protocol}")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{headers} {head}");
        assert!(head.contains("graphql-transport-ws"), "{headers} {head}");
    }
    let refused = handshake(&app, "connection: close\r\nupgrade: websocket\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_spelled_as_in_their_standard() {
    let app = TestApp::start().await;
    for name in [
        "Sec-WebSocket-Protocol",
        "sec-websocket-protocol",
        "SEC-WEBSOCKET-PROTOCOL",
    ] {
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\n{name}: graphql-transport-ws\r\n"
        );
        let head = handshake(&app, &headers).await;
        assert!(
            head.contains("\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"),
            "{head}"
        );
        // The example of RFC 6455.
        let accept = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert!(head.contains(accept), "{head}");
    }
    // Another request on the same connection is answered as usual.
    let plain = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut stream = sent(app.address, plain).await;
    assert_eq!(read_answer(&mut stream).await.status, 200);
}
