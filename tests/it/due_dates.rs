//! Tasks are due at a time, on a date, or never: what sets and clears `dueAt` and `dueOn`, and where lists and filters put a date.

use serde_json::{Value, json};

use crate::support::{Person, TestApp, errors, text, texts};

const DUE: &str = "task { id dueAt dueOn }";
const AT: &str = "2026-03-01T09:00:00.000000Z";
const ON: &str = "2026-03-02";

fn due(payload: &Value) -> (&Value, &Value) {
    let task = &payload["task"];
    (&task["dueAt"], &task["dueOn"])
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_one_due_field_clears_the_other() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let input = json!({ "title": "Read", "dueOn": ON, "dueAt": null });
    let created = ada.mutate("createTask", input, DUE).await;
    assert_eq!(due(&created), (&Value::Null, &json!(ON)));
    let id = &created["task"]["id"];
    for (fields, due_at, due_on) in [
        (json!({ "dueAt": AT }), json!(AT), Value::Null),
        (json!({ "title": "Read it" }), json!(AT), Value::Null),
        (json!({ "dueOn": null }), json!(AT), Value::Null),
        (json!({ "dueOn": ON }), Value::Null, json!(ON)),
        (json!({ "dueAt": null }), Value::Null, json!(ON)),
        (
            json!({ "dueAt": AT, "dueOn": null }),
            json!(AT),
            Value::Null,
        ),
        (
            json!({ "dueAt": null, "dueOn": ON }),
            Value::Null,
            json!(ON),
        ),
        (json!({ "dueOn": null }), Value::Null, Value::Null),
    ] {
        let mut input = fields;
        input["id"] = id.clone();
        let updated = ada.mutate("updateTask", input.clone(), DUE).await;
        assert_eq!(due(&updated), (&due_at, &due_on), "{input}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_due_fields_at_once_are_invalid() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let both = json!({ "title": "Read", "dueAt": AT, "dueOn": ON });
    let payload = ada.try_mutate("createTask", both.clone(), DUE).await;
    assert_eq!(errors(&payload), ["INVALID dueAt", "INVALID dueOn"]);
    assert_eq!(app.count("tasks").await, 0);
    let task = ada
        .create("Task", json!({ "title": "Read", "dueOn": ON }))
        .await;
    let mut input = both;
    input["id"] = json!(task);
    let payload = ada.try_mutate("updateTask", input, DUE).await;
    assert_eq!(errors(&payload), ["INVALID dueAt", "INVALID dueOn"]);
    let unchanged = "tasks WHERE version = 1 AND due_at IS NULL AND due_on = '2026-03-02'";
    assert_eq!(app.count(unchanged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_is_not_a_date_is_rejected_with_its_path() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let create = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }";
    for value in [
        json!("2026-03-01T09:00:00Z"),
        json!("2026-02-29"),
        json!("2026-3-1"),
        json!("0000-01-01"),
        json!("infinity"),
        json!(""),
        json!(20_260_301),
    ] {
        let variables = json!({ "input": { "title": "Read", "dueOn": value } });
        let answer = ada.graphql(create, variables).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{value}");
        let message = text(&error["message"]);
        assert!(message.starts_with("`$input.dueOn` must be "), "{message}");
    }
    assert_eq!(app.count("tasks").await, 0);
    for first_and_last in ["0001-01-01", "9999-12-31"] {
        let input = json!({ "title": "Read", "dueOn": first_and_last });
        let payload = ada.mutate("createTask", input, DUE).await;
        assert_eq!(due(&payload).1, first_and_last);
    }
    let all = "{ tasks(orderBy: { field: DUE_AT, direction: ASC }) { nodes { dueOn } } }";
    let data = ada.query(all).await;
    let dates = texts(&data["tasks"]["nodes"], "dueOn");
    assert_eq!(dates, ["0001-01-01", "9999-12-31"]);
}

/// A service whose connections have another time zone and write dates in another form.
async fn elsewhere(app: &TestApp) -> TestApp {
    let database = &app.database;
    app.sql(&format!(
        "ALTER DATABASE {database} SET timezone = 'Pacific/Auckland'; ALTER DATABASE {database} SET datestyle = 'German'"
    ))
    .await;
    app.another().await
}

/// Tasks whose titles tell when they are due, in this order.
async fn due_tasks(ada: &Person) -> String {
    let course = ada.create_course("Algebra").await;
    for (title, due_at, due_on) in [
        ("3 at noon", Some("2026-03-01T12:00:00Z"), None),
        ("1 before the date", Some("2026-02-28T23:59:59Z"), None),
        ("5 never", None, None),
        ("2 on the date", None, Some("2026-03-01")),
        ("4 on the next date", None, Some("2026-03-02")),
    ] {
        let task = json!({ "courseId": course, "title": title, "dueAt": due_at, "dueOn": due_on });
        ada.create("Task", task).await;
    }
    course
}

fn numbers(nodes: &Value) -> String {
    let titles = texts(nodes, "title");
    titles.iter().map(|title| &title[..1]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_treat_a_date_as_its_start_in_utc() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    due_tasks(&ada).await;
    // The time zone of the connection makes no difference.
    let other = elsewhere(&app).await;
    let ada = ada.at(&other);
    for (direction, expected) in [("ASC", "12345"), ("DESC", "43215")] {
        let order = format!("orderBy: {{ field: DUE_AT, direction: {direction} }}");
        let query = format!("{{ tasks({order}) {{ nodes {{ title }} }} }}");
        let data = ada.query(&query).await;
        assert_eq!(numbers(&data["tasks"]["nodes"]), expected, "{direction}");
        let nested =
            format!("{{ courses {{ nodes {{ tasks({order}) {{ nodes {{ title }} }} }} }} }}");
        let data = ada.query(&nested).await;
        let nodes = &data["courses"]["nodes"][0]["tasks"]["nodes"];
        assert_eq!(numbers(nodes), expected, "{direction}");
    }
    for (filter, expected) in [
        ("dueAfter: \"2026-03-01T00:00:00Z\"", "234"),
        ("dueAfter: \"2026-03-01T00:00:00.000001Z\"", "34"),
        ("dueBefore: \"2026-03-01T00:00:00Z\"", "1"),
        ("dueBefore: \"2026-03-01T00:00:00.000001Z\"", "12"),
        ("hasDueDate: true", "1234"),
        ("hasDueDate: false", "5"),
    ] {
        let query = format!(
            "{{ tasks(filter: {{ {filter} }}, orderBy: {{ field: DUE_AT, direction: ASC }}) {{ nodes {{ title }} }} }}"
        );
        let data = ada.query(&query).await;
        assert_eq!(numbers(&data["tasks"]["nodes"]), expected, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_has_times_and_dates_in_the_form_of_the_api() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let other = elsewhere(&app).await;
    let task = ada
        .create("Task", json!({ "title": "Read", "dueAt": AT }))
        .await;
    ada.at(&other)
        .update("Task", &task, json!({ "dueOn": ON }))
        .await;
    let log = "{ me { auditLog(first: 1) { nodes { changes } } } }";
    let changes = ada.query(log).await["me"]["auditLog"]["nodes"][0]["changes"].take();
    let expected =
        json!({ "dueAt": { "old": AT, "new": null }, "dueOn": { "old": null, "new": ON } });
    assert_eq!(changes, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_allows_one_due_field_only() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    ada.create("Task", json!({ "title": "Read", "dueAt": AT }))
        .await;
    let sql = "DO $$ BEGIN UPDATE tasks SET due_on = '2026-03-02'; RAISE 'was allowed';
        EXCEPTION WHEN check_violation THEN END $$";
    app.sql(sql).await;
}
