//! All writing mutations take locks in one order, so that no two of them wait for each other.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Notebook;
use crate::support::{Numbers, at_least, ids};

const WORKERS: u64 = 8;
const ROUNDS: u64 = 60;

/// A few ids in any order.
fn several<'a>(numbers: &mut Numbers, ids: &[&'a str]) -> Vec<&'a str> {
    (0..1 + numbers.below(4))
        .map(|_| numbers.one_of(ids))
        .collect()
}

/// One of the mutations that write items, and its input. `items` are courses, documents, tasks and tags.
fn mutation(numbers: &mut Numbers, items: [&[&str]; 4]) -> (&'static str, Value) {
    let [course, document, task, tag] = items.map(|ids| numbers.one_of(ids));
    let (tasks, all) = (items[2], items.concat());
    let tagged = several(numbers, &[items[1], tasks].concat());
    let tagged = match numbers.below(2) {
        0 => json!({ "ids": tagged, "add": several(numbers, items[3]) }),
        _ => json!({ "ids": tagged, "remove": several(numbers, items[3]) }),
    };
    // Each tag has names of its own: requests that swap unique names wait for each other, whatever the order of their locks is.
    let label = json!({ "id": tag, "name": format!("{tag} {}", numbers.below(3)) });
    let number = numbers.below(100);
    let new_document =
        json!({ "courseId": course, "title": "zebra", "originalText": "a", "formattedNote": "b" });
    let image = json!({ "documentId": document, "contentType": "image/png", "byteSize": 9 });
    let moved = json!({ "id": task, "courseId": course, "title": "zebra crossing" });
    let note = json!({ "id": document, "formattedNote": format!("tiger {number}") });
    let text = json!({ "id": task, "description": format!("lion {number}") });
    let name = json!({ "id": course, "name": format!("zebra {number}") });
    let new_task = json!({ "courseId": course, "title": "zebra new" });
    let moved_document = json!({ "id": document, "courseId": course });
    let changed =
        |id: &&str| json!({ "id": id, "courseId": course, "title": format!("owl {number}") });
    let changes = |ids: &[&str]| ids.iter().map(changed).collect::<Vec<_>>();
    match numbers.below(17) {
        0 => ("createTask", new_task),
        1 => ("createDocument", new_document),
        2 => ("updateTask", moved),
        3 => ("updateTask", text),
        4 => ("updateDocument", moved_document),
        5 => ("updateDocument", note),
        6 => ("updateCourse", name),
        7 => ("completeTasks", ids(&several(numbers, tasks))),
        8 => ("reopenTasks", ids(&several(numbers, tasks))),
        9 => ("trashItems", ids(&several(numbers, &all))),
        10 => ("requestImageUpload", image),
        11 => {
            let tasks = changes(&several(numbers, tasks));
            ("updateTasks", json!({ "tasks": tasks, "policy": "EACH" }))
        }
        12 => {
            let documents = changes(&several(numbers, items[1]));
            (
                "updateDocuments",
                json!({ "documents": documents, "policy": "EACH" }),
            )
        }
        13 | 14 => ("tagItems", tagged),
        15 => ("updateTag", label),
        _ => (
            "restoreItems",
            ids(&[&several(numbers, &all)[..], &[course]].concat()),
        ),
    }
}

/// Works on the same rows at the same time.
async fn sweep_repeatedly(notebook: &Notebook) {
    let pool = &notebook.app.pool;
    loop {
        snapnote::trash::sweep::sweep(pool, 0).await.unwrap();
        snapnote::pending::finish(pool).await.unwrap();
        at_least(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_mutations_of_the_same_rows_never_deadlock() {
    let notebook = Notebook::new().await;
    let courses = [notebook.course.as_str(), notebook.other.as_str()];
    let documents: Vec<&str> = notebook.documents.iter().map(String::as_str).collect();
    let tasks: Vec<&str> = notebook.tasks.iter().map(String::as_str).collect();
    let tags: Vec<&str> = notebook.tags.iter().map(String::as_str).collect();
    let worker = |seed: u64| {
        let (client, documents, tasks, tags) = (&notebook.ada, &documents, &tasks, &tags);
        async move {
            let mut numbers = Numbers(seed);
            for _ in 0..ROUNDS {
                let (mutation, input) = mutation(&mut numbers, [&courses, documents, tasks, tags]);
                let answer = client.post_mutation(mutation, input, "").await.json();
                let code = &answer["errors"][0]["extensions"]["code"];
                let is_busy = *code == json!("RATE_LIMITED");
                assert!(code.is_null() || is_busy, "{mutation}: {answer}");
            }
        }
    };
    tokio::select! {
        _ = join_all((0..WORKERS).map(worker)) => {}
        () = sweep_repeatedly(&notebook) => {}
    }
    notebook.finish().await;
    for table in ["documents", "tasks"] {
        let wrong = format!(
            "{table} AS item JOIN courses USING (user_id)
             WHERE courses.id = item.course_id AND (item.status = 'active' OR item.trashed_with IS NOT NULL)
                AND item.status <> courses.status"
        );
        assert_eq!(notebook.count(&wrong).await, 0, "{table}");
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks = notebook.app.number(deadlocks).await;
    assert_eq!(deadlocks, 0, "a deadlock was repeated");
    notebook.seen().await;
}
