//! A batch takes few statements, whatever its size, and costs as much as its entries. The numbers of statements do not include those
//! that begin and end the transaction of a batch with tags.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, list};

/// How many statements a batch sends. Its results have this many errors.
async fn sent(app: &TestApp, client: &Client, name: &str, input: Value, errors: usize) -> u64 {
    let before = app.pool.statements();
    let selection = "results { userErrors { code field } }";
    let payload = client.mutate(name, input, selection).await;
    let sent = app.pool.statements() - before;
    let with_errors = list(&payload["results"])
        .iter()
        .filter(|result| result["userErrors"] != json!([]));
    assert_eq!(with_errors.count(), errors, "{name}");
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_hundred_entries_takes_at_most_four_statements() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let ids: Vec<String> = (1..=100)
        .map(|number| uuid::Uuid::from_u128(number).to_string())
        .collect();
    let batch = |field: &str, fields: Value, policy: &str| {
        let entry = |id: &String| {
            let mut entry = fields.clone();
            entry["id"] = json!(id);
            entry
        };
        json!({ field: ids.iter().map(entry).collect::<Vec<_>>(), "policy": policy })
    };
    let document = json!({ "courseId": course, "title": "t", "originalText": "a", "formattedNote": "b", "excerpt": "c" });
    let task = json!({ "courseId": course, "title": "t" });
    let derived = json!({ "excerpt": null });
    let mut tags = Vec::new();
    for name in ["A", "B"] {
        tags.push(ada.create("Tag", json!({ "name": name })).await);
    }
    let tagged_task =
        |number: u128| json!({ "id": uuid::Uuid::from_u128(number), "title": "t", "tagIds": tags });
    let tagged_tasks: Vec<Value> = (201..=300).map(tagged_task).collect();
    let retagged: Vec<Value> = (201..=300)
        .map(|number| json!({ "id": uuid::Uuid::from_u128(number), "version": number % 2, "tagIds": [tags[0]] }))
        .collect();
    let conflict = json!({ "version": 7, "title": "u" });
    for (name, input, errors) in [
        (
            "createDocuments",
            batch("documents", document.clone(), "ALL_OR_NOTHING"),
            0,
        ),
        ("createDocuments", batch("documents", document, "EACH"), 0),
        ("createTasks", batch("tasks", task, "EACH"), 100),
        ("createTasks", json!({ "tasks": tagged_tasks }), 0),
        (
            "updateTasks",
            json!({ "tasks": retagged, "policy": "EACH" }),
            50,
        ),
        (
            "updateDocuments",
            batch("documents", derived, "ALL_OR_NOTHING"),
            0,
        ),
        ("updateDocuments", batch("documents", conflict, "EACH"), 100),
    ] {
        // At most once per second, the revocations are read too. A new set of tags takes one statement more than other changes.
        let most = if name == "updateTasks" { 5 } else { 4 };
        let sent = sent(&app, &ada, name, input, errors).await;
        assert!(sent <= most, "{name}: {sent} statements");
    }
    assert_eq!(app.count("task_tags").await, 50 * 2 + 50);
    assert_eq!(
        app.count("documents WHERE excerpt = 'b' AND version = 2")
            .await,
        100
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_as_much_as_its_entries() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let input = json!({ "tasks": vec![json!({ "title": "t" }); 100] });
    let batches = (0..50).map(|number| {
        format!("b{number}: createTasks(input: $in) {{ results {{ task {{ id }} }} }}")
    });
    let batches: Vec<String> = batches.collect();
    let query = format!(
        "mutation($in: CreateTasksInput!) {{ {} }}",
        batches.join(" ")
    );
    let answer = ada.graphql(&query, json!({ "in": input })).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{answer}");
    assert_eq!(extensions["cost"], 50 * (1 + 100 * 2), "{answer}");
}
