//! Items are found by their current texts, whichever way they were changed.

use futures_util::future::join_all;
use serde_json::json;

use super::titles;
use crate::support::{Client, TestApp};

/// The titles of what a query finds in a course.
async fn found_in(client: &Client, query: &str, course: &str) -> Vec<String> {
    titles(
        &client
            .search(json!({ "query": query, "courseId": course }))
            .await,
    )
}

/// A course with a document and a task, all of which speak of zebras.
async fn zebras(client: &Client) -> (String, String, String) {
    let course = client.course("Savanna", "Zebras and the like").await;
    let document = client
        .document(&course, "Stripes", "Of a **zebra**", "")
        .await;
    let task = client.task(&course, "Homework", "Draw a zebra").await;
    (course, document, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn new_items_are_found_by_each_of_their_texts() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Savanna", "grassland").await;
    ada.document(&course, "Stripes", "*camouflage*", "recognised")
        .await;
    ada.task(&course, "Homework", "painting").await;
    for (query, expected) in [
        ("savanna", "Savanna"),
        ("grassland", "Savanna"),
        ("stripes", "Stripes"),
        ("camouflage", "Stripes"),
        ("recognised", "Stripes"),
        ("homework", "Homework"),
        ("painting", "Homework"),
    ] {
        assert_eq!(ada.found(query).await, [expected], "{query}");
    }
    for (kind, expected) in [
        ("COURSE", "Savanna"),
        ("DOCUMENT", "Stripes"),
        ("TASK", "Homework"),
    ] {
        let any = "grassland OR camouflage OR painting";
        let page = ada.search(json!({ "query": any, "types": [kind] })).await;
        assert_eq!(titles(&page), [expected]);
    }
    let none = ada.search(json!({ "query": "savanna", "types": [] })).await;
    assert_eq!(titles(&none), [""; 0], "no type finds nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_items_are_found_by_their_new_words_only() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let (course, document, task) = zebras(&ada).await;
    for (kind, id, field) in [
        ("Course", &course, "description"),
        ("Document", &document, "formattedNote"),
        ("Task", &task, "description"),
    ] {
        let before = ada.found("zebra").await.len();
        let text = format!("an okapi of the {kind}");
        ada.update(kind, id, json!({ field: text })).await;
        assert_eq!(ada.found("zebra").await.len(), before - 1, "{kind}");
        assert_eq!(ada.found(&format!("okapi {kind}")).await.len(), 1);
    }
    assert_eq!(ada.found("zebra").await, [""; 0]);
    let titled = json!({ "title": "Kudu", "originalText": "gnu" });
    ada.update("Document", &document, titled).await;
    assert_eq!(ada.found("stripes").await, [""; 0]);
    assert_eq!(ada.found("kudu gnu okapi").await, ["Kudu"]);
    let cleared = json!({ "description": null });
    ada.update("Course", &course, cleared).await;
    assert_eq!(ada.found_sorted("okapi").await, ["Homework", "Kudu"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn trashed_items_are_not_found_until_restored() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let (course, document, task) = zebras(&ada).await;
    let all = ["Homework", "Savanna", "Stripes"];
    assert_eq!(ada.found_sorted("zebra").await, all);
    ada.trash(&[&document]).await;
    assert_eq!(ada.found_sorted("zebra").await, ["Homework", "Savanna"]);
    for like in ["zebr", "ebra", "zebar", "\"of a zebra\"", "stripes"] {
        let found = ada.found(like).await;
        assert!(!found.contains(&"Stripes".to_owned()), "{like}: {found:?}");
    }
    ada.restore(&[&document]).await;
    assert_eq!(ada.found_sorted("zebra").await, all);

    ada.trash(&[&course]).await;
    assert_eq!(ada.found("zebra").await, [""; 0], "with its contents");
    ada.restore(&[&course]).await;
    assert_eq!(ada.found_sorted("zebra").await, all, "with its contents");

    ada.trash(&[&task, &document]).await;
    ada.delete(&[&task]).await;
    assert_eq!(ada.found("zebra").await, ["Savanna"]);
    ada.trash(&[&course]).await;
    ada.delete(&[&course]).await;
    assert_eq!(ada.found("zebra").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moved_items_are_found_in_their_new_course() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let (savanna, document, task) = zebras(&ada).await;
    let zoo = ada.course("Zoo", "").await;
    let found = found_in(&ada, "zebra", &savanna).await.len();
    assert_eq!(found, 2, "the course itself is in no course");
    assert_eq!(found_in(&ada, "zebra", &zoo).await, [""; 0]);
    ada.update("Document", &document, json!({ "courseId": zoo }))
        .await;
    assert_eq!(found_in(&ada, "zebra", &zoo).await, ["Stripes"]);
    assert_eq!(found_in(&ada, "zebra", &savanna).await, ["Homework"]);
    ada.update("Task", &task, json!({ "courseId": null })).await;
    assert_eq!(found_in(&ada, "zebra", &savanna).await, [""; 0]);
    let all = ["Homework", "Savanna", "Stripes"];
    assert_eq!(ada.found_sorted("zebra").await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_written_by_sql_are_found() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Savanna' FROM users;
         INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
         SELECT user_id, md5('zebra ' || n)::uuid, id, 'Stripes ' || n, 'A zebra', '', '' FROM courses, generate_series(1, 3) AS n;
         INSERT INTO tasks (user_id, id, title, description) SELECT id, md5('task')::uuid, 'Homework', 'Draw a zebra' FROM users",
    )
    .await;
    let all = ["Homework", "Stripes 1", "Stripes 2", "Stripes 3"];
    assert_eq!(ada.found_sorted("zebra").await, all);
    app.sql(
        "UPDATE documents SET formatted_note = 'An okapi' WHERE title = 'Stripes 1';
         UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Stripes 2';
         DELETE FROM tasks",
    )
    .await;
    assert_eq!(ada.found("zebra").await, ["Stripes 3"]);
    assert_eq!(ada.found("okapi").await, ["Stripes 1"]);
    app.sql("DELETE FROM documents; UPDATE courses SET name = 'Zebra'")
        .await;
    assert_eq!(ada.found("zebra").await, ["Zebra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_during_writes_succeed_and_end_up_correct() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.course("Savanna", "").await;
    let writers = (0..6).map(|number| {
        let (ada, course) = (&ada, &course);
        async move {
            let title = format!("Zebra {number}");
            let id = ada
                .document(course, &title, "common words of all", "")
                .await;
            for round in 0..6 {
                let text = format!("common words, round{round} number{number}");
                ada.set_note(&id, &text).await;
                ada.found("comon wrods zebra").await;
            }
            ada.trash(&[&id]).await;
            ada.restore(&[&id]).await;
        }
    });
    join_all(writers).await;
    assert_eq!(ada.found("zebra round5 common").await.len(), 6);
    assert_eq!(ada.found("\"round4\"").await, [""; 0]);
    assert_eq!(ada.found("\"number3\"").await, ["Zebra 3"]);
}
