//! The change feed: in pages here, as it goes on in `live`, and against everything at once in `storm`.

mod astray;
mod checker;
mod epochs;
mod live;
mod storm;

use chrono::{DateTime, Utc};
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    session_list::Person,
    support::{Client, TestApp, superuser},
};

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

/// The newest cursor.
pub(crate) async fn newest(client: &Client) -> Value {
    let data = client.data("{ changesCursor }", json!({})).await;
    data["changesCursor"].clone()
}

/// `CREATED Course`, and so on.
fn summary(page: &Value) -> String {
    let edges = page["edges"].as_array().unwrap().iter();
    let one = |edge: &Value| {
        let text = |name: &str| edge["node"][name].as_str().unwrap().to_owned();
        format!("{} {}", text("action"), text("itemType"))
    };
    edges.map(one).collect::<Vec<_>>().join(", ")
}

fn ids(page: &Value) -> Vec<String> {
    let edges = page["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| edge["node"]["itemId"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs a mutation without variables; it must do what it says.
pub(crate) async fn mutate(client: &Client, mutation: &str) -> Value {
    let query = format!("mutation {{ {mutation} }}");
    let mut data = client.data(&query, json!({})).await;
    let payload = data.as_object_mut().unwrap().values_mut().next().unwrap();
    let errors = &payload["userErrors"];
    assert!(errors.is_null() || *errors == json!([]), "{payload}");
    payload.take()
}

/// A new course; its id.
pub(crate) async fn course(client: &Client) -> String {
    let id = Uuid::now_v7();
    let mutation =
        format!("createCourse(input: {{ id: \"{id}\", name: \"c\" }}) {{ userErrors {{ code }} }}");
    mutate(client, &mutation).await;
    id.to_string()
}

pub(crate) async fn rename(client: &Client, course: &str, name: &str) {
    let mutation = format!(
        "updateCourse(input: {{ id: \"{course}\", name: \"{name}\" }}) {{ userErrors {{ code }} }}"
    );
    mutate(client, &mutation).await;
}

/// A row of the log of a course's creation in SQL, as a writer of our own makes one.
fn insert(user: &str, course: Uuid) -> String {
    format!("INSERT INTO courses (user_id, id, name) VALUES ('{user}', '{course}', 'c');")
}

/// The ids of everything behind a cursor, in pages of that size.
async fn walk(client: &Client, mut after: Value, size: usize) -> Vec<String> {
    let mut walked = Vec::new();
    loop {
        let page = page(client, json!({ "first": size, "after": after })).await;
        let edges = page["edges"].as_array().unwrap();
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
async fn what_happens_to_items_is_told_in_order_and_once() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await.client;
    let start = newest(&ada).await;
    assert_eq!(end(&page(&ada, json!({ "after": start })).await), start);
    let course = course(&ada).await;
    let document = format!(
        "createDocument(input: {{ courseId: \"{course}\", title: \"d\", originalText: \"\", formattedNote: \"\" }}) {{
            document {{ id }} userErrors {{ code }} }}"
    );
    let document = mutate(&ada, &document).await["document"]["id"].clone();
    let task = format!(
        "createTask(input: {{ courseId: \"{course}\", title: \"t\" }}) {{ task {{ id }} userErrors {{ code }} }}"
    );
    let task = mutate(&ada, &task).await["task"]["id"].clone();
    rename(&ada, &course, "d").await;
    for mutation in ["trashItems", "restoreItems", "trashItems", "deleteItems"] {
        let mutation =
            format!("{mutation}(input: {{ ids: [{task}] }}) {{ userErrors {{ code }} }}");
        mutate(&ada, &mutation).await;
    }
    mutate(
        &ada,
        "updateMe(input: { name: \"Ada\" }) { userErrors { code } }",
    )
    .await;

    let told = page(&ada, json!({ "after": start })).await;
    let expected = "CREATED COURSE, CREATED DOCUMENT, CREATED TASK, UPDATED COURSE, \
        TRASHED TASK, RESTORED TASK, TRASHED TASK, DELETED TASK";
    assert_eq!(summary(&told), expected);
    let items: Vec<&Value> = told["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| &edge["node"]["item"])
        .collect();
    let versions: Vec<&Value> = told["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| &edge["node"]["version"])
        .collect();
    // Each change tells its own, whatever the item is at since; a deletion counts none.
    assert_eq!(versions, [1, 1, 1, 2, 2, 3, 4, 4]);
    assert_eq!(*items[0], json!({ "id": course, "version": 2 }));
    assert_eq!(*items[1], json!({ "id": document, "version": 1 }));
    assert_eq!(*items[2], Value::Null, "it is gone");
    let at = told["edges"][0]["node"]["changedAt"].as_str().unwrap();
    let age = Utc::now() - at.parse::<DateTime<Utc>>().unwrap();
    assert!(age.num_seconds().abs() < 60, "{at}");

    let behind = page(&ada, json!({ "after": end(&told) })).await;
    assert_eq!(summary(&behind), "");
    assert_eq!(behind["pageInfo"]["hasNextPage"], false);
    assert_eq!(behind["pageInfo"]["startCursor"], Value::Null);
    rename(&ada, &course, "e").await;
    let next = page(&ada, json!({ "after": end(&behind) })).await;
    assert_eq!(summary(&next), "UPDATED COURSE");
    let all = page(&ada, json!({})).await;
    assert_eq!(summary(&all), format!("{expected}, UPDATED COURSE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_by_pages_of_any_size_finds_each_change_once_whatever_comes_meanwhile() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let start = newest(&ada.client).await;
    let made: Vec<Uuid> = (0..60).map(|_| Uuid::now_v7()).collect();
    // In transactions that overlap, the later half committed first.
    let mut early = superuser(&app.database).await;
    early.batch_execute("BEGIN").await.unwrap();
    for id in &made[..30] {
        early.batch_execute(&insert(&ada.id, *id)).await.unwrap();
    }
    for id in &made[30..] {
        app.sql(&insert(&ada.id, *id)).await;
    }
    let names = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>();
    for size in [1, 7, 30, 100] {
        let walked = walk(&ada.client, start.clone(), size).await;
        assert_eq!(walked, names(&made[30..]), "by {size}");
    }
    // A page is cut, then the slow transaction comes in, and a new one: neither is lost, and nothing comes twice.
    for size in [1, 7, 29] {
        let first = page(&ada.client, json!({ "first": size, "after": start })).await;
        assert_eq!(ids(&first), names(&made[30..30 + size]));
    }
    let cut = page(&ada.client, json!({ "first": 7, "after": start })).await;
    let seen = newest(&ada.client).await;
    early.batch_execute("COMMIT").await.unwrap();
    let last = Uuid::now_v7();
    app.sql(&insert(&ada.id, last)).await;
    let late = [&made[..30], &[last]].concat();
    for size in [1, 7, 30, 31, 100] {
        let rest = walk(&ada.client, end(&cut), size).await;
        assert_eq!(rest, [names(&made[37..]), names(&late)].concat(), "{size}");
        let late_ones = walk(&ada.client, seen.clone(), size).await;
        assert_eq!(late_ones, names(&late), "by {size}");
        let all = walk(&ada.client, start.clone(), size).await;
        assert_eq!(all, [names(&made), names(&[last])].concat(), "by {size}");
        assert_eq!(walk(&ada.client, Value::Null, size).await, all, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_delays_only_its_own_changes() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let grace = Person::signed_up(&app, "grace").await;
    let mut after = newest(&ada.client).await;
    let (kept, undone) = (Uuid::now_v7(), Uuid::now_v7());
    let mut slow = superuser(&app.database).await;
    let mut given_up = superuser(&app.database).await;
    let mut others = superuser(&app.database).await;
    for (conn, user, id) in [
        (&mut slow, &ada, kept),
        (&mut given_up, &ada, undone),
        (&mut others, &grace, Uuid::now_v7()),
    ] {
        conn.batch_execute("BEGIN").await.unwrap();
        conn.batch_execute(&insert(&user.id, id)).await.unwrap();
    }
    for _ in 0..3 {
        let id = Uuid::now_v7();
        app.sql(&insert(&ada.id, id)).await;
        let told = page(&ada.client, json!({ "after": after })).await;
        assert_eq!(ids(&told), [id.to_string()]);
        after = end(&told);
    }
    given_up.batch_execute("ROLLBACK").await.unwrap();
    others.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        walk(&ada.client, after.clone(), 1).await,
        Vec::<String>::new()
    );
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(walk(&ada.client, after, 1).await, [kept.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_anothers_changes_or_goes_on_from_anothers_cursor() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await.client;
    let grace = Person::signed_up(&app, "grace").await.client;
    course(&ada).await;
    assert_eq!(summary(&page(&grace, json!({})).await), "");
    let cursor = newest(&ada).await;
    let code = grace.error_code(CHANGES, json!({ "after": cursor })).await;
    assert_eq!(code, "CURSOR_EXPIRED");
    let visitor = app.visitor();
    for query in [CHANGES, "{ changesCursor }"] {
        assert_eq!(
            visitor.error_code(query, json!({})).await,
            "UNAUTHENTICATED"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_cursor_or_no_page_is_refused() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await.client;
    let cursor = newest(&ada).await;
    let cursor = cursor.as_str().unwrap();
    for variables in [
        json!({ "first": 0 }),
        json!({ "first": 101 }),
        json!({ "after": "" }),
        json!({ "after": "nonsense" }),
        json!({ "after": "\0" }),
        json!({ "after": &cursor[1..] }),
        json!({ "after": format!("{cursor}{cursor}") }),
        json!({ "after": "A".repeat(100_000) }),
    ] {
        let code = ada.error_code(CHANGES, variables.clone()).await;
        assert_eq!(code, "BAD_USER_INPUT", "{variables}");
    }
}

/// A cursor that was read so many days earlier. What stands before the time in it is a byte and the stamp.
fn aged(cursor: &Value, days: u64) -> String {
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
async fn a_cursor_expires_and_what_is_too_old_is_not_told() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await.client;
    let old = course(&ada).await;
    app.sql("UPDATE audit_logs SET created_at = created_at - interval '31 days'")
        .await;
    let young = course(&ada).await;
    assert_eq!(
        ids(&page(&ada, json!({})).await),
        std::slice::from_ref(&young)
    );
    rename(&ada, &young, "d").await;
    rename(&ada, &old, "d").await;
    assert_eq!(
        walk(&ada, Value::Null, 1).await,
        [young.clone(), young, old]
    );

    let cursor = newest(&ada).await;
    assert_eq!(aged(&cursor, 0), cursor.as_str().unwrap());
    let of_age = page(&ada, json!({ "after": aged(&cursor, 29) })).await;
    assert_eq!(
        end(&of_age),
        newest(&ada).await,
        "and reading makes it young again"
    );
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
async fn a_database_that_was_restored_lets_cursors_expire_and_tells_all_anew() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await.client;
    let first = course(&ada).await;
    let cursor = newest(&ada).await;
    // As after a dump was read into a server that has given out fewer numbers.
    app.sql(
        "UPDATE audit_logs SET xid = '90000000000';
         UPDATE change_epochs SET database = 'another'",
    )
    .await;
    let code = ada.error_code(CHANGES, json!({ "after": cursor })).await;
    assert_eq!(code, "CURSOR_EXPIRED");
    let now = newest(&ada).await;
    assert_eq!(walk(&ada, now.clone(), 1).await, Vec::<String>::new());
    let second = course(&ada).await;
    assert_eq!(walk(&ada, now, 1).await, std::slice::from_ref(&second));
    assert_eq!(walk(&ada, Value::Null, 1).await, [first, second]);
    assert_eq!(app.number("SELECT count(*) FROM change_epochs").await, 1);
    app.sql("DELETE FROM change_epochs").await;
    let cursor = newest(&ada).await;
    assert_eq!(end(&page(&ada, json!({ "after": cursor })).await), cursor);
}
