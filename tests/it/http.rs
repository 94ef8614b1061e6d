//! The HTTP edge beyond what `edge` shows: how answers are written, what a fault tells, and connections that are slow, many,
//! unused, or open when the service stops.

use std::time::{Duration, Instant};

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Answer, Client, TestApp, read_answer, superuser};

const JSON: (&str, &str) = ("content-type", "application/json");
const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

async fn posted(client: &Client, headers: &[(&str, &str)], body: &str) -> Answer {
    client
        .http("POST", "/graphql", headers, body.as_bytes())
        .await
}

/// A connection on which these bytes have been sent.
async fn sent(app: &TestApp, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// A request with its body, as it goes over the wire; the connection stays open behind it.
fn on_the_wire(client: &Client, query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let token = client.token.as_deref().unwrap();
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Reads one answer of a connection that stays open: its head, and as much of its body as has come with it.
async fn next_answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 8192];
    let read = timeout(Duration::from_secs(5), stream.read(&mut bytes)).await;
    let length = read.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_of_the_type_that_the_caller_likes_best() {
    let app = TestApp::start().await;
    const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";
    const PLAIN: &str = "application/json; charset=utf-8";
    let table = [
        (None, PLAIN, 200),
        (Some("*/*"), PLAIN, 200),
        (Some("application/json"), PLAIN, 200),
        (Some("application/graphql-response+json"), GRAPHQL, 400),
        (
            Some("application/json;q=0.9, application/graphql-response+json"),
            GRAPHQL,
            400,
        ),
        (
            Some("application/graphql-response+json;q=0.1, application/json"),
            PLAIN,
            200,
        ),
        (Some("application/graphql-response+json;q=0"), PLAIN, 406),
        (Some("image/png"), PLAIN, 406),
    ];
    for (accept, media_type, status) in table {
        let headers: Vec<_> = [JSON]
            .into_iter()
            .chain(accept.map(|accept| ("accept", accept)))
            .collect();
        for invalid in [r#"{"query":"{"}"#, r#"{"query":"{ nothing }"}"#] {
            let answer = posted(&app.visitor(), &headers, invalid).await;
            let seen = (answer.header("content-type"), answer.status);
            assert_eq!(seen, (Some(media_type), status), "{accept:?} {invalid}");
            assert!(answer.header("vary").unwrap().contains("Accept"));
        }
        let valid = posted(&app.visitor(), &headers, TYPENAME).await;
        assert_eq!(valid.status, if status == 406 { 406 } else { 200 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_in_utf_8_is_taken() {
    let app = TestApp::start().await;
    let table = [
        ("application/json; charset=utf-8", "identity", 200),
        ("application/json; charset=utf-16", "identity", 415),
        ("application/json", "gzip", 415),
        ("application/graphql", "identity", 415),
        ("application/x-www-form-urlencoded", "identity", 415),
    ];
    for (content_type, encoding, status) in table {
        let headers = [
            ("content-type", content_type),
            ("content-encoding", encoding),
        ];
        let answer = posted(&app.visitor(), &headers, TYPENAME).await;
        assert_eq!(answer.status, status, "{content_type} {encoding}");
    }
    let latin1 = app
        .visitor()
        .http("POST", "/graphql", &[JSON], b"{\"query\":\"{a}#\xe9\"}")
        .await;
    assert_eq!(latin1.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_has_its_methods() {
    let app = TestApp::with(|settings| settings.edge.cors_origins.clear()).await;
    let table = [
        ("HEAD", "/healthz", 200, None),
        ("HEAD", "/schema.graphql", 200, None),
        ("HEAD", "/graphiql", 200, None),
        ("HEAD", "/graphql", 405, Some("GET, POST")),
        ("OPTIONS", "/graphql", 405, Some("GET, POST")),
        ("PUT", "/graphql", 405, Some("GET, POST")),
        ("POST", "/healthz", 405, Some("GET,HEAD")),
        ("GET", "/", 307, None),
        ("GET", "/nowhere", 404, None),
        ("GET", "/graphql/", 404, None),
    ];
    for (method, path, status, allowed) in table {
        let answer = app.visitor().http(method, path, &[], b"").await;
        let seen = (answer.status, answer.header("allow"));
        assert_eq!(seen, (status, allowed), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("x-request-id").is_some(), "{method} {path}");
        assert!(method != "HEAD" || answer.body.is_empty(), "{answer:?}");
    }
    let without = TestApp::with(|settings| settings.edge.graphiql = false).await;
    for (path, status) in [("/", 404), ("/graphiql", 404), ("/graphql", 406)] {
        let headers = [("accept", "text/html")];
        let answer = without.visitor().http("GET", path, &headers, b"").await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_names_its_operation_and_its_variables() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    const TWO: &str = "query=query%20A{me{name}}%20mutation%20B{signOut{signedOut}}";
    let table = [
        ("query={__typename}&operationName=".to_owned(), 200),
        ("query={__typename}&variables=&extensions=".to_owned(), 200),
        ("query={__typename}&variables={\"a\":1}".to_owned(), 200),
        ("query={__typename}&variables=[]".to_owned(), 422),
        ("query={__typename}&variables={".to_owned(), 400),
        ("variables={}".to_owned(), 422),
        (format!("{TWO}&operationName=A"), 200),
        (format!("{TWO}&operationName=B"), 405),
        (format!("{TWO}&operationName=C"), 400),
        (TWO.to_owned(), 400),
    ];
    for (query, status) in table {
        let escaped = query
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let headers = [("accept", "application/graphql-response+json")];
        let path = format!("/graphql?{escaped}");
        let answer = ada.http("GET", &path, &headers, b"").await;
        assert_eq!(answer.status, status, "{query} {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(
        ada.data("{ me { name } }", json!({})).await["me"]["name"],
        "ada"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_once_and_as_a_bearer_or_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let token = ada.token.clone().unwrap();
    let (good, lower) = (format!("Bearer {token}"), format!("bearer {token}"));
    let cookie = [JSON, ("cookie", &*format!("token={token}"))];
    let table: [(&[&str], u16, Option<&str>); 9] = [
        (&[&good], 200, None),
        (&[&lower], 200, None),
        (&[&good, &good], 401, Some("Bearer")),
        (&[""], 401, Some("Bearer")),
        (&["Bearer"], 401, Some("Bearer")),
        (&["Bearer "], 401, Some("Bearer")),
        (&[&token], 401, Some("Bearer")),
        (&["Basic YTpi"], 401, Some("Bearer")),
        (
            &["Bearer a.b.c"],
            401,
            Some("Bearer error=\"invalid_token\""),
        ),
    ];
    for (values, status, challenge) in table {
        for accept in ["application/json", "application/graphql-response+json"] {
            let mut headers = vec![JSON, ("accept", accept)];
            headers.extend(values.iter().map(|value| ("authorization", *value)));
            let answer = posted(&app.visitor(), &headers, TYPENAME).await;
            let seen = (answer.status, answer.header("www-authenticate"));
            assert_eq!(seen, (status, challenge), "{values:?}");
            if status == 401 {
                let code = &answer.json()["errors"][0]["extensions"]["code"];
                assert_eq!(code, "UNAUTHENTICATED");
            }
        }
    }
    let me = r#"{"query":"{ me { id } }"}"#;
    let visitor = posted(&app.visitor(), &cookie, me).await;
    assert_eq!(visitor.json()["data"]["me"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_tells_its_request_id_and_nothing_else() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    app.sql("ALTER TABLE courses RENAME COLUMN color TO colour; ALTER VIEW current_courses RENAME COLUMN color TO colour")
        .await;
    let ask = async |id: &str, query: &str| {
        let headers = [JSON, ("x-request-id", id)];
        posted(&ada, &headers, &json!({ "query": query }).to_string()).await
    };
    let whole = ask("mine-1", "{ courses { nodes { id color } } }").await;
    assert_eq!(whole.status, 500, "{whole:?}");
    assert_eq!(whole.header("x-request-id"), Some("mine-1"));
    assert_eq!(whole.json()["data"], Value::Null);
    let error = whole.json()["errors"][0].clone();
    assert_eq!(
        error["extensions"],
        json!({ "code": "INTERNAL", "requestId": "mine-1" })
    );
    assert!(!whole.body.contains("colo"), "{whole:?}");

    let id = "00000000-0000-7000-8000-000000000000";
    let query = format!("{{ me {{ name }} course(id: \"{id}\") {{ color }} }}");
    let partial = ask("not sane", &query).await;
    assert_eq!(partial.status, 200, "{partial:?}");
    assert_eq!(
        partial.json()["data"],
        json!({ "me": { "name": "ada" }, "course": null })
    );
    let given = partial.header("x-request-id").unwrap();
    assert_eq!(
        partial.json()["errors"][0]["extensions"]["requestId"],
        given
    );
    assert_ne!(given, "not sane");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_still_sending_reads_why_it_is_refused() {
    let app = TestApp::with(|settings| settings.edge.max_body = 1_000).await;
    let large = " ".repeat(8_000_000);
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let sized = format!("content-length: {}\r\n\r\n{large}", large.len());
    let badly_signed = format!("authorization: Bearer a.b.c\r\n{sized}");
    for (rest, status) in [
        (sized, 413),
        (format!("transfer-encoding: chunked\r\n\r\n{chunk}"), 413),
        (badly_signed, 401),
    ] {
        let mut stream = sent(&app, &format!("{head}{rest}")).await;
        let answer = timeout(Duration::from_secs(5), read_answer(&mut stream)).await;
        assert_eq!(answer.unwrap().status, status);
    }
    // What is refused and small leaves the connection as it was.
    let refused = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let mut stream = sent(&app, refused).await;
    for _ in 0..3 {
        let answer = next_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
        stream.write_all(refused.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_and_an_idle_connection_are_cut() {
    let app =
        TestApp::with(|settings| settings.server.header_timeout = Duration::from_millis(300)).await;
    let healthz = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n", healthz] {
        let mut stream = sent(&app, begun).await;
        let mut seen = Vec::new();
        let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut seen)).await;
        end.expect("it is cut in time").unwrap();
        assert_eq!(seen.starts_with(b"HTTP/1.1 200"), begun == healthz);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_waits_until_another_ends() {
    let app = TestApp::with(|settings| settings.server.max_connections = 1).await;
    let healthz = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = sent(&app, healthz).await;
    assert!(next_answer(&mut first).await.contains("200 OK"));
    let mut second = sent(&app, healthz).await;
    let early = timeout(Duration::from_millis(300), second.readable()).await;
    assert!(early.is_err(), "it is answered while the first is open");
    drop(first);
    assert!(next_answer(&mut second).await.contains("200 OK"));
}

const RENAME: &str = "mutation($id: ID!) { updateCourse(input: { id: $id, name: \"Renamed\" }) { course { name } } }";

async fn course(client: &Client) -> Value {
    let query = "mutation { createCourse(input: { name: \"Algebra\" }) { course { id } } }";
    json!({ "id": client.data(query, json!({})).await["createCourse"]["course"]["id"] })
}

/// Somebody who keeps all others from the courses.
async fn holder(app: &TestApp, how: &str) -> AsyncPgConnection {
    let mut holder = superuser(&app.database).await;
    holder.batch_execute(how).await.unwrap();
    holder
}

/// Waits until that many statements of the app's database wait for a lock.
async fn until_waiting(app: &TestApp, count: i64) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..100 {
        if app.number(WAITING).await == count {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("never {count} statements waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_caller_hangs_up_is_cancelled() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let _holder = holder(&app, "BEGIN; LOCK TABLE courses").await;
    let query = on_the_wire(&ada, "{ courses { nodes { id } } }", &json!({}));
    let stream = sent(&app, &query).await;
    until_waiting(&app, 1).await;
    drop(stream);
    until_waiting(&app, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_passes_the_deadline_is_a_timeout_in_either_type() {
    let patient = TestApp::start().await;
    let ada = patient.signed_up("ada").await;
    let app = TestApp::on(patient.database.clone(), |settings| {
        settings.edge.request_timeout = Duration::from_millis(400);
    })
    .await;
    let ada = Client {
        address: app.address,
        ..ada
    };
    let _holder = holder(&app, "BEGIN; LOCK TABLE courses").await;
    let query = r#"{"query":"{ courses { nodes { id } } }"}"#;
    for accept in ["application/json", "application/graphql-response+json"] {
        let answer = posted(&ada, &[JSON, ("accept", accept)], query).await;
        assert_eq!(answer.status, 504);
        let answer = answer.json();
        assert_eq!(answer["data"], Value::Null);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "TIMEOUT");
        assert_eq!(answer["errors"][0].get("locations"), None);
    }
    until_waiting(&app, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_requests_in_flight_end_and_waits_for_nothing_else() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let _unused = TcpStream::connect(app.address).await.unwrap();
    let _half = sent(&app, "POST /graphql HTTP/1.1\r\nhost: x\r\n").await;
    let mut idle = sent(&app, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(next_answer(&mut idle).await.contains("200 OK"));
    let mut holder = holder(&app, "BEGIN; SELECT FROM courses FOR UPDATE").await;
    let mut running = sent(&app, &on_the_wire(&ada, RENAME, &id)).await;
    until_waiting(&app, 1).await;

    let address = app.address;
    let stopping = tokio::spawn(app.stop());
    sleep(Duration::from_millis(700)).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "no more are taken"
    );
    assert!(!stopping.is_finished(), "a request is in flight");
    holder.batch_execute("COMMIT").await.unwrap();
    let answer = read_answer(&mut running).await;
    assert_eq!(
        answer.json()["data"]["updateCourse"]["course"]["name"],
        "Renamed"
    );
    let stopped = timeout(Duration::from_secs(2), stopping).await;
    stopped.expect("nothing else is waited for").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_a_mutation_whose_caller_hung_up() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let mut holder = holder(&app, "BEGIN; SELECT FROM courses FOR UPDATE").await;
    let running = sent(&app, &on_the_wire(&ada, RENAME, &id)).await;
    until_waiting(&app, 1).await;
    drop(running);
    let database = app.database.clone();
    let stopping = tokio::spawn(app.stop());
    sleep(Duration::from_millis(700)).await;
    assert!(!stopping.is_finished(), "a mutation is in flight");
    holder.batch_execute("COMMIT").await.unwrap();
    stopping.await.unwrap();
    let again = TestApp::on(database, |_| {}).await;
    let renamed = "SELECT count(*) FROM courses WHERE name = 'Renamed'";
    assert_eq!(again.number(renamed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_ever() {
    let app = TestApp::with(|settings| settings.server.shutdown_timeout = Duration::from_secs(1));
    let app = app.await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let _holder = holder(&app, "BEGIN; SELECT FROM courses FOR UPDATE").await;
    let _running = sent(&app, &on_the_wire(&ada, RENAME, &id)).await;
    until_waiting(&app, 1).await;
    let begun = Instant::now();
    app.stop().await;
    let took = begun.elapsed();
    let expected = Duration::from_millis(900)..Duration::from_millis(1_900);
    assert!(expected.contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_of_an_older_schema() {
    let app = TestApp::start().await;
    let ready = app.visitor().http("GET", "/readyz", &[], b"").await;
    assert_eq!(ready.json()["status"], "ready");
    assert_eq!(ready.json()["pendingMigrations"], json!([]));
    assert_eq!(ready.json()["pool"]["max"], 8);
    app.sql("DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)")
        .await;
    sleep(Duration::from_millis(1_100)).await;
    let old = app.visitor().http("GET", "/readyz", &[], b"").await;
    assert_eq!(old.status, 503);
    assert_eq!(old.json()["database"], "up");
    let newest = crate::migrations::names().pop().unwrap();
    assert_eq!(old.json()["pendingMigrations"], json!([newest]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_known_origin_may_read_the_answer() {
    let app = TestApp::start().await;
    let origin = "https://app.example.com";
    let answer = posted(&app.visitor(), &[JSON, ("origin", origin)], TYPENAME).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    let varies: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "vary")
        .map(|(_, value)| value.to_lowercase())
        .collect();
    assert!(varies.join(", ").contains("origin"), "{varies:?}");
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-request-id"), "{exposed}");
}
