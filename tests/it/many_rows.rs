//! Lists of a user with many rows among users with few: what PostgreSQL reads for them, by its own counters, and that pages that are
//! found in different ways have the same order. Its plans are made for an average user.

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, asked_alone, index_scans, read_of};

/// The size of a page, and how often it is read: more often than PostgreSQL plans for the given values.
const PAGE: i64 = 20;
const TIMES: i64 = 8;
/// How often PostgreSQL plans a statement for the given values before it plans it for all. For Ada, who has most rows, it may then read
/// the table.
const PLANNED_FOR_VALUES: i64 = 5;

/// Ada has 5,000 tasks, 625 of them in the trash. A tag is assigned to 100 of them, and another one to none. Ninety others have 20 tasks.
const KEEP: &str = "
    INSERT INTO users (id, email, email_key, name)
    SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', n FROM generate_series(1, 90) AS n;
    INSERT INTO tasks (user_id, id, title, title_folded, priority, completed_at, due_at, position, created_at, updated_at, status, deleted_at)
    SELECT users.id, md5(users.name || n)::uuid, 'Task ' || n, 'task ' || n, n % 3, CASE n % 4 WHEN 0 THEN time END,
        CASE n % 2 WHEN 0 THEN time + interval '9 days' END, CASE n % 5 WHEN 0 THEN lpad(n::text, 6, '0') END, time, time,
        CASE n % 8 WHEN 7 THEN 'trash' ELSE 'active' END, CASE n % 8 WHEN 7 THEN time END
    FROM users, generate_series(1, CASE users.name WHEN 'ada' THEN 5000 ELSE 20 END) AS n,
        LATERAL (SELECT timestamptz '2026-01-01Z' + n * 7919 % 5000 * interval '1 minute' AS time) AS times;
    INSERT INTO tags (user_id, id, name, name_folded)
    SELECT id, md5('tag ' || n)::uuid, 'Tag ' || n, 'tag ' || n FROM users, generate_series(1, 2) AS n WHERE users.name = 'ada';
    INSERT INTO task_tags (user_id, item_id, tag_id)
    SELECT id, md5('ada' || n)::uuid, md5('tag 1')::uuid FROM users, generate_series(8, 800, 8) AS n WHERE users.name = 'ada'";

const ORDERS: [&str; 7] = [
    "CREATED_AT",
    "UPDATED_AT",
    "DUE_AT",
    "COMPLETED_AT",
    "POSITION",
    "PRIORITY",
    "TITLE",
];

async fn filled() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(KEEP).await;
    app.sql("VACUUM ANALYZE").await;
    (app, ada)
}

/// A page of tasks.
async fn page(client: &Client, arguments: &str, cursor: &Value) -> Value {
    let variables = match arguments.contains("$cursor") {
        true => "($cursor: String)",
        false => "",
    };
    let query = format!(
        "query{variables} {{ tasks({arguments}) {{ nodes {{ id title status }} pageInfo {{ endCursor hasNextPage }} }} }}"
    );
    let mut data = client.data(&query, json!({ "cursor": cursor })).await;
    data["tasks"].take()
}

/// The ids of the tasks of a page.
fn ids(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    let ids = nodes.iter().map(|task| task["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// All tasks of a list, in its order.
async fn all(client: &Client, arguments: &str) -> Vec<Value> {
    let (mut tasks, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let arguments = format!("first: 100, after: $cursor, {arguments}");
        let mut page = page(client, &arguments, &cursor).await;
        tasks.append(page["nodes"].as_array_mut().unwrap());
        cursor = page["pageInfo"]["endCursor"].take();
        if page["pageInfo"]["hasNextPage"] == false {
            return tasks;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_status_read_only_their_rows_from_the_index_of_the_order() {
    let (app, ada) = filled().await;
    let mut lists = Vec::new();
    for field in ORDERS {
        for direction in ["ASC", "DESC"] {
            let list = format!(
                "filter: {{ status: null }}, orderBy: {{ field: {field}, direction: {direction} }}"
            );
            let deep = format!("first: 1, offset: 2700, {list}");
            let deep = page(&ada, &deep, &Value::Null).await;
            lists.push((list, deep["pageInfo"]["endCursor"].clone()));
        }
    }
    for (list, deep) in lists {
        let cursors = [Value::Null, deep];
        asked_alone(&app, &ada, async |client| {
            for cursor in cursors.iter().cycle().take(2 * TIMES as usize) {
                let arguments = format!("first: {PAGE}, after: $cursor, {list}");
                let page = page(client, &arguments, cursor).await;
                assert_eq!(ids(&page).len(), PAGE as usize);
            }
        })
        .await;
        let read = read_of(&app, "tasks").await;
        // Two statuses, each with and without the value of the order; and the rows of the page.
        let most = 2 * TIMES * 5 * (PAGE + 1);
        let is_bounded = read.whole <= PLANNED_FOR_VALUES && read.entries <= most;
        assert!(is_bounded, "{list}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_many_titles_is_not_looked_for_in_all_titles() {
    let (app, ada) = filled().await;
    for field in ORDERS {
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                let arguments = format!(
                    "first: {PAGE}, filter: {{ titleContains: \"task\" }}, orderBy: {{ field: {field} }}"
                );
                let page = page(client, &arguments, &Value::Null).await;
                assert_eq!(ids(&page).len(), PAGE as usize);
            }
        })
        .await;
        let read = read_of(&app, "tasks").await;
        let most = TIMES * (1_001 + 3 * (PAGE + 1));
        assert!(read.entries <= most, "{field}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_found_by_their_ids() {
    let (app, ada) = filled().await;
    let tag = app.text("SELECT md5('tag 1')::uuid::text").await;
    let task = app.text("SELECT md5('ada8')::uuid::text").await;
    for query in [
        "query($task: ID!) { task(id: $task) { id title } }",
        "query($task: ID!) { node(id: $task) { id } }",
        "query($task: ID!) { tasks(filter: { ids: [$task] }) { totalCount nodes { id createdAt } } }",
        "query($tag: ID!) { tasks(filter: { tagIds: [$tag] }) { totalCount } }",
        "query($tag: ID!) { tasks(filter: { tagIds: [$tag] }, orderBy: { field: TITLE }) { nodes { id title } } }",
        "query($tag: ID!) { tag(id: $tag) { openTaskCount tasks(first: 1) { totalCount } } }",
    ] {
        let variable = if query.contains("$tag") {
            ("tag", &tag)
        } else {
            ("task", &task)
        };
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                client
                    .data(query, json!({ (variable.0): variable.1 }))
                    .await;
            }
        })
        .await;
        let read = read_of(&app, "tasks").await;
        assert!(
            read.whole == 0 && read.entries <= TIMES * 320,
            "{query}: {read:?}"
        );
        assert!(index_scans(&app, "tasks_pkey").await >= TIMES, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_one_order_in_whichever_way_their_rows_are_found() {
    let (_app, ada) = filled().await;
    for (field, direction) in ORDERS.into_iter().zip(["ASC", "DESC"].into_iter().cycle()) {
        let order = format!("orderBy: {{ field: {field}, direction: {direction} }}");
        let any = all(&ada, &format!("filter: {{ status: null }}, {order}")).await;
        assert_eq!(any.len(), 5_000);
        // 1,111 titles have the first part, and 111 the second.
        for part in ["", "task 1", "TASK 12"] {
            for (status, expected) in [("", Some("ACTIVE")), ("status: null", None)] {
                let listed = any.iter().filter(|task| {
                    let title = task["title"].as_str().unwrap().to_lowercase();
                    expected.is_none_or(|status| task["status"] == status)
                        && title.contains(&part.to_lowercase())
                });
                let listed: Vec<&Value> = listed.collect();
                let filter = match part {
                    "" => format!("{{ {status} }}"),
                    _ => format!("{{ {status} titleContains: \"{part}\" }}"),
                };
                let list = format!("filter: {filter}, {order}");
                assert_eq!(all(&ada, &list).await.iter().collect::<Vec<_>>(), listed);
                let offset = listed.len() * 3 / 4;
                let skipped = format!("first: 50, offset: {offset}, {list}");
                let expected = json!({ "nodes": &listed[offset..(offset + 50).min(listed.len())] });
                assert_eq!(
                    ids(&page(&ada, &skipped, &Value::Null).await),
                    ids(&expected)
                );
                let last = format!("last: 50, {list}");
                let expected = json!({ "nodes": &listed[listed.len() - 50..] });
                assert_eq!(ids(&page(&ada, &last, &Value::Null).await), ids(&expected));
            }
        }
    }
}
