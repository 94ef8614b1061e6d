//! Cursors that nobody gave out, logs that were put back, and addresses at which nothing is heard: nobody else is the worse for it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diesel_async::SimpleAsyncConnection;
use futures_util::StreamExt;
use serde_json::{Value, json};
use snapnote::{changes::parse_cursor, db::connect::Target, error::Code};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    CHANGES, course, ids, insert,
    live::{begin, from_here, next, subscribe},
    newest, page,
};
use crate::{
    live::until,
    session_list::Person,
    support::{TestApp, superuser, url_of},
};

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

/// A cursor of the same person and time that has seen all below `next` but the last `held`, and stands in the middle of a
/// page of all below `target`.
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
async fn a_cursor_that_has_seen_the_future_has_expired_and_silences_nobody() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let now = newest(&ada.client).await;
    let far = 1 << 40;
    let mut ahead = [forged(&now, far, 0, None), forged(&now, 3, 0, Some(far))].map(|cursor| {
        let cursor = parse_cursor(&cursor).unwrap();
        (cursor.encode(), subscribe(&app, &ada.id, Some(cursor)))
    });
    for (cursor, changes) in &mut ahead {
        let code = ada.client.error_code(CHANGES, json!({ "after": cursor }));
        assert_eq!(code.await, "CURSOR_EXPIRED");
        let first = timeout(Duration::from_secs(30), changes.next())
            .await
            .unwrap();
        assert_eq!(first.unwrap().unwrap_err().code, Code::CursorExpired);
    }
    let mut sound = from_here(&app, &ada).await;
    let made = course(&ada.client).await;
    assert_eq!(next(&mut sound, 1).await, [made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_names_thousands_of_transactions_is_read_like_any_other() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let now = newest(&ada.client).await;
    let made = Uuid::now_v7();
    app.sql(&insert(&ada.id, made)).await;
    // Transactions of which this person has nothing.
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
        let page = page(&ada.client, json!({ "after": cursor })).await;
        let expected: Vec<String> = expected.iter().map(Uuid::to_string).collect();
        assert_eq!(ids(&page), expected, "{} characters", cursor.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_takes_long_to_begin_holds_no_request_up() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(3);
        settings.pool.max_connections = 3;
        settings.pool.wait = Duration::from_millis(500);
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    app.sql("DELETE FROM change_epochs").await;
    // The epoch waits for this transaction.
    let mut writer = superuser(&app.database).await;
    writer.batch_execute("BEGIN").await.unwrap();
    writer
        .batch_execute(&insert(&ada.id, Uuid::now_v7()))
        .await
        .unwrap();
    for _ in 0..2 {
        let code = ada.client.error_code("{ changesCursor }", json!({})).await;
        assert_eq!(code, "UNAVAILABLE");
    }
    // Nobody waits for it any longer, so there are connections for others.
    let many = (0..30).map(|_| ada.client.error_code("{ changesCursor }", json!({})));
    let many = futures_util::future::join_all(many);
    let me = ada.client.data("{ me { email } }", json!({}));
    let (many, me) = tokio::join!(many, me);
    assert!(many.iter().all(|code| code == "UNAVAILABLE"));
    assert_eq!(me["me"]["email"], "ada@example.com");
    // Longer than a request may live, all in all.
    tokio::time::sleep(Duration::from_secs(3)).await;
    writer.batch_execute("COMMIT").await.unwrap();
    // Whoever began it is not asked to begin again.
    until("there is an epoch", async || {
        app.number("SELECT count(*) FROM change_epochs").await == 1
    })
    .await;
    newest(&ada.client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_at_which_nothing_is_heard_is_as_good_as_none() {
    let elsewhere = Target::parse(&url_of("postgres").await).unwrap();
    let app = TestApp::with(|settings| {
        settings.live.direct = Some(elsewhere);
        settings.live.poll = Duration::from_millis(100);
        settings.live.check = Duration::from_secs(3600);
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    // Long enough for it to believe that it hears.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let made = Uuid::now_v7();
    app.sql(&insert(&ada.id, made)).await;
    assert_eq!(next(&mut changes, 1).await, [made.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_listened_to_nothing_for_days_has_no_old_cursor() {
    let app = TestApp::with(|settings| {
        settings.live.days = 1;
        settings.live.poll = Duration::from_millis(100);
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    // A clock that can be put forward.
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
    until("there are new connections", async || {
        let answer = ada.client.graphql("{ changesCursor }", json!({})).await;
        answer["data"]["changesCursor"].is_string()
    })
    .await;
    let mut changes = from_here(&app, &ada).await;
    begin(&mut changes).await;
    for hours in [20, 40, 60] {
        app.sql(&format!("UPDATE ahead SET hours = {hours}")).await;
        begin(&mut changes).await;
    }
    let both = [Uuid::now_v7(), Uuid::now_v7()];
    let inserts = both.map(|id| insert(&ada.id, id)).concat();
    app.sql(&format!("BEGIN; {inserts} COMMIT;")).await;
    let begun = Instant::now();
    let first = timeout(Duration::from_secs(30), changes.next())
        .await
        .unwrap();
    let cursor = first.unwrap().unwrap().cursor.encode();
    let page = page(&ada.client, json!({ "after": cursor })).await;
    assert_eq!(ids(&page), [both[1].to_string()], "{:?}", begun.elapsed());
}
