//! Quotas: how many items and bytes a user may have, and `usage`. `images::quotas` tests the bytes of images.

use futures_util::future::join_all;
use serde_json::{Value, json};
use snapnote::{app::AppSettings, items::Quotas};

use crate::support::{Client, Person, TestApp, codes, list};

const USAGE: &str = "{ me { usage { items maxItems bytes maxBytes } } }";

/// A service with these maximums, and a user.
async fn limited(max_items: Option<i64>, max_bytes: Option<i64>) -> (TestApp, Person) {
    let quotas = Quotas {
        max_items,
        max_bytes,
    };
    let app = TestApp::with(|settings| settings.quotas = quotas).await;
    app.with_user("ada").await
}

async fn usage(client: &Client) -> Value {
    client.query(USAGE).await["me"]["usage"].take()
}

/// The codes of the errors of a mutation.
async fn refused(client: &Client, name: &str, input: Value) -> Vec<String> {
    let payload = client.try_mutate(name, input, "").await;
    codes(&payload)
}

fn none() -> Vec<String> {
    Vec::new()
}

fn limit_reached() -> Vec<String> {
    vec!["LIMIT_REACHED".to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_all_kinds_count_until_they_are_deleted_permanently() {
    let (_app, ada) = limited(Some(4), None).await;
    let course = ada.create_course("Algebra").await;
    ada.create_document(&course, "").await;
    ada.create("Tag", json!({ "name": "Exam" })).await;
    let task = ada.create_task(Some(&course), "Read").await;
    let used = json!({ "items": 4, "maxItems": 4, "maxBytes": null });
    let mut shown = usage(&ada).await;
    shown.as_object_mut().unwrap().remove("bytes");
    assert_eq!(shown, used);
    let document =
        json!({ "courseId": course, "title": "a", "originalText": "", "formattedNote": "" });
    for (name, input) in [
        ("createCourse", json!({ "name": "Biology" })),
        ("createTask", json!({ "title": "Write" })),
        ("createTag", json!({ "name": "Other" })),
        ("createDocument", document),
    ] {
        assert_eq!(refused(&ada, name, input).await, limit_reached(), "{name}");
    }
    assert_eq!(usage(&ada).await["items"], 4);
    // Changes and repeated creates add nothing.
    ada.rename_course(&course, "Algebra II").await;
    let repeated = json!({ "id": task, "title": "Read" });
    assert_eq!(refused(&ada, "createTask", repeated).await, none());
    ada.trash(&[&task]).await;
    let another = json!({ "title": "Write" });
    assert_eq!(
        refused(&ada, "createTask", another.clone()).await,
        limit_reached()
    );
    ada.delete(&[&task]).await;
    assert_eq!(refused(&ada, "createTask", another.clone()).await, none());
    assert_eq!(refused(&ada, "createTask", another).await, limit_reached());
    ada.trash(&[&course]).await;
    ada.mutate("emptyTrash", Value::Null, "deletedIds").await;
    assert_eq!(
        usage(&ada).await["items"],
        2,
        "a course and its document are gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_exceeds_a_quota_changes_nothing() {
    let (app, ada) = limited(Some(3), None).await;
    for policy in ["EACH", "ALL_OR_NOTHING"] {
        let entry = |number: usize| json!({ "title": number.to_string() });
        let tasks: Vec<Value> = (0..4).map(entry).collect();
        let input = json!({ "policy": policy, "tasks": tasks });
        let selection = "results { task { id } userErrors { code field } }";
        let payload = ada.try_mutate("createTasks", input, selection).await;
        for result in list(&payload["results"]) {
            let expected =
                json!({ "task": null, "userErrors": [{ "code": "LIMIT_REACHED", "field": null }] });
            assert_eq!(*result, expected);
        }
    }
    assert_eq!(app.count("tasks").await, 0);
    let tasks = json!({ "tasks": [{ "title": "a" }, { "title": "b" }, { "title": "c" }] });
    ada.mutate("createTasks", tasks, "results { task { id } }")
        .await;
    assert_eq!(app.count("tasks").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creates_never_pass_the_maximum() {
    let (app, ada) = limited(Some(10), None).await;
    let other = {
        let quotas = Quotas {
            max_items: Some(10),
            max_bytes: None,
        };
        TestApp::on(app.database.clone(), |settings| settings.quotas = quotas).await
    };
    let clients = [ada.client.clone(), ada.at(&other)];
    let create = async |number: usize| {
        let title = number.to_string();
        refused(
            &clients[number % 2],
            "createTask",
            json!({ "title": title }),
        )
        .await
    };
    let outcomes = join_all((0..30).map(create)).await;
    let created = outcomes.iter().filter(|codes| codes.is_empty()).count();
    assert_eq!(created, 10, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|codes| *codes == none() || *codes == limit_reached())
    );
    assert_eq!(app.count("tasks").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_may_become_shorter_but_not_longer_than_the_maximum() {
    let (app, ada) = limited(None, Some(10_000)).await;
    let course = ada.create_course("Algebra").await;
    let document = ada.create_document(&course, &"a".repeat(6_000)).await;
    let note = |length: usize| json!({ "id": document, "formattedNote": "a".repeat(length) });
    assert_eq!(
        refused(&ada, "updateDocument", note(12_000)).await,
        limit_reached()
    );
    let long = json!({ "courseId": course, "title": "b", "originalText": "a".repeat(6_000), "formattedNote": "" });
    assert_eq!(refused(&ada, "createDocument", long).await, limit_reached());
    // The database counts a few bytes of metadata, too.
    for length in [9_900, 9_000, 9_000, 9_900, 100] {
        assert_eq!(
            refused(&ada, "updateDocument", note(length)).await,
            none(),
            "{length}"
        );
        let bytes = usage(&ada).await["bytes"].as_f64().unwrap();
        assert!(
            (0.0..100.0).contains(&(bytes - length as f64)),
            "{length}: {bytes}"
        );
    }
    // An operator lowers the maximum: what is there may be changed, but nothing may grow.
    assert_eq!(refused(&ada, "updateDocument", note(9_000)).await, none());
    let quotas = Quotas {
        max_items: Some(1),
        max_bytes: Some(5_000),
    };
    let app = TestApp::on(app.database.clone(), |settings| settings.quotas = quotas).await;
    let ada = ada.at(&app);
    for (length, expected) in [(9_001, limit_reached()), (9_000, none()), (8_000, none())] {
        assert_eq!(
            refused(&ada, "updateDocument", note(length)).await,
            expected,
            "{length}"
        );
    }
    let name = json!({ "id": course, "name": "Algebra II" });
    assert_eq!(refused(&ada, "updateCourse", name).await, limit_reached());
    let color = json!({ "id": course, "color": "#000000" });
    assert_eq!(refused(&ada, "updateCourse", color).await, none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_quotas_nothing_is_counted_and_with_them_rarely() {
    let (app, ada) = limited(None, None).await;
    let used = usage(&ada).await;
    assert_eq!(
        used,
        json!({ "items": 0, "maxItems": null, "bytes": 0.0, "maxBytes": null })
    );
    assert_eq!(statements_of_create(&app, &ada).await, 1);
    assert_eq!(app.count("item_usage").await, 0);
    let change = |settings: &mut AppSettings| settings.quotas.max_items = Some(100);
    let app = TestApp::on(app.database.clone(), change).await;
    let ada = ada.at(&app);
    let counted = "item_usage WHERE items = (SELECT count(*) FROM tasks) AND counted_at > now() - interval '1 minute'";
    ada.create_task(None, "Read").await;
    assert_eq!(app.count(counted).await, 1);
    assert_eq!(statements_of_create(&app, &ada).await, 2);
    // Numbers are trusted for an hour, in case another program writes items.
    app.sql("UPDATE item_usage SET counted_at = now() - interval '59 minutes', items = 90")
        .await;
    ada.create_task(None, "Read").await;
    assert_eq!(app.number("SELECT items FROM item_usage").await, 91);
    app.sql("UPDATE item_usage SET counted_at = now() - interval '61 minutes'")
        .await;
    ada.create_task(None, "Read").await;
    assert_eq!(app.count(counted).await, 1);
}

/// The number of statements that a new task takes. Jobs send others, so this is the smallest number of several times.
async fn statements_of_create(app: &TestApp, client: &Client) -> u64 {
    let mut smallest = u64::MAX;
    for _ in 0..10 {
        let before = app.pool.statements();
        client.create_task(None, "Read").await;
        smallest = smallest.min(app.pool.statements() - before);
    }
    smallest
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_items_that_can_be_long_counts() {
    let (app, ada) = limited(None, None).await;
    let course = ada.create_course("c").await;
    ada.create_document(&course, "").await;
    ada.create_task(None, "t").await;
    ada.create("Tag", json!({ "name": "t" })).await;
    // Short, or made from other columns.
    let short = "'status', 'color', 'icon', 'position', 'excerpt', 'name_folded', 'title_folded'";
    let columns = format!(
        "SELECT string_agg(table_name || '.' || column_name || '.' || data_type, ' ') FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name IN ('courses', 'documents', 'tasks', 'tags')
         AND data_type IN ('text', 'jsonb') AND column_name NOT IN ({short})"
    );
    let columns = app.text(&columns).await;
    assert!(columns.split(' ').count() >= 9, "{columns}");
    for column in columns.split(' ') {
        let [table, column, kind] = column.split('.').collect::<Vec<_>>()[..] else {
            panic!("{column}");
        };
        let before = usage(&ada).await["bytes"].as_f64().unwrap();
        let long = match kind {
            "jsonb" => "jsonb_build_object('a', repeat('a', 90))".to_owned(),
            _ => "repeat('a', 90)".to_owned(),
        };
        app.sql(&format!("UPDATE {table} SET {column} = {long}"))
            .await;
        let after = usage(&ada).await["bytes"].as_f64().unwrap();
        assert!(after >= before + 80.0, "{table}.{column}: {before} {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_user_and_admins_read_the_usage() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    let ada = app.signed_up("ada").await;
    ada.create_task(None, "Read").await;
    let of_all = "{ users { nodes { email usage { items } } } }";
    let data = root.query(of_all).await;
    let items: Vec<&Value> = list(&data["users"]["nodes"])
        .iter()
        .map(|user| &user["usage"]["items"])
        .collect();
    assert_eq!(items.len(), 2);
    assert!(
        items.contains(&&json!(1)) && items.contains(&&json!(0)),
        "{data}"
    );
    let logged = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'USAGE_READ' AND user_id = '{}'",
        ada.id
    );
    assert_eq!(app.number(&logged).await, 1);
}
