//! The HTTP edge: statuses, the deadline, callers that hang up, and a pool without a free connection.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::support::{Answer, Client, TestApp, read_answer, superuser};

const JSON: (&str, &str) = ("content-type", "application/json");
const GRAPHQL: (&str, &str) = ("accept", "application/graphql-response+json");

async fn post(client: &Client, headers: &[(&str, &str)], body: &str) -> Answer {
    client
        .http("POST", "/graphql", headers, body.as_bytes())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_the_status_of_the_draft() {
    let app = TestApp::with(|settings| settings.edge.max_body = 2_000).await;
    let visitor = app.visitor();
    let me = r#"{"query":"{ me { id } }"}"#;
    let table = [
        (vec![JSON, GRAPHQL], me.to_owned(), 200),
        (vec![JSON], me.to_owned(), 200),
        (vec![JSON, ("accept", "text/html")], me.to_owned(), 406),
        (vec![("content-type", "text/plain")], me.to_owned(), 415),
        (
            vec![("content-type", "multipart/form-data; boundary=x")],
            me.to_owned(),
            415,
        ),
        (vec![], me.to_owned(), 415),
        (vec![JSON], "{".to_owned(), 400),
        (vec![JSON], format!("[{me}]"), 400),
        (vec![JSON], "{}".to_owned(), 422),
        (
            vec![JSON],
            format!("{{\"query\":\"{}\"}}", "x".repeat(2_000)),
            413,
        ),
        (
            vec![JSON, GRAPHQL],
            r#"{"query":"{ nothing }"}"#.to_owned(),
            400,
        ),
        (vec![JSON], r#"{"query":"{ nothing }"}"#.to_owned(), 200),
        (
            vec![JSON, ("authorization", "Bearer nonsense")],
            me.to_owned(),
            401,
        ),
        (
            vec![JSON, ("authorization", "Basic YTpi")],
            me.to_owned(),
            401,
        ),
    ];
    for (headers, body, status) in table {
        let answer = post(&visitor, &headers, &body).await;
        assert_eq!(answer.status, status, "{headers:?} {body:.60} {answer:?}");
        let executed = answer.status == 200 && !body.contains("nothing");
        assert_eq!(answer.json().get("data").is_some(), executed, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_may_come_by_get_and_a_mutation_may_not() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let get = |query: &'static str| {
        let ada = ada.clone();
        async move {
            ada.http(
                "GET",
                &format!("/graphql?query={query}"),
                &[("accept", "application/json")],
                b"",
            )
            .await
        }
    };
    let me = get("query%20A%7Bme%7Bname%7D%7D&operationName=A").await;
    assert_eq!(
        (me.status, me.json()["data"]["me"]["name"].as_str()),
        (200, Some("ada"))
    );
    let mutation = get("mutation%7BsignOut%7BsignedOut%7D%7D").await;
    assert_eq!(
        (mutation.status, mutation.header("allow")),
        (405, Some("POST"))
    );
    assert_eq!(ada.http("DELETE", "/graphql", &[], b"").await.status, 405);
    let page = ada
        .http("GET", "/graphql", &[("accept", "text/html,*/*;q=0.8")], b"")
        .await;
    assert!(
        page.body.contains("GraphiQL") && page.header("content-security-policy").is_some(),
        "{page:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_served_with_a_tag() {
    let app = TestApp::start().await;
    let first = app.visitor().http("GET", "/schema.graphql", &[], b"").await;
    assert_eq!(first.body, include_str!("../../schema.graphql"));
    let tag = first.header("etag").unwrap();
    let again = app
        .visitor()
        .http("GET", "/schema.graphql", &[("if-none-match", tag)], b"")
        .await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

const RENAME: &str = "mutation($id: ID!) { updateCourse(input: { id: $id, name: \"Renamed\" }) { course { name } } }";

async fn course(client: &Client) -> serde_json::Value {
    let query = "mutation { createCourse(input: { name: \"Algebra\" }) { course { id } } }";
    client.data(query, json!({})).await["createCourse"]["course"]["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_the_statement_is_cancelled_and_nothing_is_changed() {
    let patient = TestApp::start().await;
    let ada = patient.signed_up("ada").await;
    let id = course(&ada).await;
    let app = TestApp::on(patient.database.clone(), |settings| {
        settings.edge.request_timeout = Duration::from_millis(500);
    })
    .await;
    let ada = Client {
        address: app.address,
        ..ada
    };
    let mut holder = superuser(&app.database).await;
    holder
        .batch_execute("BEGIN; SELECT FROM courses FOR UPDATE")
        .await
        .unwrap();
    let answer = ada.post(RENAME, json!({ "id": id })).await;
    assert_eq!(
        answer.json()["errors"][0]["extensions"]["code"],
        "TIMEOUT",
        "{answer:?}"
    );
    assert_eq!(answer.status, 504);
    sleep(Duration::from_millis(500)).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(app.number(waiting).await, 0, "the statement is gone");
    holder.batch_execute("ROLLBACK").await.unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        app.number("SELECT count(*) FROM courses WHERE name = 'Renamed'")
            .await,
        0
    );
    assert_eq!(
        ada.data(RENAME, json!({ "id": id })).await["updateCourse"]["course"]["name"],
        "Renamed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_runs_to_its_end_though_the_caller_hangs_up() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let mut holder = superuser(&app.database).await;
    holder
        .batch_execute("BEGIN; SELECT FROM courses FOR UPDATE")
        .await
        .unwrap();
    let body = json!({ "query": RENAME, "variables": { "id": id } }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        ada.token.as_deref().unwrap(),
        body.len()
    );
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    sleep(Duration::from_millis(300)).await;
    drop(stream);
    sleep(Duration::from_millis(200)).await;
    holder.batch_execute("COMMIT").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(
        app.number("SELECT count(*) FROM courses WHERE name = 'Renamed'")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_connection_the_service_is_unavailable_for_now() {
    let app = TestApp::with(|settings| {
        settings.pool.max_connections = 1;
        settings.pool.wait = Duration::from_millis(200);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let mut holder = superuser(&app.database).await;
    holder
        .batch_execute("BEGIN; SELECT FROM courses FOR UPDATE")
        .await
        .unwrap();
    let (held, refused) = tokio::join!(ada.post(RENAME, json!({ "id": id })), async {
        sleep(Duration::from_millis(300)).await;
        let refused = ada.post("{ courses { nodes { id } } }", json!({})).await;
        holder.batch_execute("COMMIT").await.unwrap();
        refused
    });
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(
        refused.json()["errors"][0]["extensions"]["code"],
        "UNAVAILABLE"
    );
    assert!(refused.header("retry-after").is_some());
    assert_eq!(held.status, 200, "{held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_cut_off() {
    let app =
        TestApp::with(|settings| settings.edge.body_timeout = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), read_answer(&mut stream))
        .await
        .unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
}

/// Sends a byte at a time until the other side gives up; that must be long before all are sent.
async fn trickled(app: &TestApp, at_once: &str, slowly: &str) -> Answer {
    let stream = TcpStream::connect(app.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(at_once.as_bytes()).await.unwrap();
    let slowly = slowly.to_owned();
    let trickle = tokio::spawn(async move {
        for byte in slowly.bytes() {
            sleep(Duration::from_millis(50)).await;
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    let read = async {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = tokio::time::timeout(Duration::from_secs(3), read).await;
    trickle.abort();
    Answer::parse(&bytes.expect("it is cut in time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_trickles_in_is_cut_off_though_it_never_pauses() {
    let app = TestApp::with(|settings| {
        settings.edge.body_timeout = Duration::from_millis(300);
        settings.server.header_timeout = Duration::from_millis(300);
    })
    .await;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let spaces = " ".repeat(200);
    let sized = format!("{head}content-length: 200\r\n\r\n");
    assert_eq!(trickled(&app, &sized, &spaces).await.status, 408);
    let endless = format!("x-slow: {}", "x".repeat(200));
    let answer = trickled(&app, head, &endless).await;
    assert!(matches!(answer.status, 0 | 408), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_an_answer_is_cut_off_and_who_takes_it_slowly_is_not() {
    let app =
        TestApp::with(|settings| settings.server.write_timeout = Duration::from_secs(1)).await;
    let asked = async |count: usize| {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let last = "GET /schema.graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let requests = last.replace("connection: close\r\n", "").repeat(count - 1) + last;
        stream.write_all(requests.as_bytes()).await.unwrap();
        stream
    };
    // Whether it ends well does not matter, only how much came.
    let taken = async |mut stream: TcpStream, pause: Duration| {
        let (mut all, mut part) = (0, vec![0; 1 << 20]);
        while let Ok(read @ 1..) = stream.read(&mut part).await {
            all += read;
            tokio::time::sleep(pause).await;
        }
        all
    };
    let one = taken(asked(1).await, Duration::ZERO).await;
    // More than both sides' sockets hold.
    let count = (64 << 20) / one;
    let slow = asked(count).await;
    let all = taken(slow, Duration::from_millis(20)).await;
    assert!(all > one * (count - 1), "{all} of {count} times {one}");
    let never = asked(count).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let part = taken(never, Duration::ZERO).await;
    assert!(part < all / 2, "{part} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests_and_remembers_nobody() {
    let app = TestApp::start().await;
    let token = app.signed_up("ada").await.token.unwrap();
    let body = r#"{"query":"{ me { name } }"}"#;
    let request = |headers: &str| {
        format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let signed_in = request(&format!("authorization: Bearer {token}\r\n"));
    let (visitor, last) = (request(""), request("connection: close\r\n"));
    // All at once: the answers come in the order of the requests.
    let all = format!("{signed_in}{visitor}{signed_in}{last}");
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(all.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .expect("they are answered")
        .unwrap();
    let (ada, nobody) = (
        r#"{"data":{"me":{"name":"ada"}}}"#,
        r#"{"data":{"me":null}}"#,
    );
    let bodies: Vec<_> = text
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|answer| answer.split_once("\r\n\r\n").unwrap().1)
        .collect();
    assert_eq!(bodies, [ada, nobody, ada, nobody], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    assert_eq!(visitor.http("GET", "/readyz", &[], b"").await.status, 200);
    let mut postgres = superuser("postgres").await;
    postgres
        .batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", app.database))
        .await
        .unwrap();
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(visitor.http("GET", "/readyz", &[], b"").await.status, 503);
    assert_eq!(visitor.http("GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_known_origins_may_call_and_of_others_may_not() {
    let app = TestApp::start().await;
    let preflight = |origin: &'static str| {
        let visitor = app.visitor();
        async move {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
            ];
            visitor.http("OPTIONS", "/graphql", &headers, b"").await
        }
    };
    let known = preflight("https://app.example.com").await;
    assert_eq!(
        known.header("access-control-allow-origin"),
        Some("https://app.example.com")
    );
    assert_eq!(known.header("access-control-allow-credentials"), None);
    assert_eq!(
        preflight("https://evil.example")
            .await
            .header("access-control-allow-origin"),
        None
    );
}
