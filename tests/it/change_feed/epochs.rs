//! A new epoch of the change log: its cost, changes from before it, and concurrent writers.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{end, ids, insert, page, walk};
use crate::support::{TestApp, cost, superuser};

const ELSEWHERE: &str = "UPDATE change_epochs SET database = 'another'";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_neither_reads_nor_writes_the_log() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    ada.changes_cursor().await;
    app.sql(&format!(
        "INSERT INTO audit_logs (user_id, action, entity_type, entity_id, version, xid)
         SELECT '{}', 'UPDATED', 'Course', md5(n::text)::uuid, 2, (90000000000 + n)::text::xid8
         FROM generate_series(1, 200000) AS n;
         {ELSEWHERE}",
        ada.id
    ))
    .await;
    let mut conn = superuser(&app.database).await;
    let log = cost(&mut conn, "SELECT begin_change_epoch()", "audit_logs").await;
    assert_eq!((log.read, log.written), (0, 0));
    let cursor = ada.changes_cursor().await;
    let made = ada.create_course("c").await;
    let read = page(&ada, json!({ "after": cursor })).await;
    assert_eq!(ids(&read), [made]);
    let first = page(&ada, json!({ "first": 100 })).await;
    assert_eq!(
        ids(&first).len(),
        100,
        "the old entries are read from the oldest on"
    );
    let entries = "audit_logs WHERE xid > '90000000000'";
    assert_eq!(app.count(entries).await, 200_000, "as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_from_before_an_epoch_precede_all_its_cursors() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut old = Vec::new();
    for _ in 0..8 {
        old.push(ada.create_course("c").await);
    }
    // As a restored dump has them: transactions of long ago, those that will run here next, one that is open, and later ones.
    let open = app.begin("SELECT pg_current_xact_id()").await;
    app.sql(&format!(
        "UPDATE audit_logs SET xid = (CASE entry.place WHEN 1 THEN '5' WHEN 8 THEN '90000000000'
             ELSE (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 4 + 2 * entry.place)::text END)::xid8
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM audit_logs WHERE entity_type = 'Course') AS entry
         WHERE audit_logs.id = entry.id;
         {ELSEWHERE}"
    ))
    .await;
    let begun = ada.changes_cursor().await;
    assert_eq!(walk(&ada, begun.clone(), 5).await, [""; 0]);
    let cut = end(&page(&ada, json!({ "first": 3 })).await);
    let (mut made, mut at) = (Vec::new(), begun.clone());
    for _ in 0..12 {
        let id = ada.create_course("c").await;
        let read = page(&ada, json!({ "after": at })).await;
        assert_eq!(ids(&read), std::slice::from_ref(&id));
        at = end(&read);
        made.push(id);
    }
    open.commit().await;
    made.push(ada.create_course("c").await);
    assert_eq!(walk(&ada, at, 5).await, made[12..]);
    for size in [1, 7, 100] {
        let since = walk(&ada, begun.clone(), size).await;
        assert_eq!(since, made, "by {size}");
        let all = walk(&ada, Value::Null, size).await;
        assert_eq!(all, [&old[..], &made].concat(), "by {size}");
        let rest = walk(&ada, cut.clone(), size).await;
        assert_eq!(rest, [&old[3..], &made].concat(), "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_waits_for_open_writers_and_delays_no_others() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    ada.changes_cursor().await;
    let (slow, other) = (Uuid::now_v7(), Uuid::now_v7());
    let writer = app.begin(&insert(&ada.id, slow)).await;
    app.sql(ELSEWHERE).await;
    // A cursor now would be behind the change that is not committed.
    for person in [&ada, &grace] {
        let code = person.error_code("{ changesCursor }", json!({}));
        assert_eq!(code.await, "UNAVAILABLE");
    }
    app.sql(&insert(&ada.id, other)).await;
    writer.commit().await;
    app.eventually_count("change_epochs WHERE database <> 'another'", 1)
        .await;
    ada.changes_cursor().await;
    let mut read = walk(&ada, Value::Null, 1).await;
    read.sort();
    assert_eq!(read, [slow.to_string(), other.to_string()]);
}
