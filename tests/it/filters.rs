//! Every field of every filter changes what a list contains. Fields come from the schema, so a new field fails until it has a
//! value here and a condition in its noun's `store`.

use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// A list, the type of its filter, and for each field a value that keeps some of the prepared items, not all.
fn lists(course: &str) -> [(&'static str, &'static str, Value); 4] {
    let tomorrow = "2026-01-02T00:00:00Z";
    [
        (
            "courses",
            "CourseFilter",
            json!({ "status": "TRASH", "nameContains": "lin" }),
        ),
        (
            "tags",
            "TagFilter",
            json!({ "status": "TRASH", "nameContains": "ex" }),
        ),
        (
            "documents",
            "DocumentFilter",
            json!({
                "status": "TRASH", "courseId": course, "titleContains": "one", "metadataContains": { "page": 1 },
                "hasImage": true, "createdAfter": tomorrow, "createdBefore": tomorrow,
            }),
        ),
        (
            "tasks",
            "TaskFilter",
            json!({
                "status": "TRASH", "completed": true, "courseId": course, "priority": ["HIGH"], "titleContains": "one",
                "hasCourse": false, "hasDueDate": true, "dueAfter": tomorrow, "dueBefore": tomorrow,
            }),
        ),
    ]
}

/// Items that differ in everything that a filter can ask for. Returns one of the two active courses.
async fn prepare(app: &TestApp, ada: &Person) -> String {
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
                "UPDATE documents SET created_at = '2026-01-01' WHERE id = '{document}';
                 INSERT INTO image_objects (user_id, id, document_id, kind, state, content_type, byte_size, width, height)
                 VALUES ('{user}', '{document}', '{document}', 'image', 'stored', 'image/png', 1, 1, 1);
                 UPDATE documents SET image_id = id WHERE id = '{document}'",
                user = ada.id
            ))
            .await;
            ada.update("Task", &task, json!({ "completed": true }))
                .await;
        }
        if title == "three" {
            ada.trash(&[&document, &task]).await;
        }
    }
    let mut tags = Vec::new();
    for name in ["Exam", "Lecture", "Old"] {
        tags.push(ada.create("Tag", json!({ "name": name })).await);
    }
    ada.trash(&[&trashed, &tags[2]]).await;
    linear
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_filter_changes_the_list() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = prepare(&app, &ada).await;
    for (list, filter, values) in lists(&course) {
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
