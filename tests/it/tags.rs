//! Tags: their names, the items that have them, and what the trash, the change feed and the search make of them. `bad_input` tests
//! rejected requests, `concurrency` requests at the same time, `inputs` tags in inputs, `lists` the lists and numbers of a tag's items.

mod bad_input;
mod concurrency;
mod inputs;
mod lists;

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, Person, TestApp, errors, list, text, texts};

impl Client {
    async fn create_tag(&self, name: &str) -> String {
        self.create("Tag", json!({ "name": name })).await
    }

    /// Adds tags to items and removes others. Returns the payload, which may have user errors.
    async fn try_tag(&self, items: &[&str], add: &[&str], remove: &[&str]) -> Value {
        let input = json!({ "ids": items, "add": add, "remove": remove });
        let selection =
            "items { id version ... on Document { tags { id } } ... on Task { tags { id } } }";
        self.try_mutate("tagItems", input, selection).await
    }

    /// As [`Client::try_tag`], but must succeed. Returns the items.
    async fn tag(&self, items: &[&str], add: &[&str], remove: &[&str]) -> Value {
        let mut payload = self.try_tag(items, add, remove).await;
        assert_eq!(errors(&payload), [""; 0], "{payload}");
        payload["items"].take()
    }

    /// The names of an item's tags, and its version.
    async fn tags_of(&self, item: &str) -> (Vec<String>, i64) {
        let query = "query($id: ID!) { node(id: $id) { ... on Item { version }
            ... on Document { tags { name } } ... on Task { tags { name } } } }";
        let data = self.data(query, json!({ "id": item })).await;
        let item = &data["node"];
        (
            texts(&item["tags"], "name"),
            item["version"].as_i64().unwrap(),
        )
    }

    /// `ACTION TYPE version` of each change after a cursor.
    async fn changes_after(&self, cursor: &Value) -> Vec<String> {
        let query = "query($after: String) { changes(after: $after) { nodes { action itemType version } } }";
        let data = self.data(query, json!({ "after": cursor })).await;
        let change = |change: &Value| {
            let part = |name: &str| text(&change[name]);
            format!(
                "{} {} {}",
                part("action"),
                part("itemType"),
                change["version"]
            )
        };
        list(&data["changes"]["nodes"]).iter().map(change).collect()
    }
}

/// A user with a document and a task.
struct Tagged {
    app: TestApp,
    ada: Person,
    course: String,
    document: String,
    task: String,
}

impl Tagged {
    async fn new() -> Tagged {
        let (app, ada) = TestApp::start().await.with_user("ada").await;
        let course = ada.create_course("Algebra").await;
        let document = ada.create_document(&course, "").await;
        let task = ada.create_task(None, "Read").await;
        Tagged {
            app,
            ada,
            course,
            document,
            task,
        }
    }
}

const TAG: &str = "tag { id name color status version }";

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_created_updated_and_found_like_every_item() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let id = Uuid::now_v7().to_string();
    let input = json!({ "id": id, "name": "Exam", "color": "#e03131" });
    let at_once = join_all((0..10).map(|_| ada.mutate("createTag", input.clone(), TAG))).await;
    for payload in &at_once {
        let expected = json!({ "id": id, "name": "Exam", "color": "#e03131", "status": "ACTIVE", "version": 1 });
        assert_eq!(payload["tag"], expected);
    }
    assert_eq!(app.count("tags").await, 1);
    let update = json!({ "id": id, "version": 1, "name": "exam", "color": null });
    let updated = ada.mutate("updateTag", update.clone(), TAG).await;
    let expected =
        json!({ "id": id, "name": "exam", "color": null, "status": "ACTIVE", "version": 2 });
    assert_eq!(updated["tag"], expected);
    let conflict = ada.try_mutate("updateTag", update, TAG).await;
    assert_eq!(errors(&conflict), ["CONFLICT version"]);
    assert_eq!(conflict["tag"], expected);
    let query = "query($id: ID!) { tag(id: $id) { name } node(id: $id) { __typename id }
        tags(filter: { nameContains: \"EXÀ\" }, orderBy: { field: NAME }) { totalCount nodes { name version } } }";
    let found = ada.data(query, json!({ "id": id })).await;
    assert_eq!(found["tag"]["name"], "exam");
    assert_eq!(found["node"], json!({ "__typename": "Tag", "id": id }));
    assert_eq!(
        found["tags"],
        json!({ "totalCount": 1, "nodes": [{ "name": "exam", "version": 2 }] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_active_tags_are_unique_without_regard_to_case() {
    let (_app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let exam = ada.create_tag("Prüfung").await;
    let other = ada.create_tag("Lecture").await;
    eve.create_tag("Prüfung").await;
    // The last one has the umlaut as two code points.
    for name in ["Prüfung", "PRÜFUNG", "pru\u{308}fung"] {
        let created = ada
            .try_mutate("createTag", json!({ "name": name }), TAG)
            .await;
        assert_eq!(errors(&created), ["TAKEN name"], "{name}");
        assert_eq!(created["tag"], Value::Null);
        let renamed = json!({ "id": other, "name": name });
        let renamed = ada.try_mutate("updateTag", renamed, TAG).await;
        assert_eq!(errors(&renamed), ["TAKEN name"], "{name}");
    }
    ada.create_tag("Prufung").await;
    ada.trash(&[&exam]).await;
    let again = ada.create_tag("prüfung").await;
    // Nothing is restored, not even the other tag.
    ada.trash(&[&other]).await;
    let restored = json!({ "ids": [other, exam] });
    let restored = ada
        .try_mutate("restoreItems", restored, "items { id }")
        .await;
    assert_eq!(errors(&restored), ["TAKEN ids.1"]);
    let trash = ada.query("{ trash { totalCount } }").await;
    assert_eq!(trash["trash"]["totalCount"], 2);
    // Of two tags in the trash with one name, only one can be restored.
    ada.trash(&[&again]).await;
    let both = ada
        .try_mutate("restoreItems", json!({ "ids": [again, exam] }), "")
        .await;
    assert_eq!(errors(&both), ["TAKEN ids.0", "TAKEN ids.1"]);
    ada.restore(&[&exam, &other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_items_tags_is_one_change_of_the_item() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let [a, b, c] = ["b", "A", "c"].map(|name| ada.create_tag(name));
    let (a, b, c) = (a.await, b.await, c.await);
    let start = ada.changes_cursor().await;
    let items = ada
        .tag(&[&task, &document, &task], &[&a, &b, &a], &[])
        .await;
    assert_eq!(texts(&items, "id"), [task.clone(), document.clone()]);
    assert_eq!(list(&items)[0]["version"], 2);
    assert_eq!(
        ada.tags_of(&document).await,
        (vec!["A".to_owned(), "b".to_owned()], 2)
    );
    // One tag that it has, one that is new, and one that goes.
    ada.tag(&[&document], &[&a, &c], &[&b]).await;
    assert_eq!(
        ada.tags_of(&document).await,
        (vec!["b".to_owned(), "c".to_owned()], 3)
    );
    ada.tag(&[&document, &task], &[&a], &[]).await;
    assert_eq!(ada.tags_of(&document).await.1, 3, "it has the tag already");
    ada.tag(&[&document, &task], &[], &[&c]).await;
    assert_eq!(ada.tags_of(&task).await.1, 2, "it does not have the tag");
    let mut changes = ada.changes_after(&start).await;
    changes.sort();
    let expected = [
        "UPDATED DOCUMENT 2",
        "UPDATED DOCUMENT 3",
        "UPDATED DOCUMENT 4",
        "UPDATED TASK 2",
    ];
    assert_eq!(changes, expected);
    let log = ada
        .query("{ me { auditLog(first: 1) { nodes { entityId changes } } } }")
        .await;
    let changes = json!({ "tagIds": { "old": [a, c], "new": [a] } });
    assert_eq!(
        log["me"]["auditLog"]["nodes"][0],
        json!({ "entityId": document, "changes": changes })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_tag_is_a_change_of_the_tag_alone() {
    let Tagged {
        app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let (exam, other) = (ada.create_tag("Exam").await, ada.create_tag("Other").await);
    ada.tag(&[&document, &task], &[&exam, &other], &[]).await;
    let start = ada.changes_cursor().await;
    let is_tagged = async |names: &[&str]| {
        for item in [&document, &task] {
            let (found, version) = ada.tags_of(item).await;
            assert_eq!(
                (found, version),
                (names.iter().map(|name| (*name).to_owned()).collect(), 2)
            );
        }
    };
    ada.update("Tag", &exam, json!({ "name": "Test" })).await;
    is_tagged(&["Other", "Test"]).await;
    ada.trash(&[&exam]).await;
    is_tagged(&["Other"]).await;
    ada.restore(&[&exam]).await;
    is_tagged(&["Other", "Test"]).await;
    ada.trash(&[&exam]).await;
    assert_eq!(ada.delete(&[&exam]).await["deletedIds"], json!([exam]));
    is_tagged(&["Other"]).await;
    ada.trash(&[&other]).await;
    ada.mutate("emptyTrash", Value::Null, "").await;
    is_tagged(&[]).await;
    let changes = ada.changes_after(&start).await;
    let expected = [
        "UPDATED TAG 2",
        "TRASHED TAG 3",
        "RESTORED TAG 4",
        "TRASHED TAG 5",
        "DELETED TAG 5",
        "TRASHED TAG 2",
        "DELETED TAG 2",
    ];
    assert_eq!(changes, expected);
    assert_eq!(
        app.count("document_tags").await + app.count("task_tags").await,
        0
    );
    let again = json!({ "id": exam, "name": "New" });
    let again = ada.try_mutate("createTag", again, "").await;
    assert_eq!(errors(&again), ["TAKEN id"], "deleted items stay deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_keep_their_tags_in_the_trash() {
    let Tagged {
        app,
        ada,
        course,
        document,
        task,
    } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    ada.tag(&[&document, &task], &[&exam], &[]).await;
    ada.trash(&[&course, &task]).await;
    assert_eq!(ada.tags_of(&document).await.0, ["Exam"]);
    ada.restore(&[&course, &task]).await;
    assert_eq!(ada.tags_of(&task).await, (vec!["Exam".to_owned()], 4));
    ada.trash(&[&course, &task]).await;
    ada.mutate("emptyTrash", Value::Null, "").await;
    let left = "SELECT (SELECT count(*) FROM document_tags) + (SELECT count(*) FROM task_tags)";
    app.eventually_number(left, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_a_tag_by_its_present_name() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let tag = ada.create_tag("Giraffe").await;
    ada.create_task(None, "Zebra").await;
    let found = async |query: &str, types: Value| {
        let search =
            "query($query: String!, $types: [ItemType!]) { search(query: $query, types: $types) {
            edges { node { ... on Tag { id } } highlights { field text } } } }";
        let data = ada
            .data(search, json!({ "query": query, "types": types }))
            .await;
        data["search"]["edges"].clone()
    };
    let hit = |name: &str| json!([{ "node": { "id": tag }, "highlights": [{ "field": "name", "text": name }] }]);
    assert_eq!(found("giraffes", Value::Null).await, hit("Giraffe"));
    ada.update("Tag", &tag, json!({ "name": "Zebra tag" }))
        .await;
    assert_eq!(found("giraffe", Value::Null).await, json!([]));
    assert_eq!(found("zebra", json!(["TAG"])).await, hit("Zebra tag"));
    ada.trash(&[&tag]).await;
    assert_eq!(found("zebra", json!(["TAG"])).await, json!([]));
    ada.restore(&[&tag]).await;
    assert_eq!(found("zebra", json!(["TAG"])).await, hit("Zebra tag"));
}
