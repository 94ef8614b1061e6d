//! Batches on the same items at the same time.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{create_tasks, update_tasks};
use crate::support::{Person, TestApp, list};

const ROUNDS: u128 = 25;

/// The ids of new tasks, in ascending order.
async fn some_tasks(ada: &Person, course: &str) -> Vec<String> {
    let tasks = vec![json!({ "title": "t", "courseId": course }); 20];
    let selection = "results { task { id } }";
    let payload = ada
        .mutate("createTasks", json!({ "tasks": tasks }), selection)
        .await;
    let id = |result: &Value| result["task"]["id"].as_str().unwrap().to_owned();
    list(&payload["results"]).iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_batches_in_opposite_orders_do_not_deadlock() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let courses = [
        ada.create_course("One").await,
        ada.create_course("Two").await,
    ];
    let ids = some_tasks(&ada, &courses[0]).await;
    for round in 0..ROUNDS {
        let moved = |number: usize, id: &String| json!({ "id": id, "courseId": courses[number % 2], "title": format!("r{round}") });
        let forward: Vec<Value> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| moved(number, id))
            .collect();
        let backward: Vec<Value> = ids
            .iter()
            .rev()
            .enumerate()
            .map(|(number, id)| moved(number, id))
            .collect();
        let new = |number: u128| json!({ "id": Uuid::from_u128(round * 100 + number), "title": format!("n{number}") });
        let (up, down): (Vec<Value>, Vec<Value>) =
            ((1..20).map(new).collect(), (1..20).rev().map(new).collect());
        let updates = join(
            update_tasks(&ada, "ALL_OR_NOTHING", forward),
            update_tasks(&ada, "EACH", backward),
        );
        let creates = join(
            create_tasks(&ada, "ALL_OR_NOTHING", up),
            create_tasks(&ada, "EACH", down),
        );
        let ((one, other), (up, mut down)) = join(updates, creates).await;
        assert!(
            one.iter()
                .chain(&other)
                .all(|end| *end == format!("r{round}")),
            "{one:?} {other:?}"
        );
        down.reverse();
        assert_eq!(up, down, "both return the same items");
    }
    assert_eq!(app.count("tasks").await, 20 + ROUNDS as i64 * 19);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(app.number(deadlocks).await, 0, "a deadlock was repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_a_batch_is_a_conflict_or_is_kept() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("One").await;
    let ids = some_tasks(&ada, &course).await;
    let (mine, theirs) = (&ids[0], &ids[1]);
    for (number, (policy, is_versioned, ends)) in [
        (
            "ALL_OR_NOTHING",
            true,
            ["withheld", "CONFLICT 1.version theirs 0"],
        ),
        ("EACH", true, ["mine", "CONFLICT 1.version theirs 1"]),
        ("ALL_OR_NOTHING", false, ["mine", "theirs 2"]),
        ("EACH", false, ["mine", "theirs 3"]),
    ]
    .into_iter()
    .enumerate()
    {
        let version = format!("SELECT version FROM tasks WHERE id = '{theirs}'");
        let version = is_versioned.then_some(app.number(&version).await);
        let open = app
            .begin(&format!(
                "UPDATE tasks SET title = 'theirs {number}' WHERE id = '{theirs}'"
            ))
            .await;
        let entries = vec![
            json!({ "id": mine, "title": "mine" }),
            json!({ "id": theirs, "version": version, "description": policy }),
        ];
        let commit = async {
            app.eventually_blocked(1).await;
            open.commit().await;
        };
        let (ended, ()) = join(update_tasks(&ada, policy, entries), commit).await;
        assert_eq!(ended, ends, "{policy} {version:?}");
        ada.update("Task", mine, json!({ "title": "t" })).await;
    }
    let described = "tasks WHERE title = 'theirs 3' AND description = 'EACH'";
    assert_eq!(app.count(described).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_created_once_even_by_batches_of_several_kinds() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("One").await;
    for round in 0..ROUNDS {
        let ids: Vec<Uuid> = (1..20)
            .map(|number| Uuid::from_u128(round * 100 + number))
            .collect();
        let document = |id: &Uuid| json!({ "id": id, "courseId": course, "title": "d", "originalText": "", "formattedNote": "" });
        let documents: Vec<Value> = ids.iter().rev().map(document).collect();
        let tasks: Vec<Value> = ids
            .iter()
            .map(|id| json!({ "id": id, "title": "t" }))
            .collect();
        let selection = "results { userErrors { code field } }";
        let batches = [
            ("createDocuments", json!({ "documents": documents })),
            ("createTasks", json!({ "tasks": tasks })),
        ];
        let payloads =
            join_all(batches.map(async |(name, input)| ada.mutate(name, input, selection).await));
        let payloads = payloads.await;
        let taken = payloads.iter().map(|payload| {
            let results = list(&payload["results"]).iter();
            results
                .filter(|result| result["userErrors"][0]["code"] == "TAKEN")
                .count()
        });
        let mut taken: Vec<usize> = taken.collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 19], "one batch wins");
    }
    let once = "SELECT count(*) FROM tasks FULL JOIN documents USING (user_id, id)";
    assert_eq!(app.number(once).await, ROUNDS as i64 * 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_keeps_changing_does_not_hide_the_outcomes_of_the_others() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let (first, busy) = (
        ada.create_task(None, "first").await,
        ada.create_task(None, "busy").await,
    );
    // As if another request changed the task during every attempt.
    app.sql(
        "CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER tasks_skip BEFORE UPDATE ON tasks FOR EACH ROW WHEN (OLD.title = 'busy') EXECUTE FUNCTION skip_row()",
    )
    .await;
    let entries = vec![
        json!({ "id": first, "title": "new" }),
        json!({ "id": busy, "title": "new" }),
    ];
    let each = update_tasks(&ada, "EACH", entries.clone()).await;
    assert_eq!(each, ["new", "CONFLICT 1.version busy"]);
    let input = json!({ "tasks": entries });
    assert_eq!(
        ada.mutation_error("updateTasks", input).await,
        "UNAVAILABLE"
    );
}
