//! A process without callers sends no statements, so that its database can sleep, and nothing is lost when it does.
//!
//! The times of an idle process are scaled down, from minutes to parts of a second.

use std::time::Duration;

use serde_json::json;
use snapnote::{app::AppSettings, db::activity::IdleSettings};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::{
    change_feed::insert,
    subscriptions::{
        socket::{Heard, Socket},
        subscribed, subscribers,
    },
    support::{Person, TestApp, at_least, eventually, eventually_eq, execute},
};

/// Longer than any period of a process that is in use.
const WINDOW: Duration = Duration::from_secs(2);

/// The listening connection of the service.
const LISTENING: &str =
    "pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

/// Its process. Zero if there is none.
const LISTENER: &str = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%'";

/// Closes all connections of the service, as a database does that goes to sleep.
const SLEEP: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'snapnote'";

/// A process soon becomes idle, and then nothing but notifications tells it of changes.
pub(crate) fn soon_idle(settings: &mut AppSettings) {
    settings.pool.idle = IdleSettings {
        in_use: Duration::from_millis(400),
        settle: Duration::from_millis(200),
        unused: Duration::from_secs(3600),
        close: Duration::from_secs(3600),
    };
    settings.auth.usage_interval = Duration::from_millis(50);
    settings.edge.ready_age = Duration::from_secs(3600);
    settings.live.notifications = true;
    settings.live.poll = Duration::from_millis(100);
    settings.live.check = Duration::from_millis(100);
    settings.live.reconnect = Duration::from_millis(100);
}

async fn start() -> TestApp {
    TestApp::with(soon_idle).await
}

/// When the service last sent a statement or opened a connection, in microseconds, as far as open connections tell.
async fn last_statement(app: &TestApp) -> i64 {
    app.number(
        "SELECT coalesce(max(extract(epoch FROM greatest(backend_start, query_start))) * 1000000, 0)
         FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'",
    )
    .await
}

/// Waits until a window of time passes without a statement, although health checks arrive in it. `meanwhile` runs several
/// times in each window.
async fn until_idle(app: &TestApp, mut meanwhile: impl AsyncFnMut()) {
    eventually_eq("statements of an idle process", 0, async || {
        let before = (app.pool.statements(), last_statement(app).await);
        let began = Instant::now();
        while began.elapsed() < WINDOW {
            assert_eq!(app.anonymous().get("/readyz").await.status, 200);
            meanwhile().await;
            at_least(Duration::from_millis(50)).await;
        }
        let sent = app.pool.statements() - before.0;
        sent + u64::from(last_statement(app).await > before.1)
    })
    .await;
}

/// Waits as [`until_idle`], and for nothing on the socket, whose client responds to pings.
async fn until_idle_with(app: &TestApp, socket: &mut Socket) {
    until_idle(app, async || {
        let heard = timeout(Duration::from_millis(10), socket.heard()).await;
        assert!(heard.is_err(), "{heard:?}");
    })
    .await;
}

/// A subscriber whose process receives notifications.
async fn notified(app: &TestApp, ada: &Person) -> Socket {
    let socket = subscribed(ada, "s").await;
    subscribers(app, 1).await;
    app.eventually_count(LISTENING, 1).await;
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_with_a_subscriber_sends_nothing_and_receives_all() {
    let app = start().await;
    let other = TestApp::on(app.database.clone(), soon_idle).await;
    let ada = app.signed_up("ada").await;
    let again = app.signed_in("ada").await;
    let mut socket = notified(&app, &ada).await;
    until_idle_with(&app, &mut socket).await;
    // A change by another process.
    let made = again.at(&other).create_course("c").await;
    assert_eq!(socket.change().await["itemId"], made);
    until_idle_with(&app, &mut socket).await;
    // A change by another program, which notifies the processes.
    let made = Uuid::now_v7();
    app.sql(&format!(
        "{}; NOTIFY snapnote_changes",
        insert(&ada.id, made).trim_end_matches(';')
    ))
    .await;
    assert_eq!(socket.change().await["itemId"], made.to_string());
    until_idle_with(&app, &mut socket).await;
    // The end of the session, in another process.
    ada.at(&other).sign_out().await;
    let ended = Heard::Closed(4403, "Session ended".to_owned());
    assert_eq!(socket.next().await, ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_database_sleeps() {
    let app = start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = notified(&app, &ada).await;
    until_idle_with(&app, &mut socket).await;
    // A server that restarts closes the connections, too, so the process connects again once.
    let first = app.number(LISTENER).await;
    app.sql(SLEEP).await;
    eventually("another connection listens", async || {
        ![0, first].contains(&app.number(LISTENER).await)
    })
    .await;
    until_idle_with(&app, &mut socket).await;
    app.sql(SLEEP).await;
    let made = Uuid::now_v7();
    app.sql(&insert(&ada.id, made)).await;
    until_idle_with(&app, &mut socket).await;
    assert_eq!(app.count(LISTENING).await, 0, "it lets the database sleep");
    // The first request succeeds, and the process looks for what it missed.
    assert_eq!(
        ada.query("{ me { email } }").await["me"]["email"],
        "ada@example.com"
    );
    assert_eq!(socket.change().await["itemId"], made.to_string());
    app.eventually_count(LISTENING, 1).await;
    let made = ada.create_course("c").await;
    assert_eq!(socket.change().await["itemId"], made);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_once_more_after_the_last_request() {
    let (app, ada) = start().await.with_user("ada").await;
    until_idle(&app, async || {}).await;
    let old = "revocations WHERE revoked_at < now() - interval '1 hour'";
    app.sql(
        "INSERT INTO revocations (subject_id, revoked_at) VALUES (gen_random_uuid(), now() - interval '2 hours')",
    )
    .await;
    until_idle(&app, async || {}).await;
    assert_eq!(app.count(old).await, 1, "no job runs without a request");
    ada.query("{ me { email } }").await;
    app.eventually_count(old, 0).await;
    until_idle(&app, async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_close_without_use() {
    let change = |settings: &mut AppSettings| {
        soon_idle(settings);
        settings.pool.kept = 3;
        settings.pool.idle.close = Duration::from_secs(1);
    };
    let app = TestApp::with(change).await;
    let ada = app.signed_up("ada").await;
    app.eventually_disconnected().await;
    ada.create_course("c").await;
    app.eventually_disconnected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_checked_again_after_a_request_failed() {
    let (app, ada) = start().await.with_user("ada").await;
    until_idle(&app, async || {}).await;
    let readiness = async || app.anonymous().get("/readyz").await;
    let drop = format!("DROP DATABASE {} WITH (FORCE)", app.database);
    execute("postgres", &drop).await;
    let last = readiness().await;
    assert_eq!(last.status, 200, "it reports the last check");
    assert!(last.json()["secondsSinceCheck"].is_u64());
    let code = ada.error_code("{ me { email } }", json!({})).await;
    assert_eq!(code, "UNAVAILABLE");
    // The next check finds out, not one in an hour.
    eventually("it is not ready", async || readiness().await.status == 503).await;
}
