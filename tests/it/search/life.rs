//! What an item's life does to the search: whatever is done to it, and whoever does it, it is found by what it says now.

use serde_json::{Value, json};

use super::{
    DELETE, RESTORE, TRASH, course, did, document, found, found_sorted, search, task, titles,
    update,
};
use crate::support::{Client, TestApp};

/// The titles of what a query finds in a course.
async fn found_in(client: &Client, query: &str, course: &Value) -> Vec<String> {
    titles(&search(client, json!({ "query": query, "courseId": course })).await)
}

/// A course with a document and a task, all of which speak of zebras.
async fn zebras(client: &Client) -> (Value, Value, Value) {
    let course = course(client, "Savanna", "Zebras and the like").await;
    let document = document(client, &course, "Stripes", "Of a **zebra**", "").await;
    let task = task(client, &course, "Homework", "Draw a zebra").await;
    (course, document, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_made_is_found_by_each_of_its_texts() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Savanna", "grassland").await;
    document(&ada, &course, "Stripes", "*camouflage*", "recognised").await;
    task(&ada, &course, "Homework", "painting").await;
    for (query, expected) in [
        ("savanna", "Savanna"),
        ("grassland", "Savanna"),
        ("stripes", "Stripes"),
        ("camouflage", "Stripes"),
        ("recognised", "Stripes"),
        ("homework", "Homework"),
        ("painting", "Homework"),
    ] {
        assert_eq!(found(&ada, query).await, [expected], "{query}");
    }
    for (kind, expected) in [
        ("COURSE", "Savanna"),
        ("DOCUMENT", "Stripes"),
        ("TASK", "Homework"),
    ] {
        let any = "grassland OR camouflage OR painting";
        let page = search(&ada, json!({ "query": any, "types": [kind] })).await;
        assert_eq!(titles(&page), [expected]);
    }
    let none = search(&ada, json!({ "query": "savanna", "types": [] })).await;
    assert_eq!(titles(&none), [""; 0], "of no type is nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_is_found_by_its_new_words_and_not_by_its_old() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let (course, document, task) = zebras(&ada).await;
    for (kind, id, field) in [
        ("Course", &course, "description"),
        ("Document", &document, "formattedNote"),
        ("Task", &task, "description"),
    ] {
        let before = found(&ada, "zebra").await.len();
        let text = format!("an okapi of the {kind}");
        update(&ada, kind, json!({ "id": id, field: text })).await;
        assert_eq!(found(&ada, "zebra").await.len(), before - 1, "{kind}");
        assert_eq!(found(&ada, &format!("okapi {kind}")).await.len(), 1);
    }
    assert_eq!(found(&ada, "zebra").await, [""; 0]);
    let titled = json!({ "id": document, "title": "Kudu", "originalText": "gnu" });
    update(&ada, "Document", titled).await;
    assert_eq!(found(&ada, "stripes").await, [""; 0]);
    assert_eq!(found(&ada, "kudu gnu okapi").await, ["Kudu"]);
    let cleared = json!({ "id": course, "description": null });
    update(&ada, "Course", cleared).await;
    assert_eq!(found_sorted(&ada, "okapi").await, ["Homework", "Kudu"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_trash_is_not_found_until_it_is_restored() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let (course, document, task) = zebras(&ada).await;
    let all = ["Homework", "Savanna", "Stripes"];
    assert_eq!(found_sorted(&ada, "zebra").await, all);
    did(&ada, TRASH, json!({ "ids": [document] })).await;
    assert_eq!(found_sorted(&ada, "zebra").await, ["Homework", "Savanna"]);
    for like in ["zebr", "ebra", "zebar", "\"of a zebra\"", "stripes"] {
        let found = found(&ada, like).await;
        assert!(!found.contains(&"Stripes".to_owned()), "{like}: {found:?}");
    }
    did(&ada, RESTORE, json!({ "ids": [document] })).await;
    assert_eq!(found_sorted(&ada, "zebra").await, all);

    did(&ada, TRASH, json!({ "ids": [course] })).await;
    assert_eq!(found(&ada, "zebra").await, [""; 0], "it takes all along");
    did(&ada, RESTORE, json!({ "ids": [course] })).await;
    assert_eq!(found_sorted(&ada, "zebra").await, all, "and brings it back");

    did(&ada, TRASH, json!({ "ids": [task, document] })).await;
    did(&ada, DELETE, json!({ "ids": [task] })).await;
    assert_eq!(found(&ada, "zebra").await, ["Savanna"]);
    did(&ada, TRASH, json!({ "ids": [course] })).await;
    did(&ada, DELETE, json!({ "ids": [course] })).await;
    assert_eq!(found(&ada, "zebra").await, [""; 0]);
    let left = "SELECT count(*) FROM search_entries";
    assert_eq!(app.number(left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_found_in_the_course_where_it_is_now() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let (savanna, document, task) = zebras(&ada).await;
    let zoo = course(&ada, "Zoo", "").await;
    assert_eq!(
        found_in(&ada, "zebra", &savanna).await.len(),
        2,
        "the course itself stands in none"
    );
    assert_eq!(found_in(&ada, "zebra", &zoo).await, [""; 0]);
    update(&ada, "Document", json!({ "id": document, "courseId": zoo })).await;
    assert_eq!(found_in(&ada, "zebra", &zoo).await, ["Stripes"]);
    assert_eq!(found_in(&ada, "zebra", &savanna).await, ["Homework"]);
    update(&ada, "Task", json!({ "id": task, "courseId": null })).await;
    assert_eq!(found_in(&ada, "zebra", &savanna).await, [""; 0]);
    let all = ["Homework", "Savanna", "Stripes"];
    assert_eq!(found_sorted(&ada, "zebra").await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_plain_sql_writes_is_searched_like_anything_else() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    app.sql(
        "INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Savanna' FROM users;
         INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
         SELECT user_id, md5('zebra ' || n)::uuid, id, 'Stripes ' || n, 'A zebra', '', '' FROM courses, generate_series(1, 3) AS n;
         INSERT INTO tasks (user_id, id, title, description) SELECT id, md5('task')::uuid, 'Homework', 'Draw a zebra' FROM users",
    )
    .await;
    let all = ["Homework", "Stripes 1", "Stripes 2", "Stripes 3"];
    assert_eq!(found_sorted(&ada, "zebra").await, all);
    app.sql(
        "UPDATE documents SET formatted_note = 'An okapi' WHERE title = 'Stripes 1';
         UPDATE documents SET status = 'trash', deleted_at = now() WHERE title = 'Stripes 2';
         DELETE FROM tasks",
    )
    .await;
    assert_eq!(found(&ada, "zebra").await, ["Stripes 3"]);
    assert_eq!(found(&ada, "okapi").await, ["Stripes 1"]);
    app.sql("DELETE FROM documents; UPDATE courses SET name = 'Zebra'")
        .await;
    assert_eq!(found(&ada, "zebra").await, ["Zebra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_beside_writers_never_fails_and_ends_up_right() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Savanna", "").await;
    let writers = (0..6).map(|number| {
        let (ada, course) = (&ada, &course);
        async move {
            let title = format!("Zebra {number}");
            let id = document(ada, course, &title, "common words of all", "").await;
            for round in 0..6 {
                let text = format!("common words, round{round} number{number}");
                update(ada, "Document", json!({ "id": id, "formattedNote": text })).await;
                found(ada, "comon wrods zebra").await;
            }
            did(ada, TRASH, json!({ "ids": [id] })).await;
            did(ada, RESTORE, json!({ "ids": [id] })).await;
        }
    });
    futures_util::future::join_all(writers).await;
    assert_eq!(found(&ada, "zebra round5 common").await.len(), 6);
    assert_eq!(found(&ada, "\"round4\"").await, [""; 0]);
    assert_eq!(found(&ada, "\"number3\"").await, ["Zebra 3"]);
}
