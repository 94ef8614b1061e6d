//! The reasons and codes with which sockets are closed, and the limits of how many may be open.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    socket::{CHANGES, Heard, Socket, init},
    subscribers,
};
use crate::support::{TestApp, eventually, mutation};

/// Sends messages of which the last one is an error.
async fn send_all(socket: &mut Socket, messages: Vec<Value>) {
    let last = messages.len() - 1;
    for (at, message) in messages.into_iter().enumerate() {
        let is_init = message["type"] == "connection_init";
        socket.send(message).await;
        if is_init && at < last {
            assert_eq!(socket.message().await["type"], "connection_ack");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol_errors_close_the_socket_with_their_code() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let query = json!({ "query": "{ me { id } }" });
    let subscribe = json!({ "type": "subscribe", "id": "a", "payload": query });
    let listen = json!({ "type": "subscribe", "id": "a", "payload": { "query": CHANGES } });
    let anonymous = json!({ "type": "connection_init" });
    let token =
        |token: Value| json!({ "type": "connection_init", "payload": { "Authorization": token } });
    let good = init(&ada);
    let (twice, exists) = (
        "Too many initialisation requests",
        "Subscriber for a already exists",
    );
    let (unknown, array) = (
        "The message has an unknown type",
        "The message is not a JSON object",
    );
    let invalid = "The access token is invalid. Sign in again.";
    let no_bearer =
        r#"The payload has no bearer token. Send it as {"Authorization": "Bearer <token>"}."#;
    let wrong_place = r#"The payload has a token in the wrong place. Send it as {"Authorization": "Bearer <token>"}."#;
    let headers = json!({ "headers": { "Authorization": "Bearer nonsense" } });
    let misplaced = json!({ "type": "connection_init", "payload": headers });
    let table = [
        (vec![subscribe.clone()], 4401, "Unauthorized"),
        (vec![token(json!("Bearer nonsense"))], 4403, invalid),
        (vec![token(json!("Basic YTpi"))], 4400, no_bearer),
        (vec![token(json!(1))], 4400, no_bearer),
        (vec![misplaced], 4400, wrong_place),
        (vec![anonymous.clone(), anonymous], 4429, twice),
        (vec![good.clone(), good.clone()], 4429, twice),
        (vec![good.clone(), listen.clone(), listen], 4409, exists),
        (vec![json!({ "type": "start" })], 4400, unknown),
        (vec![good, json!([])], 4400, array),
    ];
    for (messages, code, reason) in table {
        let mut socket = Socket::open(&ada).await;
        send_all(&mut socket, messages).await;
        assert_eq!(socket.next().await, Heard::Closed(code, reason.to_owned()));
    }
    let mut socket = Socket::open(&ada).await;
    let binary = Message::binary(b"{}".to_vec());
    socket.stream.send(binary).await.unwrap();
    assert_eq!(socket.next().await.code(), 4400);
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_errors_send_a_close_frame_before_disconnecting() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let long_ping = [[0x89, 0xfe, 0, 200, 0, 0, 0, 0].as_slice(), &[0; 200]].concat();
    let terabyte = [0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let table: [(&str, &[u8], u16); 5] = [
        ("a reserved opcode", &[0x83, 0x80, 0, 0, 0, 0], 1002),
        ("no mask", &[0x81, 0x02, b'{', b'}'], 1002),
        ("a long ping", &long_ping, 1002),
        ("no UTF-8", &[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007),
        ("a terabyte", &terabyte, 1009),
    ];
    for (name, bytes, code) in table {
        let mut socket = Socket::of(&ada).await;
        socket.stream.get_mut().write_all(bytes).await.unwrap();
        match socket.next().await {
            Heard::Closed(closed, _) => assert_eq!(closed, code, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    // All of it is sent before anything is read.
    let most = 1024 * 1024 + 4096;
    for length in [most + 1, 3 * 1024 * 1024] {
        let mut socket = Socket::of(&ada).await;
        socket.send_text(&"x".repeat(length)).await;
        assert_eq!(socket.next().await.code(), 1009, "{length}");
    }
    let mut socket = Socket::of(&ada).await;
    let ping = r#"{"type":"ping"}"#;
    let spaces = " ".repeat(most - ping.len());
    socket.send_text(&format!("{ping}{spaces}")).await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_are_not_initialised_in_time_are_closed() {
    let timeout = Duration::from_secs(2);
    let app = TestApp::with(|settings| settings.edge.streams.init_timeout = timeout).await;
    let ada = app.signed_up("ada").await;
    let began = Instant::now();
    let mut late = Socket::open(&ada).await;
    let mut in_time = Socket::of(&ada).await;
    let reason = "Connection initialisation timeout".to_owned();
    assert_eq!(late.next().await, Heard::Closed(4408, reason));
    assert!(began.elapsed() >= timeout);
    in_time.sends_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_subprotocol_is_supported() {
    let app = TestApp::start().await;
    let mut none = Socket::with(&app.anonymous(), &[]).await.unwrap();
    let reason = "Subprotocol not acceptable".to_owned();
    assert_eq!(none.next().await, Heard::Closed(4406, reason));
    let several = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut several = Socket::with(&app.anonymous(), &several).await.unwrap();
    several
        .send(json!({ "type": "ping", "payload": { "n": 1 } }))
        .await;
    let pong = json!({ "type": "pong", "payload": { "n": 1 } });
    assert_eq!(several.message().await, pong);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_handshakes_are_rejected() {
    let app = TestApp::start().await;
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    let answer = app.anonymous().http("GET", "/graphql", &upgrade, b"").await;
    assert_eq!(answer.status, 400);
    // A POST is a normal request, whatever headers it has.
    let headers = [
        ("upgrade", "websocket"),
        ("content-type", "application/json"),
    ];
    let body = b"{\"query\":\"{ me { id } }\"}";
    let answer = app
        .anonymous()
        .http("POST", "/graphql", &headers, body)
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_cannot_open_a_socket() {
    let app = TestApp::start().await;
    let with = async |origin: &str| {
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("origin", origin),
        ];
        Socket::with(&app.anonymous(), &headers).await.err()
    };
    let own = format!("http://{}", app.address);
    for (origin, refused) in [
        ("https://app.example.com", None),
        (own.as_str(), None),
        ("https://evil.example.com", Some(403)),
        ("https://app.example.com.evil.com", Some(403)),
        ("http://app.example.com", Some(403)),
        ("null", Some(403)),
    ] {
        assert_eq!(with(origin).await, refused, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_handshake_is_used_if_the_initialisation_has_none() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    for (token, code) in [
        (ada.token.as_deref().unwrap(), None),
        ("nonsense", Some(4403)),
    ] {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("authorization", authorization.as_str()),
        ];
        let mut socket = Socket::with(&ada, &headers).await.unwrap();
        socket.send(json!({ "type": "connection_init" })).await;
        match code {
            Some(code) => assert_eq!(socket.next().await.code(), code),
            None => {
                socket.message().await;
                socket.subscribe("1", "{ me { email } }", Value::Null).await;
                let next = socket.message().await;
                assert_eq!(next["payload"]["data"]["me"]["email"], "ada@example.com");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_limited_in_total_and_per_user() {
    let app = TestApp::with(|settings| {
        settings.edge.streams.max_sockets = 4;
        settings.edge.streams.max_sockets_per_user = 2;
    })
    .await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let (_first, second) = (Socket::of(&ada).await, Socket::of(&ada).await);
    let mut third = Socket::open(&ada).await;
    third.send(init(&ada)).await;
    assert_eq!(third.next().await.code(), 1013);
    drop(third);
    let _other = Socket::of(&bob).await;
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    let fourth = Socket::with(&bob, &headers).await.unwrap();
    assert_eq!(Socket::with(&bob, &headers).await.err(), Some(503));
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let rejected = bob.http("GET", "/graphql", &handshake, b"").await;
    assert_eq!(rejected.status, 503, "{rejected:?}");
    assert_eq!(rejected.header("retry-after"), Some("5"));
    let extensions = json!({ "code": "UNAVAILABLE", "retryAfterMs": 5000 });
    assert_eq!(rejected.json()["errors"][0]["extensions"], extensions);
    drop((second, fourth));
    eventually("there is room again", async || {
        Socket::with(&bob, &headers).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_limited_in_total_and_per_user() {
    let app = TestApp::with(|settings| {
        settings.edge.streams.max_subscriptions = 3;
        settings.edge.streams.max_subscriptions_per_user = 2;
    })
    .await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut first = Socket::of(&ada).await;
    let mut other = Socket::of(&bob).await;
    let mut open = 0;
    for (is_adas, id, code) in [
        (true, "1", None),
        (true, "2", None),
        (true, "3", Some("RATE_LIMITED")),
        (false, "4", None),
        (false, "5", Some("UNAVAILABLE")),
    ] {
        let socket = if is_adas { &mut first } else { &mut other };
        socket.subscribe(id, CHANGES, Value::Null).await;
        open += usize::from(code.is_none());
        subscribers(&app, open).await;
        if let Some(code) = code {
            let message = socket.message().await;
            let error = &message["payload"][0];
            assert_eq!(error["extensions"]["code"], code, "{id}");
            if code == "RATE_LIMITED" {
                let text = error["message"].as_str().unwrap();
                assert!(text.contains("per user, or per address"), "{text}");
                assert!(error["extensions"].get("retryAfterMs").is_none(), "{error}");
            }
        }
    }
    first.complete("1").await;
    subscribers(&app, 2).await;
    other.subscribe("again", CHANGES, Value::Null).await;
    subscribers(&app, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_clients_of_one_network_share_a_limit_of_sockets() {
    let app = TestApp::with(|settings| {
        settings.edge.streams.max_sockets_per_user = 2;
        settings.edge.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let ada = app.signed_up("ada").await;
    let from = async |address: &str| {
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("x-forwarded-for", address),
        ];
        let mut socket = Socket::with(&app.anonymous(), &headers).await.unwrap();
        socket.send(json!({ "type": "connection_init" })).await;
        socket
    };
    let mut held = Vec::new();
    for address in ["2001:db8::1", "2001:db8::2", "192.0.2.1"] {
        let mut socket = from(address).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        held.push(socket);
    }
    let mut third = from("2001:db8::3").await;
    assert_eq!(third.next().await.code(), 1013);
    // A socket that becomes a user's frees an anonymous slot.
    held[0]
        .send(json!({ "type": "ping", "payload": init(&ada)["payload"] }))
        .await;
    assert_eq!(held[0].message().await["type"], "pong");
    let mut third = from("2001:db8::3").await;
    assert_eq!(third.message().await["type"], "connection_ack");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_do_not_answer_pings_are_closed() {
    let app = TestApp::with(|settings| {
        settings.edge.streams.heartbeat = Duration::from_millis(200);
        settings.edge.streams.max_sockets = 2;
    })
    .await;
    let ada = app.signed_up("ada").await;
    let mut silent = Socket::of(&ada).await;
    let mut alive = Socket::of(&ada).await;
    // Reading a socket answers its pings, so only one of them is read until there is room for a third.
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    tokio::select! {
        heard = alive.heard() => panic!("{heard:?}"),
        () = eventually("the silent socket is closed", async || {
            Socket::with(&ada, &headers).await.is_ok()
        }) => {}
    }
    assert_eq!(silent.next().await, Heard::Gone);
    alive.subscribe("1", "{ me { email } }", Value::Null).await;
    assert_eq!(alive.message().await["type"], "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_operations_are_all_answered() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    for id in 0..100 {
        socket
            .subscribe(&id.to_string(), "{ me { email } }", Value::Null)
            .await;
    }
    let mut answered = std::collections::HashSet::new();
    let mut completed = 0;
    while completed < 100 {
        let message = socket.message().await;
        match message["type"].as_str() {
            Some("next") => assert!(answered.insert(message["id"].to_string())),
            _ => completed += 1,
        }
    }
    assert_eq!(answered.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn canceled_mutations_complete_without_a_response() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    let create = mutation("createCourse", "course { id }");
    for number in 0..10 {
        let variables = json!({ "input": { "name": number.to_string() } });
        socket.subscribe("m", &create, variables).await;
        // A mutation that runs cannot be canceled.
        app.eventually_count(&format!("courses WHERE name = '{number}'"), 1)
            .await;
        socket.complete("m").await;
    }
    socket.subscribe("q", "{ me { email } }", Value::Null).await;
    loop {
        let message = socket.message().await;
        match (message["id"].as_str(), message["type"].as_str()) {
            (Some("q"), Some("next")) => break,
            // Their answers may have been faster than the wish not to hear them.
            (Some("m"), _) => {}
            other => panic!("{other:?}"),
        }
    }
}
