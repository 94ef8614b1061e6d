//! A user of a small pool leases one connection at a time. Every kind of operation works with that, and none waits for a second one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use snapnote::app::AppSettings;

use crate::{
    subscriptions::socket::{Events, Socket},
    support::{Client, PASSWORD, TestApp, ids, keep_mails, list, text},
};

/// The maximum numbers of connections: without and with shared connections.
const POOLS: [usize; 2] = [3, 5];

async fn small_pool(max: usize) -> TestApp {
    TestApp::with(|settings| settings.pool.max_connections = max).await
}

/// A course with documents and tasks that have tags: their ids.
struct Items {
    course: String,
    document: String,
    tasks: Vec<String>,
    tag: String,
}

/// Mutations with tags, in batches and one by one.
async fn created(ada: &Client) -> Items {
    let tag = ada.create("Tag", json!({ "name": "Exam" })).await;
    let course = ada.create_course("Zebra").await;
    let note = json!({ "courseId": course, "formattedNote": "A zebra", "tagIds": [tag] });
    let document = ada.create("Document", note).await;
    let task = |title: &str| json!({ "courseId": course, "title": title, "tagIds": [tag] });
    let tasks = json!({ "tasks": [task("Zebra one"), task("Zebra two")] });
    let selected = "results { task { id course { name } tags { name } } }";
    let tasks = ada.mutate("createTasks", tasks, selected).await;
    let tasks = list(&tasks["results"]).iter();
    let tasks: Vec<String> = tasks.map(|it| text(&it["task"]["id"])).collect();
    let changes = tasks
        .iter()
        .map(|id| json!({ "id": id, "tagIds": [tag], "completed": true }));
    let changes = json!({ "tasks": changes.collect::<Vec<_>>() });
    let selected = "results { task { tags { name } owner { profile { preferences } } } }";
    ada.mutate("updateTasks", changes, selected).await;
    let tagged = json!({ "ids": tasks, "add": [tag], "remove": [] });
    ada.mutate("tagItems", tagged, "items { id }").await;
    ada.mutate("reopenTasks", ids(&tasks), "tasks { id course { id } }")
        .await;
    Items {
        course,
        document,
        tasks,
        tag,
    }
}

/// Fields of queries, each with parts that are loaded after its first statement.
fn queries(items: &Items) -> Vec<String> {
    let Items {
        course,
        document,
        tasks,
        tag,
    } = items;
    let document_fields =
        "title originalText image { url } tags { name documentCount } course { name owner { id } }";
    let documents = format!("documents(first: 3) {{ nodes {{ {document_fields} }} }}");
    let user = "name profile { preferences } accounts { provider } sessions { id } auditLog(first: 3) { nodes { action } }";
    let changed = "... on Document { originalText tags { name } } ... on Task { course { name } }";
    vec![
        format!(
            "courses(first: 3) {{ totalCount nodes {{ documentCount {documents} tasks(first: 3) {{ nodes {{ tags {{ name }} }} }} }} }}"
        ),
        format!("course(id: {course:?}) {{ {documents} owner {{ {user} }} }}"),
        format!("document(id: {document:?}) {{ {document_fields} course {{ {documents} }} }}"),
        format!("tag(id: {tag:?}) {{ tasks(first: 3) {{ nodes {{ title }} }} {documents} }}"),
        format!(
            "nodes(ids: [{course:?}, {document:?}, {:?}, {tag:?}]) {{ id {changed} }}",
            tasks[0]
        ),
        format!(
            "search(query: \"zebra\", first: 3) {{ edges {{ highlights {{ field }} node {{ {changed} }} }} }}"
        ),
        format!("changes(first: 3) {{ nodes {{ cursor item {{ {changed} }} }} }}"),
        "documents(first: 3, filter: { titleContains: \"lec\" }) { nodes { id } }".to_owned(),
        "trash(first: 3) { nodes { id } }".to_owned(),
        format!("me {{ {user} }}"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_mutations_need_one_connection_at_a_time() {
    for max in POOLS {
        let (_app, ada) = small_pool(max).await.with_user("ada").await;
        let items = created(&ada).await;
        let fields = queries(&items);
        let alone: Vec<String> = fields.iter().map(|it| format!("{{ {it} }}")).collect();
        for query in &alone {
            ada.query(query).await;
        }
        let numbered = fields.iter().enumerate();
        let numbered: Vec<String> = numbered.map(|(n, it)| format!("q{n}: {it}")).collect();
        let together = format!("{{ {} }}", numbered.join(" "));
        ada.query(&together).await;
        let twice = alone.iter().chain(&alone).map(|query| ada.query(query));
        tokio::join!(
            join_all(twice),
            ada.query(&together),
            ada.rename_course(&items.course, "Quagga")
        );
        ada.trash(&[&items.course]).await;
        ada.restore(&[&items.course]).await;
        ada.trash(&items.tasks).await;
        ada.delete(&items.tasks).await;
        ada.mutate("emptyTrash", Value::Null, "deletedIds").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_need_one_connection_at_a_time() {
    for max in POOLS {
        let (_app, ada) = small_pool(max).await.with_user("ada").await;
        let after = json!({ "after": ada.changes_cursor().await });
        let query = "subscription($after: String) { changes(after: $after) {
            item { ... on Document { originalText tags { name } course { documents { nodes { originalText } } } } } } }";
        let mut socket = Socket::of(&ada).await;
        socket.subscribe("1", query, after.clone()).await;
        socket.subscribe("2", query, after.clone()).await;
        let mut events = Events::open(&ada, query, after, &[]).await;
        let items = created(&ada).await;
        ada.query(&format!("{{ {} }}", queries(&items).join(" ")))
            .await;
        for _ in 0..3 {
            socket.change().await;
            assert_eq!(events.data().await.get("errors"), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_on_accounts_need_one_connection_at_a_time() {
    for max in POOLS {
        let settings = |settings: &mut AppSettings| {
            settings.pool.max_connections = max;
            keep_mails(settings);
        };
        let (app, ada) = TestApp::with(settings).await.with_admin("ada").await;
        let eve = app.signed_up("eve").await;
        let private = "name profile { preferences } accounts { provider } sessions { id } auditLog { nodes { action } }";
        let users =
            format!("{{ users {{ totalCount nodes {{ {private} }} }} me {{ {private} }} }}");
        let found = tokio::join!(ada.query(&users), ada.query(&users));
        assert_eq!(found.0["users"]["totalCount"], 2);
        let role = json!({ "userId": eve.id, "role": "ADMIN" });
        ada.mutate("setUserRole", role, &format!("user {{ {private} }}"))
            .await;
        eve.request_email_verification().await;
        let token = app.mailed_token("email_verification").await;
        let verified = eve.verify_email(&token).await;
        assert_eq!(verified["userErrors"], json!([]));
        let session = app.signed_in("eve").await;
        let refreshed = session.refresh(&session.refresh_token).await;
        assert_eq!(refreshed["userErrors"], json!([]));
        let changed = eve.change_password(PASSWORD, "battery staple").await;
        assert_eq!(changed["userErrors"], json!([]));
        let preferences = json!({ "preferences": "short" });
        eve.mutate(
            "updateProfile",
            preferences,
            "user { profile { preferences } }",
        )
        .await;
        let deleted = eve.delete_me("battery staple").await;
        assert_eq!(deleted["userErrors"], json!([]));
        ada.sign_out().await;
    }
}
