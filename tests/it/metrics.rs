//! Metrics: what each counts, over all ways to execute and transports, and the listener that serves them.

mod dashboard;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    subscriptions::socket::{CHANGES, Socket},
    support::{Scrape, Serving, TestApp, eventually, keep_mails, migrated_database},
};

const OPERATIONS: &str = "graphql_server_request_duration_seconds_count";
const STATEMENTS: &str = "db_client_operation_duration_seconds_count";
const REQUESTS: &str = "http_server_request_duration_seconds_count";

/// How many operations with this name have ended.
fn operations(scrape: &Scrape, name: &str) -> f64 {
    scrape.count(OPERATIONS, &[("graphql_operation_name", name)])
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_count_by_type_name_and_code() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for _ in 0..3 {
        ada.query("query Mine { courses { nodes { id } } }").await;
    }
    app.anonymous()
        .graphql("query Mine { courses { nodes { id } } }", json!({}))
        .await;
    ada.graphql("query Mine { me { idd } }", json!({})).await;
    ada.graphql("{", json!({})).await;
    ada.query("{ me { id } }").await;
    let scrape = app.scrape();
    for (kind, name, code, number) in [
        ("query", "Mine", "", 3.0),
        ("query", "Mine", "UNAUTHENTICATED", 1.0),
        ("", "", "VALIDATION_FAILED", 1.0),
        ("", "", "PARSE_FAILED", 1.0),
        ("query", "", "", 1.0),
        ("mutation", "", "", 1.0),
    ] {
        let labels = [
            ("graphql_operation_type", kind),
            ("graphql_operation_name", name),
            ("error_type", code),
        ];
        assert_eq!(scrape.count(OPERATIONS, &labels), number, "{labels:?}");
    }
    let requests = [("http_request_method", "POST"), ("http_route", "/graphql")];
    assert_eq!(scrape.count(REQUESTS, &requests), 8.0);
    assert_eq!(scrape.count("http_server_active_requests", &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_clients_invent_and_routes_that_do_not_exist_are_bounded() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for number in 0..220 {
        ada.query(&format!("query N{number} {{ __typename }}"))
            .await;
    }
    for path in ["/wp-login.php", "/graphql/..%2f", "/healthz"] {
        app.anonymous().http("BREW", path, &[], b"").await;
    }
    let scrape = app.scrape();
    assert!(operations(&scrape, "other") >= 20.0);
    assert_eq!(operations(&scrape, "N0"), 1.0);
    assert!(!scrape.0.contains("wp-login") && !scrape.0.contains("BREW"));
    let invented = [("http_request_method", "_OTHER")];
    assert_eq!(scrape.count(REQUESTS, &invented), 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_has_a_label() {
    let app = TestApp::start().await;
    for path in [
        "/graphql",
        "/export",
        "/schema.graphql",
        "/healthz",
        "/readyz",
        "/graphiql",
        "/docs",
    ] {
        app.anonymous().get(path).await;
        let requests = app.scrape().count(REQUESTS, &[("http_route", path)]);
        assert_eq!(requests, 1.0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_exceed_the_cost_limit_are_named() {
    let app = TestApp::with(|settings| settings.edge.cost_limit = "3/m".parse().unwrap()).await;
    // A point is left, otherwise the second one would not even be parsed.
    for _ in 0..2 {
        let query = "query Dear { a: me { id } b: me { id } }";
        app.anonymous().graphql(query, json!({})).await;
    }
    let labels = [
        ("graphql_operation_name", "Dear"),
        ("error_type", "RATE_LIMITED"),
    ];
    assert_eq!(app.scrape().count(OPERATIONS, &labels), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_plans_shared_reads_and_leased_connections_count() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    ada.create_document(&course, "Rings").await;
    let app = app.unverified().await;
    let ada = ada.at(&app);
    for query in [
        // By a plan, on shared connections.
        "query Tree { courses { nodes { name documents { nodes { title } } } } }",
        // By the library, on shared connections.
        "query Me { me { id } }",
        // By the library, on a leased connection.
        "query Log { me { auditLog { nodes { action } } } }",
        "mutation Add { createCourse(input: {name: \"Rings\"}) { course { id } userErrors { code } } }",
    ] {
        ada.query(query).await;
        let before = (app.pool.statements(), app.scrape());
        ada.query(query).await;
        let sent = app.pool.statements() - before.0;
        assert!(sent > 0, "{query}");
        let main = [("db_client_connection_pool_name", "main")];
        let reads = |scrape: &Scrape| {
            let transactions = ["BEGIN", "COMMIT", "ROLLBACK"]
                .map(|name| scrape.count(STATEMENTS, &[main[0], ("db_operation_name", name)]));
            scrape.count(STATEMENTS, &main) - transactions.iter().sum::<f64>()
        };
        // Background jobs send some, too.
        assert!(reads(&app.scrape()) - reads(&before.1) >= 1.0, "{query}");
    }
    let scrape = app.scrape();
    let pool = [("db_client_connection_pool_name", "main")];
    assert_eq!(scrape.count("db_client_connection_max", &pool), 8.0);
    assert!(scrape.count("db_client_connection_count", &pool) >= 1.0);
    let waits = "db_client_connection_wait_time_seconds_count";
    assert!(scrape.count(waits, &pool) >= 1.0);
    let failed = [("error_type", "other")];
    assert_eq!(scrape.count(STATEMENTS, &failed), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_their_events_and_the_lag_of_the_feed_count() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    let query = CHANGES.replace("subscription", "subscription Feed");
    let variables = json!({ "after": ada.changes_cursor().await });
    socket
        .send(json!({ "type": "subscribe", "id": "1", "payload": { "query": query, "variables": variables } }))
        .await;
    eventually("it subscribes", async || app.live.subscribers() == 1).await;
    ada.create_course("Algebra").await;
    assert_eq!(socket.message().await["type"], "next");
    let scrape = app.scrape();
    for gauge in [
        "snapnote_websockets",
        "snapnote_subscriptions",
        "snapnote_feed_subscribers",
        "snapnote_feed_subscribed_users",
    ] {
        assert_eq!(scrape.value(gauge, &[]), Some(1.0), "{gauge}");
    }
    assert!(scrape.count("snapnote_feed_lag_seconds_count", &[]) <= 1.0);
    ada.create_course("Topology").await;
    assert_eq!(socket.message().await["type"], "next");
    let lag = "snapnote_feed_lag_seconds_count";
    eventually("the lag counts", async || {
        app.scrape().count(lag, &[]) > 0.0
    })
    .await;
    assert_eq!(operations(&app.scrape(), "Feed"), 0.0, "it has not ended");
    drop(socket);
    eventually("the subscription counts", async || {
        let scrape = app.scrape();
        operations(&scrape, "Feed") == 1.0 && scrape.count("snapnote_subscriptions", &[]) == 0.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_mails_and_password_hashing_count() {
    let app = TestApp::with(keep_mails).await;
    app.signed_up("ada").await;
    let reset = json!({ "email": "ada@example.com" });
    let anonymous = app.anonymous();
    anonymous.mutate("requestPasswordReset", reset, "").await;
    let scrape = app.scrape();
    let hashed = "snapnote_password_hashing_duration_seconds_count";
    assert!(scrape.count(hashed, &[]) >= 1.0);
    assert_eq!(scrape.count("snapnote_password_hashing_waiting", &[]), 0.0);
    let job = [("job_name", "titles"), ("outcome", "success")];
    let failed = [("outcome", "failed")];
    let continuous = [("job_name", "mail")];
    let delivery = [("job_name", "mail-delivery")];
    let table: [(&str, &[(&str, &str)]); 7] = [
        ("snapnote_job_runs_total", &job),
        ("snapnote_job_duration_seconds_count", &job[..1]),
        ("snapnote_job_duration_seconds_count", &continuous),
        ("snapnote_job_duration_seconds_count", &delivery),
        ("snapnote_job_last_success_timestamp_seconds", &job[..1]),
        ("snapnote_mail_attempts_total", &failed),
        ("snapnote_mail_outbox_waiting", &[]),
    ];
    for (name, labels) in table {
        eventually(name, async || app.scrape().count(name, labels) >= 1.0).await;
    }
    // A job without steps has no histogram, instead of an empty one.
    let pool = [("job_name", "connection-pool")];
    let durations = "snapnote_job_duration_seconds_count";
    assert_eq!(app.scrape().value(durations, &pool), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_listener_of_their_own_in_both_formats() {
    let database = migrated_database().await;
    let environment = [
        ("SNAPNOTE_METRICS_LISTEN", "127.0.0.1:0"),
        ("SNAPNOTE_LOG_FORMAT", "json"),
    ];
    let serving = Serving::on(&database, &environment).await;
    let metrics = serving.metrics.clone().expect("it prints the address");
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, media_type, ends) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", false),
        (
            "text/plain",
            "text/plain; version=0.0.4; charset=utf-8",
            false,
        ),
        (
            prometheus,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            true,
        ),
    ] {
        let answer = metrics
            .http("GET", "/metrics", &[("accept", accept)], b"")
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(media_type), "{accept}");
        assert_eq!(answer.body.ends_with("# EOF\n"), ends, "{accept}");
        let scrape = Scrape(answer.body.clone());
        assert_eq!(scrape.value("snapnote_build_info", &[]), Some(1.0));
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            assert!(scrape.count(name, &[]) > 0.0, "{name}");
        }
    }
    assert_eq!(serving.client.get("/metrics").await.status, 404);
    assert_eq!(metrics.get("/graphql").await.status, 404);
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}
