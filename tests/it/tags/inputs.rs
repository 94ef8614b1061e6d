//! `tagIds` in the inputs that create and update documents and tasks, and in filters.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Tagged;
use crate::support::{Client, errors, list, text, texts};

const TASK: &str = "task { id version tags { id } }";

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_created_with_their_tags() {
    let Tagged {
        app: _app,
        ada,
        course,
        ..
    } = Tagged::new().await;
    let (exam, other) = (ada.create_tag("Exam").await, ada.create_tag("Other").await);
    let start = ada.changes_cursor().await;
    let id = Uuid::now_v7();
    let task = json!({ "id": id, "title": "Read", "tagIds": [exam, other, exam] });
    let created = ada.mutate("createTask", task, TASK).await;
    assert_eq!(created["task"]["version"], 1);
    assert_eq!(texts(&created["task"]["tags"], "id"), [exam.clone(), other]);
    // A repeated request changes nothing, not even the tags.
    let repeated = json!({ "id": id, "title": "Read", "tagIds": [] });
    assert_eq!(
        ada.mutate("createTask", repeated, TASK).await["task"],
        created["task"]
    );
    let document = json!({ "courseId": course, "title": "t", "originalText": "", "formattedNote": "", "tagIds": [exam] });
    let document = ada.create("Document", document).await;
    assert_eq!(ada.tags_of(&document).await, (vec!["Exam".to_owned()], 1));
    let untagged = ada
        .create("Task", json!({ "title": "u", "tagIds": null }))
        .await;
    assert_eq!(ada.tags_of(&untagged).await, (vec![], 1));
    let changes = ada.changes_after(&start).await;
    assert_eq!(
        changes,
        ["CREATED TASK 1", "CREATED DOCUMENT 1", "CREATED TASK 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_replaces_the_tags_that_an_item_shows() {
    let Tagged {
        app: _app,
        ada,
        task,
        ..
    } = Tagged::new().await;
    let [a, b, c] = ["A", "B", "C"].map(|name| ada.create_tag(name));
    let (a, b, c) = (a.await, b.await, c.await);
    let start = ada.changes_cursor().await;
    let update = async |fields: Value| {
        let mut input = fields;
        input["id"] = json!(task);
        let payload = ada
            .mutate("updateTask", input, "task { title version tags { name } }")
            .await;
        let task = &payload["task"];
        (
            texts(&task["tags"], "name").concat(),
            task["version"].as_i64().unwrap(),
        )
    };
    assert_eq!(
        update(json!({ "tagIds": [a, b] })).await,
        ("AB".to_owned(), 2)
    );
    assert_eq!(
        update(json!({ "tagIds": [b, a, b] })).await,
        ("AB".to_owned(), 2),
        "nothing changed"
    );
    let both = json!({ "title": "Write", "tagIds": [b, c], "version": 2 });
    assert_eq!(update(both).await, ("BC".to_owned(), 3), "one change");
    let log = ada
        .query("{ me { auditLog(first: 1) { nodes { changes } } } }")
        .await;
    let changes = json!({
        "title": { "old": "Read", "new": "Write" },
        "tagIds": { "old": sorted(vec![a.clone(), b.clone()]), "new": sorted(vec![b.clone(), c.clone()]) },
    });
    assert_eq!(log["me"]["auditLog"]["nodes"][0]["changes"], changes);
    assert_eq!(
        update(json!({ "title": "Read" })).await,
        ("BC".to_owned(), 4),
        "omitted"
    );
    // A tag in the trash is not replaced: it comes back.
    ada.trash(&[&b]).await;
    assert_eq!(update(json!({ "tagIds": [a] })).await, ("A".to_owned(), 5));
    ada.restore(&[&b]).await;
    assert_eq!(ada.tags_of(&task).await.0.concat(), "AB");
    assert_eq!(update(json!({ "tagIds": [] })).await, (String::new(), 6));
    update(json!({ "tagIds": [a] })).await;
    assert_eq!(update(json!({ "tagIds": null })).await, (String::new(), 8));
    let of_task = |change: &String| change.contains("TASK");
    let changes = ada.changes_after(&start).await;
    assert_eq!(changes.iter().filter(|change| of_task(change)).count(), 7);
    let old = json!({ "id": task, "version": 7, "tagIds": [a] });
    let conflict = ada.try_mutate("updateTask", old, TASK).await;
    assert_eq!(errors(&conflict), ["CONFLICT version"]);
    assert_eq!(conflict["task"]["tags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_cannot_be_used_are_refused_and_nothing_is_written() {
    let Tagged {
        app,
        ada,
        course,
        document,
        task,
    } = Tagged::new().await;
    let foreign = app.signed_up("eve").await.create_tag("Eve's").await;
    let (exam, trashed) = (
        ada.create_tag("Exam").await,
        ada.create_tag("Trashed").await,
    );
    ada.trash(&[&trashed]).await;
    let tags = [&exam, &foreign, &trashed, &course];
    let expected = [
        "NOT_FOUND tagIds.1",
        "IN_TRASH tagIds.2",
        "NOT_FOUND tagIds.3",
    ];
    let new_document =
        json!({ "courseId": course, "title": "t", "originalText": "", "formattedNote": "" });
    for (mutation, mut input) in [
        ("createTask", json!({ "title": "t" })),
        ("createDocument", new_document),
        ("updateTask", json!({ "id": task, "title": "t" })),
        ("updateDocument", json!({ "id": document, "title": "t" })),
    ] {
        input["tagIds"] = json!(tags);
        let payload = ada.try_mutate(mutation, input.clone(), "").await;
        assert_eq!(errors(&payload), expected, "{mutation}");
        let many: Vec<Uuid> = (0..21).map(|_| Uuid::new_v4()).collect();
        input["tagIds"] = json!(many);
        let payload = ada.try_mutate(mutation, input, "").await;
        assert_eq!(errors(&payload), ["TOO_LONG tagIds"], "{mutation}");
    }
    assert_eq!(app.count("tasks").await + app.count("documents").await, 2);
    assert_eq!(ada.tags_of(&task).await, (vec![], 1));
}

/// The names of the tags of each result of a batch, or its errors.
fn results(payload: &Value) -> Vec<String> {
    let result = |result: &Value| match result["task"].is_null() {
        true => errors(result).join(" "),
        false => texts(&result["task"]["tags"], "name").concat(),
    };
    list(&payload["results"]).iter().map(result).collect()
}

async fn batch(ada: &Client, mutation: &str, policy: &str, tasks: Value) -> Value {
    let query = format!(
        "mutation($input: {}Input!) {{ {mutation}(input: $input) {{
            results {{ task {{ id version tags {{ name }} }} userErrors {{ code field }} }} userErrors {{ code field }} }} }}",
        mutation[..1].to_uppercase() + &mutation[1..]
    );
    let input = json!({ "input": { "tasks": tasks, "policy": policy } });
    let mut data = ada.data(&query, input).await;
    data[mutation].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_of_a_batch_has_its_own_tags() {
    let Tagged { app, ada, .. } = Tagged::new().await;
    let (a, b) = (ada.create_tag("A").await, ada.create_tag("B").await);
    let unknown = Uuid::new_v4();
    let new = json!([{ "title": "1", "tagIds": [b, a] }, { "title": "2" }, { "title": "3", "tagIds": [unknown] }]);
    let none = batch(&ada, "createTasks", "ALL_OR_NOTHING", new.clone()).await;
    let refused = results(&none)[2].clone();
    assert!(
        refused.starts_with("NOT_FOUND") && refused.ends_with("tagIds.0"),
        "{none}"
    );
    assert_eq!(results(&none)[..2], ["", ""]);
    assert_eq!(app.count("tasks").await, 1);
    let each = batch(&ada, "createTasks", "EACH", new).await;
    assert_eq!(results(&each), ["AB", "", &refused]);
    let ids = texts(
        &json!([each["results"][0]["task"], each["results"][1]["task"]]),
        "id",
    );
    let changes =
        json!([{ "id": ids[0], "tagIds": [a] }, { "id": ids[1], "title": "two", "tagIds": [b] }]);
    let updated = batch(&ada, "updateTasks", "ALL_OR_NOTHING", changes).await;
    assert_eq!(results(&updated), ["A", "B"]);
    for result in list(&updated["results"]) {
        assert_eq!(result["task"]["version"], 2, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_returns_its_item_whatever_has_become_of_its_tags() {
    let Tagged { app, ada, .. } = Tagged::new().await;
    let (gone, trashed) = (ada.create_tag("Gone").await, ada.create_tag("Old").await);
    let input = json!({ "id": Uuid::now_v7(), "title": "Read", "tagIds": [gone, trashed] });
    let created = ada.mutate("createTask", input.clone(), TASK).await;
    ada.trash(&[&gone, &trashed]).await;
    ada.delete(&[&gone]).await;
    let repeated = ada.mutate("createTask", input.clone(), TASK).await;
    assert_eq!(repeated["task"]["id"], created["task"]["id"]);
    let other = json!({ "id": Uuid::now_v7(), "title": "Other", "tagIds": [trashed] });
    let untagged = json!({ "id": Uuid::now_v7(), "title": "Untagged" });
    let entries = json!([input, other, untagged]);
    let all = batch(&ada, "createTasks", "ALL_OR_NOTHING", entries).await;
    assert_eq!(all["results"][0]["task"]["id"], created["task"]["id"]);
    assert_eq!(results(&all)[1..], ["IN_TRASH tagIds.0", ""]);
    assert_eq!(all["results"][2]["task"], Value::Null, "withheld");
    let entries = json!([input, untagged]);
    let all = batch(&ada, "createTasks", "ALL_OR_NOTHING", entries).await;
    assert_eq!(all["results"][0]["task"]["id"], created["task"]["id"]);
    assert_eq!(all["results"][1]["task"]["id"], untagged["id"]);
    assert_eq!(app.count("tasks").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_counts_once_however_often_it_is_named() {
    let Tagged { app, ada, task, .. } = Tagged::new().await;
    let (tag, other) = (ada.create_tag("A").await, ada.create_tag("B").await);
    let many = vec![tag.clone(); 5_000];
    ada.create("Task", json!({ "title": "t", "tagIds": many }))
        .await;
    ada.update("Task", &task, json!({ "tagIds": many })).await;
    assert_eq!(app.count("task_tags").await, 2);
    let repeated: Vec<&str> = many.iter().map(String::as_str).collect();
    ada.tag(&[&task], &[&other], &repeated).await;
    ada.tag(&[&task], &repeated, &[]).await;
    assert_eq!(app.count("task_tags").await, 3);
    let unknown = [vec![tag; 50], vec![Uuid::nil().to_string(); 50]].concat();
    let unknown = json!({ "title": "t", "tagIds": unknown });
    let refused = ada.try_mutate("createTask", unknown, "").await;
    assert_eq!(errors(&refused), ["NOT_FOUND tagIds.50"]);
}

/// The ids of more tags than an item can get. The item has them because some were in the trash while it got others.
async fn with_restored_tag(ada: &Client, task: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for number in 0..21 {
        tags.push(ada.create_tag(&number.to_string()).await);
    }
    let first: Vec<&str> = tags[..20].iter().map(String::as_str).collect();
    ada.tag(&[task], &first, &[]).await;
    ada.trash(&[&tags[0]]).await;
    ada.tag(&[task], &[&tags[20]], &[]).await;
    ada.restore(&[&tags[0]]).await;
    tags
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_with_too_many_tags_may_keep_them() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let tags = with_restored_tag(&ada, &task).await;
    // It has this tag. The document gets it.
    ada.tag(&[&task, &document], &[&tags[0]], &[]).await;
    assert_eq!(ada.tags_of(&document).await.0, ["0"]);
    let same = json!({ "title": "same", "tagIds": tags });
    ada.update("Task", &task, same).await;
    let (names, version) = ada.tags_of(&task).await;
    assert_eq!((names.len(), version), (21, 4));
    let new = ada.create_tag("new").await;
    let more = ada.try_tag(&[&document, &task], &[&new], &[]).await;
    assert_eq!(errors(&more), ["TOO_LONG ids.1"]);
    assert_eq!(ada.tags_of(&document).await.0, ["0"], "nothing is changed");
    let mut others = tags.clone();
    others[0] = new;
    let input = json!({ "id": task, "tagIds": others });
    let replaced = ada.try_mutate("updateTask", input, "").await;
    assert_eq!(errors(&replaced), ["TOO_LONG tagIds"]);
    let input = json!({ "title": "t", "tagIds": tags });
    let created = ada.try_mutate("createTask", input, "").await;
    assert_eq!(errors(&created), ["TOO_LONG tagIds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_updates_at_once_the_last_one_decides_all_tags() {
    let Tagged {
        app: _app,
        ada,
        task,
        ..
    } = Tagged::new().await;
    let mut tags = Vec::new();
    for number in 0..8 {
        tags.push(ada.create_tag(&number.to_string()).await);
    }
    for _ in 0..3 {
        let updates = tags.chunks(2).map(|pair| {
            let input = json!({ "id": task, "tagIds": pair });
            ada.mutate("updateTask", input, TASK)
        });
        for payload in join_all(updates).await {
            assert_eq!(list(&payload["task"]["tags"]).len(), 2, "{payload}");
        }
        let names: Vec<u32> = ada
            .tags_of(&task)
            .await
            .0
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        assert!(
            names.len() == 2 && names[0] + 1 == names[1] && names[0].is_multiple_of(2),
            "{names:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_items_by_their_active_tags() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let (exam, other) = (ada.create_tag("Exam").await, ada.create_tag("Other").await);
    let second = ada.create_task(None, "Second").await;
    let third = ada.create_task(None, "Third").await;
    ada.tag(&[&document, &task], &[&exam], &[]).await;
    ada.tag(&[&second], &[&other], &[]).await;
    let found = async |list: &str, filter: Value| {
        let kind = if list == "tasks" { "Task" } else { "Document" };
        let query = format!(
            "query($filter: {kind}Filter) {{ {list}(filter: $filter) {{ totalCount nodes {{ id }} }} }}"
        );
        let data = ada.data(&query, json!({ "filter": filter })).await;
        let ids = texts(&data[list]["nodes"], "id");
        assert_eq!(data[list]["totalCount"].as_u64(), Some(ids.len() as u64));
        sorted(ids)
    };
    assert_eq!(
        found("documents", json!({ "tagIds": [exam, other] })).await,
        [document.as_str()]
    );
    assert_eq!(
        found("tasks", json!({ "tagIds": [exam] })).await,
        [task.as_str()]
    );
    let either = found(
        "tasks",
        json!({ "tagIds": [exam, other, Uuid::new_v4(), "no-uuid"] }),
    )
    .await;
    assert_eq!(either, sorted(vec![task.clone(), second.clone()]));
    let neither = found("tasks", json!({ "not": { "tagIds": [exam, other] } })).await;
    assert_eq!(neither, [third.as_str()]);
    assert_eq!(found("tasks", json!({ "tagIds": [] })).await, [""; 0]);
    ada.trash(&[&exam]).await;
    assert_eq!(
        found("tasks", json!({ "tagIds": [exam, other] })).await,
        [second]
    );
    let many: Vec<String> = (0..101).map(|_| text(&json!(Uuid::new_v4()))).collect();
    let query = "query($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }";
    let code = ada
        .error_code(query, json!({ "filter": { "tagIds": many } }))
        .await;
    assert_eq!(code, "BAD_USER_INPUT");
}
