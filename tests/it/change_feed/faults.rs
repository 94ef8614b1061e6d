//! Forged cursors, slow epochs, a wrong address for notifications, and idle subscribers.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::StreamExt;
use serde_json::{Value, json};
use snapnote::{changes::parse_cursor, error::Code};
use uuid::Uuid;

use super::{
    CHANGES, ids, insert, page,
    subscribers::{Changes, from_here, last_error, next, next_change, subscribe},
};
use crate::support::{TestApp, at_least, eventually, target_of};

fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn snapshot(bytes: &mut Vec<u8>, next: u64, held: u64) {
    number(bytes, next);
    number(bytes, held);
    for _ in 0..held {
        number(bytes, 1);
    }
}

/// A cursor of the same user and time that has seen all transactions below `next` except the last `held`, in the middle of
/// a page of all below `target`.
fn forged(cursor: &Value, next: u64, held: u64, target: Option<u64>) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor.as_str().unwrap()).unwrap();
    bytes.truncate(14);
    snapshot(&mut bytes, next, held);
    if let Some(target) = target {
        snapshot(&mut bytes, target, held);
        number(&mut bytes, 0);
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_from_the_future_have_expired_and_affect_no_other_subscriber() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let now = ada.changes_cursor().await;
    let far = 1 << 40;
    let mut ahead = [forged(&now, far, 0, None), forged(&now, 3, 0, Some(far))].map(|cursor| {
        let cursor = parse_cursor(&cursor).unwrap();
        (cursor.encode(), subscribe(&app, &ada.id, Some(cursor)))
    });
    for (cursor, changes) in &mut ahead {
        let code = ada.error_code(CHANGES, json!({ "after": cursor }));
        assert_eq!(code.await, "CURSOR_EXPIRED");
        assert_eq!(last_error(changes).await, Code::CursorExpired);
    }
    let mut sound = from_here(&app, &ada).await;
    let made = ada.create_course("c").await;
    assert_eq!(next(&mut sound, 1).await, [made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_with_thousands_of_transactions_work() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let now = ada.changes_cursor().await;
    let made = Uuid::now_v7();
    app.sql(&insert(&ada.id, made)).await;
    // Transactions without changes of this user.
    app.sql(
        "DO $$ BEGIN FOR n IN 1..21000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
    )
    .await;
    let last = Uuid::now_v7();
    app.sql(&insert(&ada.id, last)).await;
    let xid = "SELECT max(xid::text::bigint) FROM audit_logs";
    let next = app.number(xid).await as u64 + 1;
    for (cursor, expected) in [
        (forged(&now, next, 20_000, None), vec![last]),
        (forged(&now, next - 1, 10_000, Some(next)), vec![last]),
        (forged(&now, 0, 0, Some(next)), vec![made, last]),
    ] {
        let page = page(&ada, json!({ "after": cursor })).await;
        let expected: Vec<String> = expected.iter().map(Uuid::to_string).collect();
        assert_eq!(ids(&page), expected, "{} characters", cursor.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_epoch_delays_no_request() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(3);
        settings.pool.max_connections = 3;
        settings.pool.wait = Duration::from_secs(1);
    })
    .await;
    let ada = app.signed_up("ada").await;
    app.sql("DELETE FROM change_epochs").await;
    // The epoch waits for this transaction.
    let writer = app.begin(&insert(&ada.id, Uuid::now_v7())).await;
    for _ in 0..2 {
        let code = ada.error_code("{ changesCursor }", json!({})).await;
        assert_eq!(code, "UNAVAILABLE");
    }
    // No request waits for it, so there are connections for others.
    let many = (0..30).map(|_| ada.error_code("{ changesCursor }", json!({})));
    let many = futures_util::future::join_all(many);
    let me = ada.query("{ me { email } }");
    let (many, me) = tokio::join!(many, me);
    assert!(many.iter().all(|code| code == "UNAVAILABLE"));
    assert_eq!(me["me"]["email"], "ada@example.com");
    // Longer than the deadline of a request.
    at_least(Duration::from_secs(3)).await;
    writer.commit().await;
    // The epoch begins without another request.
    app.eventually_count("change_epochs", 1).await;
    ada.changes_cursor().await;
}

/// Waits until the feed has been polled several times for this subscriber, who gets no change.
async fn polled(app: &TestApp, changes: &mut Changes) {
    let before = app.pool.statements();
    tokio::select! {
        change = changes.next() => panic!("{change:?}"),
        () = eventually("it polls", async || app.pool.statements() > before + 4) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_polled_if_no_notification_can_arrive() {
    let elsewhere = target_of("postgres").await;
    let app = TestApp::with(|settings| {
        settings.live.direct = Some(elsewhere);
        settings.live.notifications = true;
        settings.live.poll = Duration::from_millis(100);
        settings.live.check = Duration::from_secs(3600);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let mut changes = from_here(&app, &ada).await;
    polled(&app, &mut changes).await;
    let made = Uuid::now_v7();
    app.sql(&insert(&ada.id, made)).await;
    assert_eq!(next(&mut changes, 1).await, [made.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_of_an_idle_subscriber_stays_young() {
    let app = TestApp::with(|settings| {
        settings.live.days = 1;
        settings.live.poll = Duration::from_millis(100);
    })
    .await;
    let ada = app.signed_up("ada").await;
    // A clock that can be advanced.
    let clock = "CREATE TABLE ahead (hours int); INSERT INTO ahead VALUES (0); GRANT SELECT ON ahead TO PUBLIC;
        CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
            'SELECT pg_catalog.statement_timestamp() + make_interval(hours => (SELECT hours FROM public.ahead))';
        ALTER TABLE audit_logs ALTER created_at SET DEFAULT public.statement_timestamp();";
    app.sql(clock).await;
    let path = format!(
        "ALTER DATABASE \"{}\" SET search_path = public, pg_catalog",
        app.database
    );
    app.sql(&path).await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    app.sql(others).await;
    eventually("there are new connections", async || {
        let answer = ada.graphql("{ changesCursor }", json!({})).await;
        answer["data"]["changesCursor"].is_string()
    })
    .await;
    let mut changes = from_here(&app, &ada).await;
    polled(&app, &mut changes).await;
    for hours in [20, 40, 60] {
        app.sql(&format!("UPDATE ahead SET hours = {hours}")).await;
        polled(&app, &mut changes).await;
    }
    let both = [Uuid::now_v7(), Uuid::now_v7()];
    let inserts = both.map(|id| insert(&ada.id, id)).concat();
    app.sql(&format!("BEGIN; {inserts} COMMIT;")).await;
    let cursor = next_change(&mut changes).await.cursor.encode();
    let page = page(&ada, json!({ "after": cursor })).await;
    assert_eq!(ids(&page), [both[1].to_string()]);
}
