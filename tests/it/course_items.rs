//! Documents and tasks as items of a course: the interface `CourseItem`, wherever items are, and the id of their course.

use serde_json::{Value, json};

use crate::support::{Person, TestApp, asked_alone, list, read_of, text, texts};

const FRAGMENT: &str = "fragment Of on CourseItem {
    id status version createdAt updatedAt deletedAt title courseId course { name } trashedWith { name } }";

/// A course with a document and a task, and a task without a course. Returns the course.
async fn filled(ada: &Person) -> String {
    let course = ada.create_course("Zebra course").await;
    let document = json!({ "courseId": course, "title": "Zebra document" });
    ada.create("Document", document).await;
    ada.create_task(Some(&course), "Zebra task").await;
    ada.create_task(None, "Zebra alone").await;
    course
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fragment_reads_documents_and_tasks_wherever_items_are() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let cursor = ada.changes_cursor().await;
    let course = filled(&ada).await;
    let query = format!(
        "query($ids: [ID!]!, $after: String) {{
            search(query: \"zebra\") {{ nodes {{ __typename ...Of }} edges {{ node {{ __typename ...Of }} }} }}
            changes(after: $after) {{ nodes {{ item {{ __typename ...Of }} }} }}
            nodes(ids: $ids) {{ __typename ...Of }}
            documents {{ nodes {{ __typename ...Of }} }}
            tasks {{ nodes {{ __typename ...Of }} }}
        }} {FRAGMENT}"
    );
    let ids = "{ documents { nodes { id } } tasks { nodes { id } } }";
    let data = ada.query(ids).await;
    let mut ids = texts(&data["documents"]["nodes"], "id");
    ids.extend(texts(&data["tasks"]["nodes"], "id"));
    ids.push(course.clone());
    let data = ada
        .data(&query, json!({ "ids": ids, "after": cursor }))
        .await;
    let search = list(&data["search"]["edges"]).iter();
    let changes = list(&data["changes"]["nodes"]).iter();
    let lists: [(&str, Vec<&Value>, usize); 6] = [
        (
            "search nodes",
            list(&data["search"]["nodes"]).iter().collect(),
            4,
        ),
        (
            "search edges",
            search.map(|edge| &edge["node"]).collect(),
            4,
        ),
        (
            "changes",
            changes.map(|change| &change["item"]).collect(),
            4,
        ),
        ("nodes", list(&data["nodes"]).iter().collect(), 4),
        (
            "documents",
            list(&data["documents"]["nodes"]).iter().collect(),
            1,
        ),
        ("tasks", list(&data["tasks"]["nodes"]).iter().collect(), 2),
    ];
    for (name, items, count) in lists {
        assert_eq!(items.len(), count, "{name}: {items:?}");
        for item in items {
            let in_course = item["title"] != "Zebra alone";
            match text(&item["__typename"]).as_str() {
                "Course" => assert_eq!(*item, json!({ "__typename": "Course" }), "{name}"),
                _ if in_course => {
                    assert_eq!(item["courseId"], course, "{name}: {item}");
                    assert_eq!(item["course"]["name"], "Zebra course", "{name}: {item}");
                }
                _ => {
                    assert_eq!(item["courseId"], Value::Null, "{name}: {item}");
                    assert_eq!(item["course"], Value::Null, "{name}: {item}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_tells_which_course_took_an_item_to_the_trash() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = filled(&ada).await;
    ada.trash(&[&course]).await;
    let trashed = "filter: { status: TRASH }";
    let query = format!(
        "{{ documents({trashed}) {{ nodes {{ ...Of }} }} tasks({trashed}) {{ nodes {{ ...Of }} }} }} {FRAGMENT}"
    );
    let data = ada.query(&query).await;
    for name in ["documents", "tasks"] {
        let item = &data[name]["nodes"][0];
        assert_eq!(item["trashedWith"]["name"], "Zebra course", "{item}");
        assert_eq!(item["courseId"], course, "{item}");
        assert_eq!(item["status"], "TRASH", "{item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_declares_the_interface() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let query = "{ __type(name: \"CourseItem\") { kind possibleTypes { name } fields { name } } }";
    let of = ada.query(query).await["__type"].take();
    assert_eq!(of["kind"], "INTERFACE");
    assert_eq!(texts(&of["possibleTypes"], "name"), ["Document", "Task"]);
    let sdl = app.anonymous().get("/schema.graphql").await.body;
    for declared in [
        "interface CourseItem implements Node & Item {",
        "type Document implements Node & Item & CourseItem {",
        "type Task implements Node & Item & CourseItem {",
    ] {
        assert!(sdl.contains(declared), "{declared}");
    }
    // `course` of a document is not nullable, so both fields cannot be merged.
    let both = "{ search(query: \"a\") { nodes { ... on Document { course { id } } ... on Task { course { id } } } } }";
    assert_eq!(ada.error_code(both, json!({})).await, "VALIDATION_FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_course_is_read_without_the_course() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = filled(&ada).await;
    let query = "{ documents { nodes { courseId } } tasks { nodes { courseId } } }";
    asked_alone(&app, &ada, async |client| {
        let data = client.query(query).await;
        assert_eq!(data["documents"]["nodes"][0]["courseId"], course);
    })
    .await;
    let courses = read_of(&app, "courses").await;
    assert_eq!((courses.whole, courses.fetched), (0, 0), "{courses:?}");
}
