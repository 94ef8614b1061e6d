//! GraphQL over HTTP: methods, media types, statuses and errors; and the other paths of the service.
//!
//! `connections` tests slow, idle and open connections, `cost` the reported cost, `docs` the documentation, `cost_limits` the cost over time, `http2` those of HTTP/2, `cancellation` requests that end early. `headers`, `origins`,
//! `persisted_queries` and `tokens` test what clients send in different ways.

mod cancellation;
mod connections;
mod cost;
mod cost_limits;
mod docs;
mod headers;
mod http2;
mod origins;
mod persisted_queries;
mod shutdown;
mod tokens;

use serde_json::{Value, json};

use crate::support::{TestApp, eventually, eventually_eq, execute};

const JSON: (&str, &str) = ("content-type", "application/json");
const GRAPHQL: (&str, &str) = ("accept", "application/graphql-response+json");
const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn statuses_follow_the_graphql_over_http_draft() {
    let app = TestApp::with(|settings| settings.edge.max_body = 2_000).await;
    let anonymous = app.anonymous();
    let me = r#"{"query":"{ me { id } }"}"#;
    let html = [JSON, ("accept", "text/html")];
    let text = [("content-type", "text/plain")];
    let form = [("content-type", "multipart/form-data; boundary=x")];
    let bearer = [JSON, ("authorization", "Bearer nonsense")];
    let basic = [JSON, ("authorization", "Basic YTpi")];
    let (list, long) = (
        format!("[{me}]"),
        format!("{{\"query\":\"{}\"}}", "x".repeat(2_000)),
    );
    let nothing = r#"{"query":"{ nothing }"}"#;
    let table: [(&[_], &str, u16); 14] = [
        (&[JSON, GRAPHQL], me, 200),
        (&[JSON], me, 200),
        (&html, me, 406),
        (&text, me, 415),
        (&form, me, 415),
        (&[], me, 415),
        (&[JSON], "{", 400),
        (&[JSON], &list, 400),
        (&[JSON], "{}", 422),
        (&[JSON], &long, 413),
        (&[JSON, GRAPHQL], nothing, 400),
        (&[JSON], nothing, 200),
        (&bearer, me, 401),
        (&basic, me, 401),
    ];
    for (headers, body, status) in table {
        let answer = anonymous.post_body(headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {body:.60} {answer:?}");
        let executed = matches!(answer.status, 200 | 401) && !body.contains("nothing");
        assert_eq!(answer.json().get("data").is_some(), executed, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_requests_can_have_queries_and_no_mutations() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let get = async |query: &str| {
        let path = format!("/graphql?query={query}");
        ada.http("GET", &path, &[("accept", "application/json")], b"")
            .await
    };
    let me = get("query%20A%7Bme%7Bname%7D%7D&operationName=A").await;
    assert_eq!(me.status, 200);
    assert_eq!(me.json()["data"]["me"]["name"], "ada");
    let mutation = get("mutation%7BsignOut%7BsignedOut%7D%7D").await;
    let seen = (mutation.status, mutation.header("allow"));
    assert_eq!(seen, (405, Some("POST")));
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
async fn the_schema_is_served_with_an_etag() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let first = anonymous.get("/schema.graphql").await;
    assert_eq!(first.body, include_str!("../../schema.graphql"));
    let known = [("if-none-match", first.header("etag").unwrap())];
    let again = anonymous.http("GET", "/schema.graphql", &known, b"").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_have_the_preferred_media_type() {
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
            let answer = app.anonymous().post_body(&headers, invalid).await;
            let seen = (answer.header("content-type"), answer.status);
            assert_eq!(seen, (Some(media_type), status), "{accept:?} {invalid}");
            assert!(answer.header("vary").unwrap().contains("Accept"));
        }
        let valid = app.anonymous().post_body(&headers, TYPENAME).await;
        assert_eq!(valid.status, if status == 406 { 406 } else { 200 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_accept_only_their_methods() {
    let app = TestApp::with(|settings| settings.edge.cors_origins.clear()).await;
    let table = [
        ("HEAD", "/healthz", 200, None),
        ("HEAD", "/schema.graphql", 200, None),
        ("HEAD", "/graphiql", 200, None),
        ("HEAD", "/graphql", 405, Some("GET, POST")),
        ("OPTIONS", "/graphql", 204, None),
        ("PUT", "/graphql", 405, Some("GET, POST")),
        ("POST", "/healthz", 405, Some("GET,HEAD")),
        ("GET", "/", 307, None),
        ("GET", "/nowhere", 404, None),
        ("GET", "/graphql/", 404, None),
    ];
    for (method, path, status, allowed) in table {
        let answer = app.anonymous().http(method, path, &[], b"").await;
        let seen = (answer.status, answer.header("allow"));
        assert_eq!(seen, (status, allowed), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("x-request-id").is_some(), "{method} {path}");
        assert!(method != "HEAD" || answer.body.is_empty(), "{answer:?}");
    }
    let without = TestApp::with(|settings| settings.edge.graphiql = false).await;
    for (path, status) in [("/", 404), ("/graphiql", 404), ("/graphql", 406)] {
        let headers = [("accept", "text/html")];
        let answer = without.anonymous().http("GET", path, &headers, b"").await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_requests_can_have_an_operation_name_and_variables() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
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
    assert_eq!(ada.query("{ me { name } }").await["me"]["name"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_errors_reveal_only_their_request_id() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("ALTER TABLE courses RENAME COLUMN color TO colour; ALTER VIEW current_courses RENAME COLUMN color TO colour")
        .await;
    let ask = async |id: &str, query: &str| {
        let headers = [JSON, ("x-request-id", id)];
        ada.post_body(&headers, json!({ "query": query }).to_string())
            .await
    };
    let whole = ask("mine-1", "{ courses { nodes { id color } } }").await;
    assert_eq!(whole.status, 500, "{whole:?}");
    assert_eq!(whole.header("x-request-id"), Some("mine-1"));
    assert_eq!(whole.json()["data"], Value::Null);
    let error = whole.json()["errors"][0].clone();
    let expected = json!({ "code": "INTERNAL", "requestId": "mine-1" });
    assert_eq!(error["extensions"], expected);
    assert!(!whole.body.contains("colo"), "{whole:?}");

    let id = "00000000-0000-7000-8000-000000000000";
    let query = format!("{{ me {{ name }} course(id: \"{id}\") {{ color }} }}");
    let partial = ask("not sane", &query).await;
    assert_eq!(partial.status, 200, "{partial:?}");
    let expected = json!({ "me": { "name": "ada" }, "course": null });
    assert_eq!(partial.json()["data"], expected);
    let given = partial.header("x-request-id").unwrap();
    assert_eq!(
        partial.json()["errors"][0]["extensions"]["requestId"],
        given
    );
    assert_ne!(given, "not sane");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_depends_on_the_database_and_liveness_does_not() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    assert_eq!(anonymous.get("/readyz").await.status, 200);
    let drop = format!("DROP DATABASE {} WITH (FORCE)", app.database);
    execute("postgres", &drop).await;
    eventually_eq("readiness", 503, async || {
        anonymous.get("/readyz").await.status
    })
    .await;
    assert_eq!(anonymous.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_reports_an_old_database_schema() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let ready = anonymous.get("/readyz").await.json();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["pendingMigrations"], json!([]));
    assert_eq!(ready["pool"]["max"], 8);
    app.sql("DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)")
        .await;
    let old = eventually("the service is not ready", async || {
        let answer = anonymous.get("/readyz").await;
        if answer.status == 503 {
            Ok(answer.json())
        } else {
            Err(answer)
        }
    })
    .await;
    assert_eq!(old["database"], "up");
    let newest = crate::migrations::names().pop().unwrap();
    assert_eq!(old["pendingMigrations"], json!([newest]));
}
