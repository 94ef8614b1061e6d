//! Filters: every field of every filter changes what a list contains, and filters combine. Fields come from the schema, so a new
//! field fails until it has a value here and a condition in its noun's `store`.
//!
//! `random` compares random filters with their meaning, and `plans` tests what PostgreSQL reads for them.

mod plans;
mod random;

use serde_json::{Value, json};

use crate::support::{Person, TestApp, texts};

/// Prepared items: one of the two active courses, and an item of each kind.
struct Prepared {
    course: String,
    /// A tag of a document and a task.
    tag: String,
    ids: Vec<String>,
}

/// A list, the type of its filter, and for each field a value that keeps some of the prepared items, not all.
fn lists(Prepared { course, tag, ids }: &Prepared) -> [(&'static str, &'static str, Value); 4] {
    let tomorrow = "2026-01-02T00:00:00Z";
    let with_fields_of_all = |part: Value, mut values: Value| {
        let shared = json!({
            "status": "TRASH", "ids": ids, "createdAfter": tomorrow, "createdBefore": tomorrow, "updatedAfter": tomorrow,
            "updatedBefore": tomorrow, "and": [{}, part], "or": [{ "ids": [] }, part], "not": part,
        });
        let shared = shared.as_object().unwrap().clone();
        values.as_object_mut().unwrap().extend(shared);
        values
    };
    [
        (
            "courses",
            "CourseFilter",
            with_fields_of_all(
                json!({ "nameContains": "lin" }),
                json!({ "nameContains": "lin" }),
            ),
        ),
        (
            "tags",
            "TagFilter",
            with_fields_of_all(
                json!({ "nameContains": "ex" }),
                json!({ "nameContains": "ex" }),
            ),
        ),
        (
            "documents",
            "DocumentFilter",
            with_fields_of_all(
                json!({ "titleContains": "one" }),
                json!({
                    "courseId": course, "courseIds": [course], "titleContains": "one", "metadataContains": { "page": 1 },
                    "hasImage": true, "tagIds": [tag],
                }),
            ),
        ),
        (
            "tasks",
            "TaskFilter",
            with_fields_of_all(
                json!({ "titleContains": "one" }),
                json!({
                    "completed": true, "completedAfter": tomorrow, "completedBefore": "9999-01-01T00:00:00Z",
                    "courseId": course, "courseIds": [course], "priority": ["HIGH"], "titleContains": "one",
                    "hasCourse": false, "hasDueDate": true, "dueAfter": tomorrow, "dueBefore": tomorrow,
                    "tagIds": [tag],
                }),
            ),
        ),
    ]
}

/// Items that differ in everything that a filter can ask for.
async fn prepare(app: &TestApp, ada: &Person) -> Prepared {
    let mut ids = Vec::new();
    let tag = ada.create("Tag", json!({ "name": "Exam" })).await;
    let linear = ada.create_course("Linear algebra").await;
    let other = ada.create_course("Mechanics").await;
    let trashed = ada.create_course("Optics").await;
    for (course, title) in [(&linear, "one"), (&other, "two"), (&other, "three")] {
        let metadata = json!({ "page": if title == "one" { 1 } else { 2 } });
        let document = json!({
            "courseId": course, "title": title, "originalText": "", "formattedNote": "", "metadata": metadata,
        });
        let document = ada.create("Document", document).await;
        let due = (title != "three").then_some(if title == "one" {
            "2026-01-01T00:00:00Z"
        } else {
            "2026-01-03T00:00:00Z"
        });
        let task = json!({
            "courseId": (title != "two").then_some(course), "title": title, "dueAt": due,
            "priority": if title == "one" { "HIGH" } else { "LOW" },
        });
        let task = ada.create("Task", task).await;
        if title == "one" {
            app.sql(&format!(
                "INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height)
                 VALUES ('{user}', '{document}', '{document}', 'image', 'stored', 'image/png', 1, 1, 1);
                 UPDATE documents SET image_id = id WHERE id = '{document}'",
                user = ada.id
            ))
            .await;
            ada.update("Task", &task, json!({ "completed": true }))
                .await;
            let tagged = json!({ "ids": [document, task], "add": [tag] });
            ada.mutate("tagItems", tagged, "").await;
            ids = vec![linear.clone(), document.clone(), task.clone(), tag.clone()];
        }
        if title == "three" {
            ada.trash(&[&document, &task]).await;
        }
    }
    ada.create("Tag", json!({ "name": "Lecture" })).await;
    let old_tag = ada.create("Tag", json!({ "name": "Old" })).await;
    ada.trash(&[&trashed, &old_tag]).await;
    let old = |table| {
        format!(
            "UPDATE {table} SET created_at = '2026-01-01', updated_at = '2026-01-01' WHERE id IN ('{}');",
            ids.join("', '")
        )
    };
    let old = ["courses", "documents", "tasks", "tags"].map(old).concat();
    // Without triggers, which would set `updated_at`.
    app.sql(&format!("SET session_replication_role = replica; {old}"))
        .await;
    Prepared {
        course: linear,
        tag,
        ids,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_filter_changes_the_list() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let prepared = prepare(&app, &ada).await;
    for (list, filter, values) in lists(&prepared) {
        let query = format!("{{ __type(name: \"{filter}\") {{ inputFields {{ name }} }} }}");
        let fields = ada.query(&query).await["__type"]["inputFields"].clone();
        for field in fields.as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            let value = &values[name];
            let has_value = !value.is_null();
            assert!(has_value, "{filter}.{name} has no value in this test");
            let query = format!(
                "query($filter: {filter}) {{ {list}(filter: $filter) {{ totalCount nodes {{ id }} }} }}"
            );
            let all = ada
                .data(&query, json!({ "filter": { "status": null } }))
                .await;
            let mut filter = json!({ "status": null });
            filter[name] = value.clone();
            let some = ada.data(&query, json!({ "filter": filter })).await;
            let count = |data: &Value| data[list]["totalCount"].as_i64().unwrap();
            assert!(count(&some) > 0, "{list} with {filter} is empty");
            assert!(count(&some) < count(&all), "{list} ignores {filter}");
            let nodes = some[list]["nodes"].as_array().unwrap().len();
            assert_eq!(i64::try_from(nodes).unwrap(), count(&some));
        }
    }
}

/// The titles of the tasks that match a filter, sorted.
async fn tasks(client: &Person, filter: &Value) -> Vec<String> {
    let query =
        "query($filter: TaskFilter) { tasks(filter: $filter) { totalCount nodes { title } } }";
    let data = client.data(query, json!({ "filter": filter })).await;
    let mut titles = texts(&data["tasks"]["nodes"], "title");
    assert_eq!(data["tasks"]["totalCount"], titles.len());
    titles.sort();
    titles
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_combine_with_and_or_and_not() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    ada.create_task(Some(&course), "algebra").await;
    let due = json!({ "title": "due", "dueAt": "2026-01-02T00:00:00Z", "priority": "HIGH" });
    ada.create("Task", due).await;
    ada.create_task(None, "plain").await;
    let trashed = ada.create_task(None, "trashed").await;
    ada.trash(&[trashed]).await;
    let (active, all) = (
        ["algebra", "due", "plain"],
        ["algebra", "due", "plain", "trashed"],
    );
    let january = json!({ "dueAfter": "2026-01-01T00:00:00Z" });
    let cases: [(Value, &[&str]); 17] = [
        (json!({}), &active),
        (json!({ "and": [] }), &active),
        (json!({ "or": [] }), &[]),
        (json!({ "and": null, "or": null, "not": null }), &active),
        (json!({ "or": [{}] }), &active),
        (json!({ "not": {} }), &[]),
        (json!({ "not": { "or": [] } }), &active),
        // A single filter is coerced to a list.
        (json!({ "or": january }), &["due"]),
        (
            json!({ "or": [january, { "courseId": course }] }),
            &["algebra", "due"],
        ),
        (json!({ "and": [january, { "courseId": course }] }), &[]),
        // Tasks without a due date are not due after a time.
        (json!({ "not": january }), &["algebra", "plain"]),
        (json!({ "not": { "courseId": null } }), &["algebra"]),
        (
            json!({ "hasCourse": false, "not": { "priority": ["HIGH"] } }),
            &["plain"],
        ),
        // The status is `ACTIVE` at the top level only.
        (json!({ "or": [{ "status": "TRASH" }, january] }), &["due"]),
        (
            json!({ "status": null, "or": [{ "status": "TRASH" }, january] }),
            &["due", "trashed"],
        ),
        (
            json!({ "status": null, "and": [{ "hasCourse": false }] }),
            &["due", "plain", "trashed"],
        ),
        (
            json!({ "status": null, "not": { "titleContains": "x" } }),
            &all,
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(tasks(&ada, &filter).await, expected, "{filter}");
    }
    let nested = "{ courses { nodes { tasks(filter: { or: [{ titleContains: \"ALG\" }, { titleContains: \"due\" }] }) { nodes { title } } } } }";
    let data = ada.query(nested).await;
    assert_eq!(
        texts(&data["courses"]["nodes"][0]["tasks"]["nodes"], "title"),
        ["algebra"]
    );
}

/// A filter with this many conditions.
fn conditions(number: usize) -> Value {
    json!({ "or": vec![json!({ "hasCourse": true }); number] })
}

/// A filter in this many combinations.
fn levels(number: usize) -> Value {
    let nest = |filter, level| match level % 3 {
        0 => json!({ "and": [filter] }),
        1 => json!({ "or": [{}, filter] }),
        _ => json!({ "not": filter }),
    };
    (0..number).rev().fold(json!({ "completed": true }), nest)
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_beyond_the_limits_are_rejected_with_their_path() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    ada.create_course("Algebra").await;
    let ids = |number: usize| (0..number).map(|n| format!("x{n}")).collect::<Vec<_>>();
    for filter in [
        conditions(20),
        levels(3),
        json!({ "ids": ids(100) }),
        json!({ "courseIds": ids(100) }),
        json!({ "ids": vec!["x"; 200] }),
    ] {
        tasks(&ada, &filter).await;
    }
    for (filter, message) in [
        (conditions(21), "`filter` has more than 20 conditions."),
        (
            json!({ "or": vec![json!({}); 21] }),
            "`filter` has more than 20 conditions.",
        ),
        (
            json!({ "hasCourse": true, "not": conditions(20) }),
            "`filter` has more than 20 conditions.",
        ),
        (
            levels(4),
            "`filter.and[0].or[1].not.and[0]` is nested 4 levels deep",
        ),
        (
            json!({ "ids": ids(101) }),
            "`filter.ids` must contain at most 100 different ids; got 101.",
        ),
        (
            json!({ "or": [{}, { "not": { "courseIds": ids(101) } }] }),
            "`filter.or[1].not.courseIds` must contain at most 100 different ids",
        ),
        (
            json!({ "and": [{ "titleContains": "\0" }] }),
            "`filter.and[0].titleContains` must not contain the character U+0000.",
        ),
    ] {
        for query in [
            "query($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }",
            "query($filter: TaskFilter) { courses { nodes { tasks(filter: $filter) { totalCount } } } }",
        ] {
            let answer = ada.graphql(query, json!({ "filter": filter })).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{filter}");
            assert!(
                error["message"].as_str().unwrap().starts_with(message),
                "{answer}"
            );
        }
    }
    let nested = "{ documents(filter: { or: [{ courseId: null }] }) { totalCount } }";
    let answer = ada.graphql(nested, json!({})).await;
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("`filter.or[0].courseId` must not be null"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_do_not_find_items_of_others() {
    let (_app, ada, bob) = TestApp::start().await.with_users("ada", "bob").await;
    let course = ada.create_course("Algebra").await;
    let task = ada.create_task(Some(&course), "hers").await;
    bob.create_task(None, "his").await;
    for filter in [
        json!({ "ids": [task] }),
        json!({ "courseIds": [course] }),
        json!({ "or": [{ "ids": [task] }, { "courseIds": [course] }, { "courseId": course }, { "titleContains": "hers" }] }),
    ] {
        assert_eq!(tasks(&bob, &filter).await, [""; 0], "{filter}");
        assert_eq!(tasks(&ada, &filter).await, ["hers"], "{filter}");
        let others = json!({ "not": filter });
        assert_eq!(tasks(&bob, &others).await, ["his"], "{filter}");
    }
}
