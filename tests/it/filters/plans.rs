//! What PostgreSQL reads of one user's 5,000 tasks and 10,000 tasks of others, by its own counters: they judge the statements that
//! are really sent, and each of their plans.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, asked_alone, index_scans, read_of};

/// How often each query is sent: more often than PostgreSQL plans for the given values.
const TIMES: i64 = 8;

const KEEP: &str = "
    INSERT INTO users (id, email, email_key, name)
    SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', n FROM generate_series(1, 50) AS n;
    INSERT INTO courses (user_id, id, name) SELECT users.id, md5(users.name || ' course ' || n)::uuid, 'Course ' || n FROM users, generate_series(1, 50) AS n;
    INSERT INTO tasks (user_id, id, course_id, title, title_folded, priority, completed_at, created_at)
    SELECT users.id, md5(users.name || ' task ' || n)::uuid, md5(users.name || ' course ' || n % 50 + 1)::uuid, 'Task ' || n, 'task ' || n, n % 3,
        CASE WHEN n % 2 = 0 THEN now() - n * interval '1 minute' END, now() - n * interval '1 minute'
    FROM users, generate_series(1, CASE WHEN users.name = 'ada' THEN 5000 ELSE 200 END) AS n";

/// The first page of tasks, and the second.
async fn two_pages(client: &Client, filter: &Value, order_by: &Value) {
    let query = "query($filter: TaskFilter, $order: [TaskOrder!], $after: String) {
        tasks(filter: $filter, orderBy: $order, first: 20, after: $after) { nodes { id } pageInfo { endCursor } } }";
    let mut variables = json!({ "filter": filter, "order": order_by });
    let first = client.data(query, variables.clone()).await;
    variables["after"] = first["tasks"]["pageInfo"]["endCursor"].clone();
    client.data(query, variables).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_orders_use_indexes_and_read_only_own_rows() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    app.sql("VACUUM ANALYZE").await;
    let id = |name: &str| format!("SELECT md5('{name}')::uuid::text");
    let course = app.text(&id("ada course 7")).await;
    let (one, other) = (
        app.text(&id("ada task 7")).await,
        app.text(&id("ada task 9")).await,
    );
    let by = |keys: &[(&str, &str)]| -> Value {
        let keys = keys.iter();
        keys.map(|(field, direction)| json!({ "field": field, "direction": direction }))
            .collect()
    };
    let mut wrong = Vec::new();
    // The maximum number of index entries that both pages together read.
    for (filter, order_by, most) in [
        (json!({ "and": [{ "courseId": course }] }), Value::Null, 42),
        (json!({ "not": { "completed": true } }), Value::Null, 100),
        // Plans select only ids, which are in the index of the order. PostgreSQL may read it alone, in the order of the list.
        (
            json!({ "or": [{ "ids": [one] }, { "ids": [other] }] }),
            Value::Null,
            2 * 5_000,
        ),
        (
            json!({ "or": [{ "ids": [one] }, { "courseIds": [course] }] }),
            Value::Null,
            2 * 5_000,
        ),
        (json!({}), by(&[("COMPLETED_AT", "DESC")]), 42),
        (
            json!({}),
            by(&[("CREATED_AT", "DESC"), ("TITLE", "ASC")]),
            50,
        ),
        // One priority of three is sorted by title.
        (
            json!({}),
            by(&[("PRIORITY", "DESC"), ("TITLE", "ASC")]),
            2 * 1_700,
        ),
    ] {
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                two_pages(client, &filter, &order_by).await;
            }
        })
        .await;
        let read = read_of(&app, "tasks").await;
        let is_within = read.entries.max(read.fetched) <= TIMES * most;
        if read.whole > 0 || !is_within {
            wrong.push(format!("{filter} {order_by}: {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// 100 tasks have both of two tags.
const KEEP_TAGS: &str = "
    INSERT INTO tags (user_id, id, name, name_folded)
    SELECT id, md5('tag ' || n)::uuid, 'Tag ' || n, 'tag ' || n FROM users, generate_series(1, 2) AS n WHERE users.name = 'ada';
    INSERT INTO task_tags (user_id, item_id, tag_id)
    SELECT users.id, md5('ada task ' || n)::uuid, tags.id FROM users JOIN tags ON tags.user_id = users.id, generate_series(1, 100) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn several_conditions_on_tags_read_each_tagged_item_once() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    app.sql(KEEP_TAGS).await;
    app.sql("VACUUM ANALYZE").await;
    let id = |name: &str| format!("SELECT md5('{name}')::uuid::text");
    let (one, two) = (app.text(&id("tag 1")).await, app.text(&id("tag 2")).await);
    let both = "query($one: [ID!]!, $two: [ID!]!) {
        tasks(filter: { tagIds: $one, and: { tagIds: $two } }) { totalCount } }";
    let nested = "query($one: [ID!]!, $two: [ID!]!) {
        nodes(ids: $one) { ... on Tag { tasks(filter: { tagIds: $two }) { totalCount } } } }";
    let either = "query($one: [ID!]!, $two: [ID!]!) {
        tasks(filter: { or: [{ tagIds: $one }, { not: { tagIds: $two } }] }) { totalCount } }";
    for (query, path, total) in [
        (both, "/tasks", 100),
        (nested, "/nodes/0/tasks", 100),
        (either, "/tasks", 5_000),
    ] {
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                let ids = json!({ "one": [one], "two": [two] });
                let data = client.data(query, ids).await;
                assert_eq!(data.pointer(path), Some(&json!({ "totalCount": total })));
            }
        })
        .await;
        let looked_up = index_scans(&app, "tasks_pkey").await;
        assert!(looked_up <= TIMES * 2 * 110, "{query}: {looked_up}");
    }
}
