//! Batches: results by entry, both policies, repeated requests, concurrent batches, and what a batch costs.

mod concurrency;
mod documents;
mod statements;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, TestApp, codes, errors, list, text};

/// What tests select of a batch of tasks.
const TASKS: &str = "results { task { id title version course { id } } userErrors { code field } }";

/// The results of a batch, which must be valid as a whole.
async fn results(client: &Client, name: &str, input: Value, selection: &str) -> Vec<Value> {
    let payload = client.mutate(name, input, selection).await;
    list(&payload["results"]).clone()
}

/// How each entry of a batch of tasks ended: its title, its errors as `CODE path`, or `withheld`.
fn ends(results: &[Value]) -> Vec<String> {
    let end = |result: &Value| {
        let errors = list(&result["userErrors"]).iter().map(|error| {
            let path: Vec<String> = list(&error["field"]).iter().map(text).collect();
            format!("{} {}", text(&error["code"]), path.join("."))
        });
        let mut ends: Vec<String> = errors.collect();
        ends.extend(result["task"]["title"].as_str().map(str::to_owned));
        match ends.is_empty() {
            true => "withheld".to_owned(),
            false => ends.join(" "),
        }
    };
    results.iter().map(end).collect()
}

async fn create_tasks(client: &Client, policy: &str, tasks: Vec<Value>) -> Vec<String> {
    let input = json!({ "tasks": tasks, "policy": policy });
    ends(&results(client, "createTasks", input, TASKS).await)
}

async fn update_tasks(client: &Client, policy: &str, tasks: Vec<Value>) -> Vec<String> {
    let input = json!({ "tasks": tasks, "policy": policy });
    ends(&results(client, "updateTasks", input, TASKS).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_creates_and_updates_its_entries_in_their_order() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let courses = [
        ada.create_course("One").await,
        ada.create_course("Two").await,
    ];
    let tasks = (0..100).map(|number| {
        json!({ "title": format!("Task {number}"), "courseId": courses[number % 2], "priority": "HIGH",
                "description": if number % 3 == 0 { json!("words") } else { Value::Null } })
    });
    let input = json!({ "tasks": tasks.collect::<Vec<_>>() });
    let created = results(&ada, "createTasks", input, TASKS).await;
    assert_eq!(created.len(), 100);
    for (number, result) in created.iter().enumerate() {
        assert_eq!(result["task"]["title"], format!("Task {number}"));
        assert_eq!(result["task"]["course"]["id"], courses[number % 2]);
        assert_eq!(result["task"]["version"], 1);
    }
    let described =
        "tasks WHERE description = 'words' AND priority = 2 AND title_folded LIKE 'task %'";
    assert_eq!(app.count(described).await, 34);

    // Each entry changes other fields. The last one is first.
    let changes = created.iter().rev().enumerate().map(|(number, result)| {
        let mut change = json!({ "id": result["task"]["id"], "version": 1 });
        match number % 4 {
            0 => change["title"] = json!("new"),
            1 => change["courseId"] = Value::Null,
            2 => change["completed"] = json!(true),
            _ => change["description"] = Value::Null,
        }
        change
    });
    let input = json!({ "tasks": changes.collect::<Vec<_>>(), "policy": null });
    let selection = "results { task { id title version completed description course { id } } userErrors { code field } }";
    let updated = results(&ada, "updateTasks", input, selection).await;
    for (number, result) in updated.iter().enumerate() {
        let (task, before) = (&result["task"], &created[99 - number]["task"]);
        assert_eq!(result["userErrors"], json!([]), "{number}");
        assert_eq!(task["id"], before["id"]);
        assert_eq!(task["title"] == "new", number % 4 == 0, "{number}");
        assert_eq!(task["course"].is_null(), number % 4 == 1, "{number}");
        assert_eq!(task["completed"] == true, number % 4 == 2, "{number}");
        let described = (99 - number).is_multiple_of(3) && number % 4 != 3;
        assert_eq!(task["description"] == "words", described, "{number}");
        let changes = number % 4 != 3 || (99 - number).is_multiple_of(3);
        assert_eq!(task["version"], if changes { 2 } else { 1 }, "{number}");
    }
    let logged =
        "audit_logs WHERE entity_type = 'Task' AND ip_address IS NOT NULL AND actor_id IS NOT NULL";
    assert_eq!(
        app.count(&format!("{logged} AND action = 'CREATED'")).await,
        100
    );
    let changed = app.count("tasks WHERE version = 2").await;
    assert_eq!(
        app.count(&format!("{logged} AND action = 'UPDATED'")).await,
        changed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_to_a_hundred_entries() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let task = json!({ "title": "t" });
    for (name, field) in [
        ("createTasks", "tasks"),
        ("updateTasks", "tasks"),
        ("createDocuments", "documents"),
        ("updateDocuments", "documents"),
    ] {
        for (number, code) in [(0, "BLANK"), (101, "TOO_LONG")] {
            let entry = match name {
                "createTasks" => task.clone(),
                "createDocuments" => {
                    json!({ "courseId": "7", "title": "t", "originalText": "", "formattedNote": "" })
                }
                _ => json!({ "id": Uuid::now_v7() }),
            };
            let input = json!({ field: vec![entry; number] });
            let payload = ada.try_mutate(name, input, "results { __typename }").await;
            assert_eq!(errors(&payload), [format!("{code} {field}")], "{name}");
            assert_eq!(payload["results"], json!([]), "{name}");
        }
        let anonymous = app.anonymous();
        let code = anonymous.mutation_error(name, json!({ field: [] })).await;
        assert_eq!(code, "UNAUTHENTICATED", "{name}");
    }
    assert_eq!(
        create_tasks(&ada, "ALL_OR_NOTHING", vec![task]).await,
        ["t"]
    );
    assert_eq!(app.count("tasks").await, 1);
}

/// Entries that create tasks; the one at 3 has this error.
fn creates(wrong: &Value) -> Vec<Value> {
    let title = |number: usize| json!({ "title": format!("t{number}") });
    let mut entries: Vec<Value> = (0..5).map(title).collect();
    entries[3] = wrong.clone();
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_entry_prevents_the_others_only_if_the_policy_says_so() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let trashed = ada.create_course("Trashed").await;
    ada.trash(&[&trashed]).await;
    let foreign = eve.create_course("Eve's").await;
    let id = Uuid::now_v7().to_string();
    let used = ada.create_course("Used").await;
    let gone = ada.create_task(None, "gone").await;
    ada.trash(&[&gone]).await;
    ada.delete(&[&gone]).await;
    snapnote::pending::finish(&app.pool).await.unwrap();
    for (wrong, error) in [
        (json!({ "title": "x".repeat(201) }), "TOO_LONG 3.title"),
        (
            json!({ "title": " ", "priority": null }),
            "BLANK 3.title BLANK 3.priority",
        ),
        (json!({ "title": "t", "id": "7" }), "INVALID 3.id"),
        (
            json!({ "title": "t", "courseId": trashed }),
            "IN_TRASH 3.courseId",
        ),
        (
            json!({ "title": "t", "courseId": foreign }),
            "NOT_FOUND 3.courseId",
        ),
        (
            json!({ "title": "t", "courseId": "7" }),
            "NOT_FOUND 3.courseId",
        ),
        (json!({ "title": "t", "id": used }), "TAKEN 3.id"),
        (json!({ "title": "t", "id": gone }), "TAKEN 3.id"),
    ] {
        let before = app.count("tasks").await;
        let all = create_tasks(&ada, "ALL_OR_NOTHING", creates(&wrong)).await;
        assert_eq!(all, ["withheld", "withheld", "withheld", error, "withheld"]);
        assert_eq!(app.count("tasks").await, before, "nothing was created");
        let each = create_tasks(&ada, "EACH", creates(&wrong)).await;
        assert_eq!(each, ["t0", "t1", "t2", error, "t4"]);
        assert_eq!(app.count("tasks").await, before + 4);
    }
    let twice = |title: &str| json!({ "title": title, "id": id });
    let entries = vec![twice("a"), json!({ "title": "b" }), twice("c")];
    let all = create_tasks(&ada, "ALL_OR_NOTHING", entries.clone()).await;
    assert_eq!(all, ["withheld", "withheld", "INVALID 2.id"]);
    let each = create_tasks(&ada, "EACH", entries).await;
    assert_eq!(each, ["a", "b", "INVALID 2.id"]);
    // The other errors of the batch are found too.
    let entries = vec![
        json!({ "title": "" }),
        json!({ "title": "t", "courseId": trashed }),
        json!({ "title": "t" }),
    ];
    let all = create_tasks(&ada, "ALL_OR_NOTHING", entries).await;
    assert_eq!(all, ["BLANK 0.title", "IN_TRASH 1.courseId", "withheld"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_fails_prevents_the_others_only_if_the_policy_says_so() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let course = ada.create_course("Trashed").await;
    let with_course = ada.create_task(Some(&course), "with").await;
    ada.trash(&[&course]).await;
    let alone = ada.create_task(None, "alone").await;
    ada.trash(&[&alone]).await;
    let foreign = eve.create_task(None, "eve's").await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        ids.push(ada.create_task(None, title).await);
    }
    let version = |id: &str| format!("SELECT version FROM tasks WHERE id = '{id}'");
    for (number, (wrong, error)) in [
        (
            json!({ "id": ids[2], "version": 7, "title": "new" }),
            "CONFLICT 2.version c",
        ),
        (json!({ "id": foreign, "title": "new" }), "NOT_FOUND 2.id"),
        (json!({ "id": "7", "title": "new" }), "NOT_FOUND 2.id"),
        (
            json!({ "id": with_course, "title": "new" }),
            "IN_TRASH 2.id",
        ),
        (json!({ "id": alone, "title": "new" }), "IN_TRASH 2.id"),
        (
            json!({ "id": ids[2], "courseId": course }),
            "IN_TRASH 2.courseId",
        ),
        (
            json!({ "id": ids[2], "courseId": Uuid::now_v7() }),
            "NOT_FOUND 2.courseId",
        ),
        (
            json!({ "id": ids[2], "title": "x".repeat(201) }),
            "TOO_LONG 2.title",
        ),
        (
            json!({ "id": ids[2], "completed": null }),
            "BLANK 2.completed",
        ),
        (json!({ "id": ids[0], "title": "again" }), "INVALID 2.id"),
    ]
    .into_iter()
    .enumerate()
    {
        let entries = |title: String| {
            vec![
                json!({ "id": ids[0], "title": title }),
                json!({ "id": ids[1], "description": title }),
                wrong.clone(),
            ]
        };
        let before = app.number(&version(&ids[0])).await;
        let all = update_tasks(&ada, "ALL_OR_NOTHING", entries("unwritten".to_owned())).await;
        assert_eq!(all, ["withheld", "withheld", error]);
        assert_eq!(app.number(&version(&ids[0])).await, before, "{error}");
        let title = format!("each {number}");
        let each = update_tasks(&ada, "EACH", entries(title.clone())).await;
        assert_eq!(each, [&title, "b", error]);
        assert_eq!(app.number(&version(&ids[0])).await, before + 1, "{error}");
        assert_eq!(app.number(&version(&ids[1])).await, before + 1, "{error}");
    }
    assert_eq!(app.number(&version(&ids[2])).await, 1);
    assert_eq!(app.number(&version(&foreign)).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_creates_can_be_repeated() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let entry = |number: usize| json!({ "id": Uuid::from_u128(number as u128), "title": format!("t{number}") });
    let batch: Vec<Value> = (1..=3).map(entry).collect();
    let titles = ["t1", "t2", "t3"];
    assert_eq!(
        create_tasks(&ada, "ALL_OR_NOTHING", batch.clone()).await,
        titles
    );
    // Another user's ids are free.
    assert_eq!(
        create_tasks(&eve, "ALL_OR_NOTHING", batch.clone()).await,
        titles
    );
    let first = Uuid::from_u128(1).to_string();
    ada.update("Task", &first, json!({ "title": "changed" }))
        .await;
    for policy in ["ALL_OR_NOTHING", "EACH"] {
        let mut repeated = batch.clone();
        let number = if policy == "EACH" { 5 } else { 4 };
        repeated.push(entry(number));
        let ends = create_tasks(&ada, policy, repeated).await;
        let new = format!("t{number}");
        assert_eq!(
            ends,
            ["changed", "t2", "t3", &new],
            "existing tasks stay as they are"
        );
    }
    assert_eq!(
        app.count(&format!("tasks WHERE user_id = '{}'", ada.id))
            .await,
        5
    );
    // An entry with an error withholds new items, and existing ones are returned.
    let entries = vec![batch[1].clone(), entry(9), json!({ "title": "" })];
    let ends = create_tasks(&ada, "ALL_OR_NOTHING", entries).await;
    assert_eq!(ends, ["t2", "withheld", "BLANK 2.title"]);
    ada.trash(&[&first]).await;
    ada.delete(&[&first]).await;
    let ends = create_tasks(&ada, "ALL_OR_NOTHING", batch.clone()).await;
    assert_eq!(
        ends,
        ["TAKEN 0.id", "t2", "t3"],
        "deleted items stay deleted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_conflict_the_result_has_the_current_item() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let id = ada.create_task(None, "a").await;
    ada.update("Task", &id, json!({ "title": "theirs" })).await;
    let other = ada.create_task(None, "b").await;
    let tasks =
        json!([{ "id": other, "title": "mine" }, { "id": id, "version": 1, "title": "mine" }]);
    let input = json!({ "tasks": tasks });
    let results = results(&ada, "updateTasks", input, TASKS).await;
    assert_eq!(results[0], json!({ "task": null, "userErrors": [] }));
    assert_eq!(results[1]["task"]["title"], "theirs");
    assert_eq!(results[1]["task"]["version"], 2);
    assert_eq!(codes(&results[1]), ["CONFLICT"]);
}
