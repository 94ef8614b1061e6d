//! The change feed in pages. `subscribers` tests it live, `storm` against concurrent writers and failures.

mod checker;
mod epochs;
mod faults;
mod storm;
mod subscribers;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, TestApp, eventually, list, text, texts};

const CHANGES: &str = "query($first: Int, $after: String) { changes(first: $first, after: $after) {
    edges { cursor node { cursor action itemType itemId version changedAt item { id version } } }
    nodes { action } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// A page of the feed.
async fn page(client: &Client, variables: Value) -> Value {
    client.data(CHANGES, variables).await["changes"].take()
}

fn end(page: &Value) -> Value {
    assert!(page["pageInfo"]["endCursor"].is_string(), "{page}");
    page["pageInfo"]["endCursor"].clone()
}

/// `CREATED COURSE, UPDATED COURSE` and so on.
fn summary(page: &Value) -> String {
    let edges = list(&page["edges"]).iter();
    let one = |edge: &Value| {
        let text = |name: &str| text(&edge["node"][name]);
        format!("{} {}", text("action"), text("itemType"))
    };
    edges.map(one).collect::<Vec<_>>().join(", ")
}

fn ids(page: &Value) -> Vec<String> {
    texts(&page["edges"], "node.itemId")
}

/// A row of the log of a course's creation in SQL, as a writer of our own makes one.
pub(crate) fn insert(user: &str, course: Uuid) -> String {
    format!("INSERT INTO courses (user_id, id, name) VALUES ('{user}', '{course}', 'c');")
}

/// The ids of all changes after a cursor, in pages of this size.
async fn walk(client: &Client, mut after: Value, size: usize) -> Vec<String> {
    let mut walked = Vec::new();
    loop {
        let page = page(client, json!({ "first": size, "after": after })).await;
        let edges = list(&page["edges"]);
        assert!(edges.len() <= size);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        let first = edges
            .first()
            .map_or(Value::Null, |edge| edge["cursor"].clone());
        assert_eq!(page["pageInfo"]["startCursor"], first);
        if let Some(last) = edges.last() {
            assert_eq!(end(&page), last["cursor"]);
            assert_eq!(last["cursor"], last["node"]["cursor"]);
        }
        walked.extend(ids(&page));
        after = end(&page);
        if page["pageInfo"]["hasNextPage"] == false {
            return walked;
        }
        assert_eq!(edges.len(), size);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_items_are_reported_once_and_in_order() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let start = ada.changes_cursor().await;
    // A cursor carries the time at which it was read, so another read of the same position may return another one.
    let nothing = page(&ada, json!({ "after": start })).await;
    assert_eq!(nothing["edges"], json!([]));
    assert!(end(&nothing).is_string());
    let course = ada.create_course("c").await;
    let document = ada.create_document(&course, "").await;
    let task = ada.create_task(Some(&course), "t").await;
    ada.rename_course(&course, "d").await;
    ada.trash(&[&task]).await;
    ada.restore(&[&task]).await;
    ada.trash(&[&task]).await;
    ada.delete(&[&task]).await;
    ada.mutate("updateMe", json!({ "name": "Ada" }), "").await;
    let read = page(&ada, json!({ "after": start })).await;
    let expected = "CREATED COURSE, CREATED DOCUMENT, CREATED TASK, UPDATED COURSE, \
        TRASHED TASK, RESTORED TASK, TRASHED TASK, DELETED TASK";
    assert_eq!(summary(&read), expected);
    let nodes = list(&read["edges"]).iter().map(|edge| &edge["node"]);
    let versions: Vec<&Value> = nodes.clone().map(|node| &node["version"]).collect();
    // Each change has the version that it made, whatever the item's current one is. A deletion makes none.
    assert_eq!(versions, [1, 1, 1, 2, 2, 3, 4, 4]);
    let items: Vec<&Value> = nodes.map(|node| &node["item"]).collect();
    assert_eq!(*items[0], json!({ "id": course, "version": 2 }));
    assert_eq!(*items[1], json!({ "id": document, "version": 1 }));
    assert_eq!(*items[2], Value::Null, "it was deleted");
    let at = text(&read["edges"][0]["node"]["changedAt"]);
    let age = Utc::now() - at.parse::<DateTime<Utc>>().unwrap();
    assert!(age.num_seconds().abs() < 60, "{at}");
    let behind = page(&ada, json!({ "after": end(&read) })).await;
    assert_eq!(summary(&behind), "");
    assert_eq!(behind["pageInfo"]["hasNextPage"], false);
    assert_eq!(behind["pageInfo"]["startCursor"], Value::Null);
    ada.rename_course(&course, "e").await;
    let next = page(&ada, json!({ "after": end(&behind) })).await;
    assert_eq!(summary(&next), "UPDATED COURSE");
    let all = page(&ada, json!({})).await;
    assert_eq!(summary(&all), format!("{expected}, UPDATED COURSE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_have_each_change_once_despite_overlapping_transactions() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let start = ada.changes_cursor().await;
    let made: Vec<Uuid> = (0..60).map(|_| Uuid::now_v7()).collect();
    // In transactions that overlap, the later half committed first.
    let inserts: String = made[..30].iter().map(|id| insert(&ada.id, *id)).collect();
    let early = app.begin(&inserts).await;
    for id in &made[30..] {
        app.sql(&insert(&ada.id, *id)).await;
    }
    let names = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>();
    for size in [1, 7, 30, 100] {
        let walked = walk(&ada, start.clone(), size).await;
        assert_eq!(walked, names(&made[30..]), "by {size}");
    }
    // A page is cut, then the slow transaction comes in, and a new one: neither is lost, and nothing comes twice.
    for size in [1, 7, 29] {
        let first = page(&ada, json!({ "first": size, "after": start })).await;
        assert_eq!(ids(&first), names(&made[30..30 + size]));
    }
    let cut = page(&ada, json!({ "first": 7, "after": start })).await;
    let seen = ada.changes_cursor().await;
    early.commit().await;
    let last = Uuid::now_v7();
    app.sql(&insert(&ada.id, last)).await;
    let late = [&made[..30], &[last]].concat();
    for size in [1, 7, 30, 31, 100] {
        let rest = walk(&ada, end(&cut), size).await;
        assert_eq!(rest, [names(&made[37..]), names(&late)].concat(), "{size}");
        let late_ones = walk(&ada, seen.clone(), size).await;
        assert_eq!(late_ones, names(&late), "by {size}");
        let all = walk(&ada, start.clone(), size).await;
        assert_eq!(all, [names(&made), names(&[last])].concat(), "by {size}");
        assert_eq!(walk(&ada, Value::Null, size).await, all, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_delays_only_its_own_changes() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let mut after = ada.changes_cursor().await;
    let (kept, undone) = (Uuid::now_v7(), Uuid::now_v7());
    let slow = app.begin(&insert(&ada.id, kept)).await;
    let given_up = app.begin(&insert(&ada.id, undone)).await;
    let others = app.begin(&insert(&grace.id, Uuid::now_v7())).await;
    for _ in 0..3 {
        let id = Uuid::now_v7();
        app.sql(&insert(&ada.id, id)).await;
        let read = page(&ada, json!({ "after": after })).await;
        assert_eq!(ids(&read), [id.to_string()]);
        after = end(&read);
    }
    given_up.rollback().await;
    others.commit().await;
    assert_eq!(walk(&ada, after.clone(), 1).await, Vec::<String>::new());
    slow.commit().await;
    assert_eq!(walk(&ada, after, 1).await, [kept.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_see_only_their_own_changes_and_use_only_their_own_cursors() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    ada.create_course("c").await;
    assert_eq!(summary(&page(&grace, json!({})).await), "");
    let cursor = ada.changes_cursor().await;
    let code = grace.error_code(CHANGES, json!({ "after": cursor })).await;
    assert_eq!(code, "CURSOR_EXPIRED");
    for query in [CHANGES, "{ changesCursor }"] {
        let code = app.anonymous().error_code(query, json!({})).await;
        assert_eq!(code, "UNAUTHENTICATED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_cursors_and_pages_are_rejected() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let cursor = text(&ada.changes_cursor().await);
    let (twice, long) = (cursor.repeat(2), "A".repeat(100_000));
    ada.rejects_pages(CHANGES, &[&cursor[1..], &twice, &long])
        .await;
}

/// The cursor as it was so many days earlier. Its time follows a byte and the stamp.
pub(crate) fn aged(cursor: &Value, days: u64) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor.as_str().unwrap()).unwrap();
    let mut since = 0;
    for (place, byte) in bytes[9..14].iter().enumerate() {
        since |= u64::from(byte & 0x7f) << (7 * place);
    }
    since -= days * 86_400;
    for byte in &mut bytes[9..14] {
        *byte = (since as u8 & 0x7f) | (*byte & 0x80);
        since >>= 7;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_expire_and_old_changes_are_not_reported() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let old = ada.create_course("c").await;
    app.sql("UPDATE audit_logs SET created_at = created_at - interval '31 days'")
        .await;
    let young = ada.create_course("c").await;
    let seen = ids(&page(&ada, json!({})).await);
    assert_eq!(seen, std::slice::from_ref(&young));
    ada.rename_course(&young, "d").await;
    ada.rename_course(&old, "d").await;
    let walked = walk(&ada, Value::Null, 1).await;
    assert_eq!(walked, [young.clone(), young, old]);

    let cursor = ada.changes_cursor().await;
    assert_eq!(aged(&cursor, 0), cursor.as_str().unwrap());
    let before = ada.changes_cursor().await;
    let of_age = page(&ada, json!({ "after": aged(&cursor, 29) })).await;
    let after = ada.changes_cursor().await;
    // The time in a cursor may have changed in between.
    let now = [before, after];
    assert!(now.contains(&end(&of_age)), "reading makes it young again");
    // A walk that began without a cursor has a day.
    let cut = end(&page(&ada, json!({ "first": 1 })).await);
    assert_eq!(
        ids(&page(&ada, json!({ "after": aged(&cut, 0) })).await).len(),
        2
    );
    for expired in [aged(&cursor, 31), aged(&cursor, 9_000), aged(&cut, 2)] {
        let code = ada.error_code(CHANGES, json!({ "after": expired })).await;
        assert_eq!(code, "CURSOR_EXPIRED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_expires_cursors_and_reports_all_changes_again() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let first = ada.create_course("c").await;
    let cursor = ada.changes_cursor().await;
    // As after a dump was read into a server that has given out fewer numbers.
    app.sql(
        "UPDATE audit_logs SET xid = '90000000000';
         UPDATE change_epochs SET database = 'another'",
    )
    .await;
    let code = ada.error_code(CHANGES, json!({ "after": cursor })).await;
    assert_eq!(code, "CURSOR_EXPIRED");
    let now = ada.changes_cursor().await;
    assert_eq!(walk(&ada, now.clone(), 1).await, Vec::<String>::new());
    let second = ada.create_course("c").await;
    assert_eq!(walk(&ada, now, 1).await, std::slice::from_ref(&second));
    assert_eq!(walk(&ada, Value::Null, 1).await, [first, second]);
    assert_eq!(app.count("change_epochs").await, 1);
    app.sql("DELETE FROM change_epochs").await;
    // Cursors contain when they were made, which may change between the two.
    eventually("a page of no changes ends where it began", async || {
        let cursor = ada.changes_cursor().await;
        end(&page(&ada, json!({ "after": cursor })).await) == cursor
    })
    .await;
}
