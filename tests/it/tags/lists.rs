//! The lists and numbers of the items that have a tag, and what they cost.

use serde_json::{Value, json};

use super::Tagged;
use crate::support::{TestApp, asked_alone, list, read_of, statements_of, texts};

/// More often than PostgreSQL plans a statement for its values.
const TIMES: i64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_lists_and_counts_its_items() {
    let Tagged {
        app: _app,
        ada,
        course,
        document,
        task,
        ..
    } = Tagged::new().await;
    let (exam, empty) = (ada.create_tag("Exam").await, ada.create_tag("Empty").await);
    let second = ada.create_document(&course, "").await;
    let done = ada.create_task(Some(&course), "Done").await;
    ada.update("Task", &done, json!({ "completed": true }))
        .await;
    ada.create_task(None, "Untagged").await;
    ada.tag(&[&document, &second, &task, &done], &[&exam], &[])
        .await;
    let fields = "name documentCount openTaskCount
        documents(first: 1, orderBy: { field: CREATED_AT, direction: ASC }) { totalCount nodes { id } pageInfo { hasNextPage } }
        tasks(filter: { completed: true }) { totalCount nodes { id } }";
    let expected = |documents: i64| {
        json!({
            "name": "Exam", "documentCount": documents, "openTaskCount": 1,
            "documents": {
                "totalCount": documents, "nodes": [{ "id": document }], "pageInfo": { "hasNextPage": documents > 1 }
            },
            "tasks": { "totalCount": 1, "nodes": [{ "id": done }] },
        })
    };
    // By lookahead, and by the loaders.
    let query = format!(
        "query($exam: ID!, $empty: ID!) {{ tags(orderBy: {{ field: NAME, direction: ASC }}) {{ nodes {{ {fields} }} }}
            tag(id: $exam) {{ {fields} }} empty: tag(id: $empty) {{ documentCount documents {{ totalCount nodes {{ id }} }} }} }}"
    );
    let data = ada
        .data(&query, json!({ "exam": exam, "empty": empty }))
        .await;
    assert_eq!(data["tags"]["nodes"][1], expected(2));
    assert_eq!(data["tags"]["nodes"][0]["documentCount"], 0);
    assert_eq!(data["tag"], expected(2));
    assert_eq!(
        data["empty"],
        json!({ "documentCount": 0, "documents": { "totalCount": 0, "nodes": [] } })
    );
    ada.trash(&[&second]).await;
    let data = ada
        .data(&query, json!({ "exam": exam, "empty": empty }))
        .await;
    assert_eq!(data["tag"], expected(1));
    assert_eq!(data["tags"]["nodes"][1], expected(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_in_the_trash_still_lists_and_counts_its_items_but_filters_find_none() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    ada.tag(&[&document, &task], &[&exam], &[]).await;
    ada.trash(&[&exam]).await;
    let query = "query($exam: ID!) {
        tag(id: $exam) { documentCount openTaskCount documents { nodes { id tags { id } } } tasks { totalCount } }
        tags(filter: { status: TRASH }) { nodes { documentCount openTaskCount } }
        documents(filter: { tagIds: [$exam] }) { totalCount }
        tasks(filter: { tagIds: [$exam] }) { totalCount } }";
    let data = ada.data(query, json!({ "exam": exam })).await;
    let expected = json!({
        "tag": {
            "documentCount": 1, "openTaskCount": 1,
            "documents": { "nodes": [{ "id": document, "tags": [] }] },
            "tasks": { "totalCount": 1 },
        },
        "tags": { "nodes": [{ "documentCount": 1, "openTaskCount": 1 }] },
        "documents": { "totalCount": 0 },
        "tasks": { "totalCount": 0 },
    });
    assert_eq!(data, expected);
}

/// A user with ten courses, with a document and a task each, which have two tags.
async fn with_tagged_items() -> (TestApp, crate::support::Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let tags = [ada.create_tag("One").await, ada.create_tag("Two").await];
    let tags = tags.each_ref().map(String::as_str);
    for number in 0..10 {
        let course = ada.create_course(&format!("Course {number}")).await;
        let document = ada.create_document(&course, "").await;
        let task = ada.create_task(Some(&course), "Read").await;
        ada.tag(&[&document, &task], &tags, &[]).await;
    }
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tags_of_all_items_of_a_list_take_one_statement() {
    let (app, ada) = with_tagged_items().await;
    let app = app.unverified().await;
    let ada = ada.at(&app);
    // The statements without `tags`; and, once per second, the revocations.
    for (query, path, others) in [
        (
            "{ documents { nodes { tags { name } } } }",
            "/documents/nodes",
            1,
        ),
        ("{ tasks { nodes { tags { name } } } }", "/tasks/nodes", 1),
        (
            "{ courses(first: 10) { nodes { documents(first: 10) { nodes { tags { name } } } } } }",
            "/courses/nodes/0/documents/nodes",
            2,
        ),
        (
            "{ tags(first: 2) { nodes { documentCount documents(first: 10) { nodes { tags { name } } } } } }",
            "/tags/nodes/0/documents/nodes",
            2,
        ),
    ] {
        let data = ada.query(query).await;
        for item in list(data.pointer(path).unwrap()) {
            assert_eq!(texts(&item["tags"], "name"), ["One", "Two"]);
        }
        let sent = statements_of(&app, &ada, query).await;
        assert_eq!(sent, others + 1, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_without_selected_tags_take_no_statement_for_them() {
    let (app, ada) = with_tagged_items().await;
    let app = app.unverified().await;
    let ada = ada.at(&app);
    let query = "{ documents { nodes { title } } }";
    let data: Value = ada.query(query).await;
    assert_eq!(list(&data["documents"]["nodes"]).len(), 10);
    assert_eq!(statements_of(&app, &ada, query).await, 1);
}

/// What PostgreSQL reads depends on the number of items that have the tag, not on the number of the owner's items. With fewer than
/// about 6,000 items, it may read them all in the order of the list, which takes 2 ms.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_items_of_a_tag_are_read() {
    let Tagged { app, ada, task, .. } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    ada.tag(&[&task], &[&exam], &[]).await;
    app.sql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO tasks (user_id, id, title, title_folded)
         SELECT '{}', gen_random_uuid(), 'Other', 'other' FROM generate_series(1, 20000)",
        ada.id
    ))
    .await;
    app.sql("VACUUM ANALYZE").await;
    let nested = "{ tags(first: 10) { nodes { openTaskCount tasks(first: 10) { totalCount nodes { id } } } } }";
    let filtered = format!(
        "{{ tasks(first: 10, filter: {{ tagIds: [\"{exam}\"] }}) {{ totalCount nodes {{ id }} }} }}"
    );
    asked_alone(&app, &ada, async |client| {
        for _ in 0..TIMES {
            let found = json!({ "totalCount": 1, "nodes": [{ "id": task }] });
            let tag = client.query(nested).await["tags"]["nodes"][0].take();
            assert_eq!(tag, json!({ "openTaskCount": 1, "tasks": found }));
            assert_eq!(client.query(&filtered).await["tasks"], found);
        }
    })
    .await;
    let read = read_of(&app, "tasks").await;
    // The number, the total and the page of the tag, and the total and the page of the filter.
    let read_is_small = read.whole == 0 && read.entries <= TIMES * 5 * 2;
    assert!(read_is_small, "{read:?}");
}
