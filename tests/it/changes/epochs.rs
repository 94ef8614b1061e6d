//! A new epoch of the log: what its beginning costs, what came before it, and who writes meanwhile.

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{course, end, ids, insert, newest, page, walk};
use crate::{
    live::until,
    session_list::Person,
    support::{TestApp, cost, superuser},
};

const ELSEWHERE: &str = "UPDATE change_epochs SET database = 'another'";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_reads_and_writes_nothing_of_a_large_log() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    newest(&ada.client).await;
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
    let cursor = newest(&ada.client).await;
    let made = course(&ada.client).await;
    let told = page(&ada.client, json!({ "after": cursor })).await;
    assert_eq!(ids(&told), [made]);
    let first = page(&ada.client, json!({ "first": 100 })).await;
    assert_eq!(
        ids(&first).len(),
        100,
        "the old entries are told from the oldest on"
    );
    let entries = "SELECT count(*) FROM audit_logs WHERE xid > '90000000000'";
    assert_eq!(app.number(entries).await, 200_000, "as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_an_epoch_is_seen_by_all_its_cursors_whatever_transactions_it_names() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let mut old = Vec::new();
    for _ in 0..8 {
        old.push(course(&ada.client).await);
    }
    // As a restored dump has them: transactions of long ago, those that will run here next, one that is open, and later ones.
    let mut open = superuser(&app.database).await;
    open.batch_execute("BEGIN; SELECT pg_current_xact_id()")
        .await
        .unwrap();
    app.sql(&format!(
        "UPDATE audit_logs SET xid = (CASE entry.place WHEN 1 THEN '5' WHEN 8 THEN '90000000000'
             ELSE (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 4 + 2 * entry.place)::text END)::xid8
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM audit_logs WHERE entity_type = 'Course') AS entry
         WHERE audit_logs.id = entry.id;
         {ELSEWHERE}"
    ))
    .await;
    let begun = newest(&ada.client).await;
    assert_eq!(walk(&ada.client, begun.clone(), 5).await, [""; 0]);
    let cut = end(&page(&ada.client, json!({ "first": 3 })).await);
    let mut made = Vec::new();
    let mut at = begun.clone();
    for _ in 0..12 {
        let id = course(&ada.client).await;
        let told = page(&ada.client, json!({ "after": at })).await;
        assert_eq!(ids(&told), std::slice::from_ref(&id));
        at = end(&told);
        made.push(id);
    }
    open.batch_execute("COMMIT").await.unwrap();
    let late = course(&ada.client).await;
    assert_eq!(walk(&ada.client, at, 5).await, std::slice::from_ref(&late));
    made.push(late);
    for size in [1, 7, 100] {
        let since = walk(&ada.client, begun.clone(), size).await;
        assert_eq!(since, made, "by {size}");
        let all = walk(&ada.client, Value::Null, size).await;
        assert_eq!(all, [&old[..], &made].concat(), "by {size}");
        let rest = walk(&ada.client, cut.clone(), size).await;
        assert_eq!(rest, [&old[3..], &made].concat(), "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_waits_for_those_who_write_and_holds_up_no_other_writer() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let grace = Person::signed_up(&app, "grace").await;
    newest(&ada.client).await;
    let (slow, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut writer = superuser(&app.database).await;
    writer.batch_execute("BEGIN").await.unwrap();
    writer.batch_execute(&insert(&ada.id, slow)).await.unwrap();
    app.sql(ELSEWHERE).await;
    // A cursor now would be behind the change that is not committed.
    for person in [&ada, &grace] {
        let code = person.client.error_code("{ changesCursor }", json!({}));
        assert_eq!(code.await, "UNAVAILABLE");
    }
    app.sql(&insert(&ada.id, other)).await;
    writer.batch_execute("COMMIT").await.unwrap();
    until("there is an epoch", async || {
        app.number("SELECT count(*) FROM change_epochs WHERE database <> 'another'")
            .await
            == 1
    })
    .await;
    newest(&ada.client).await;
    let mut told = walk(&ada.client, Value::Null, 1).await;
    told.sort();
    assert_eq!(told, [slow.to_string(), other.to_string()]);
}
