//! What PostgreSQL reads for pages of tasks: only their rows, from an index, wherever the page is.

use serde_json::{Value, json};
use snapnote::items::titles;

use crate::support::{Client, Person, TestApp, asked_alone, index_scans, read_of};

/// The size of a page, and how often it is read: more often than PostgreSQL plans for the given values.
const PAGE: i64 = 20;
const TIMES: i64 = 8;

/// A user with 5,000 tasks. Two thirds have a due date, three quarters are completed, and half have a position.
async fn filled() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO tasks (user_id, id, title, due_at, due_on, completed_at, position, created_at)
         SELECT users.id, gen_random_uuid(), 'Task ' || n,
             CASE WHEN n % 3 = 0 THEN timestamptz '2026-01-01Z' + n * interval '1 hour' END,
             CASE WHEN n % 3 = 1 THEN date '2026-01-01' + n / 24 END,
             CASE WHEN n % 4 > 0 THEN timestamptz '2026-03-01Z' + n * interval '1 minute' END,
             CASE WHEN n % 2 = 0 THEN lpad(n::text, 6, '0') END,
             timestamptz '2025-01-01Z' + n * interval '1 hour'
         FROM users, generate_series(1, 5000) AS n",
    )
    .await;
    titles::fold_all(&app.pool).await.unwrap();
    app.sql("VACUUM ANALYZE").await;
    (app, ada)
}

/// A page of tasks in an order.
async fn page(client: &Client, order: &str, arguments: &str, cursor: &Value) -> Value {
    let query = format!(
        "query($cursor: String) {{ tasks({arguments}, orderBy: {order}) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}"
    );
    let mut data = client.data(&query, json!({ "cursor": cursor })).await;
    data["tasks"].take()
}

/// The cursors in the middle of the tasks with the value of an order, and in the middle of those without it.
async fn deep_cursors(client: &Client, order: &str) -> [Value; 2] {
    let mut cursors = [Value::Null, Value::Null];
    for (cursor, offset) in cursors.iter_mut().zip([1_200, 4_500]) {
        let arguments = format!("first: 1, offset: {offset}, after: $cursor");
        let page = page(client, order, &arguments, &Value::Null).await;
        *cursor = page["pageInfo"]["endCursor"].clone();
        assert!(cursor.is_string());
    }
    cursors
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_orders_by_values_that_may_be_missing_read_only_their_rows_from_one_index() {
    let (app, ada) = filled().await;
    let mut orders = Vec::new();
    for (field, index) in [
        ("DUE_AT", "tasks_due_idx"),
        ("COMPLETED_AT", "tasks_completed_at_idx"),
        ("POSITION", "tasks_position_idx"),
    ] {
        for direction in ["ASC", "DESC"] {
            let order = format!("{{ field: {field}, direction: {direction} }}");
            let cursors = deep_cursors(&ada, &order).await;
            orders.push((order, index, cursors));
        }
    }
    let after = format!("first: {PAGE}, after: $cursor");
    let before = format!("last: {PAGE}, before: $cursor");
    for (order, index, [with, without]) in &orders {
        let pages = [&after, &before]
            .into_iter()
            .flat_map(|arguments| [&Value::Null, with, without].map(|cursor| (arguments, cursor)));
        let pages: Vec<_> = pages.collect();
        asked_alone(&app, &ada, async |client| {
            for (arguments, cursor) in pages.repeat(TIMES as usize) {
                let page = page(client, order, arguments, cursor).await;
                assert_eq!(page["nodes"].as_array().map(Vec::len), Some(PAGE as usize));
            }
        })
        .await;
        let number = TIMES * pages.len() as i64;
        let scans = index_scans(&app, index).await;
        assert!(scans >= number, "{order}: {scans}");
        let read = read_of(&app, "tasks").await;
        let most = number * (PAGE + 1);
        assert!(read.whole == 0 && read.fetched <= most, "{order}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_tasks_are_listed_and_counted_without_reading_completed_ones() {
    let (app, ada) = filled().await;
    let query = format!(
        "{{ tasks(first: {PAGE}, filter: {{ completed: false }}) {{ totalCount nodes {{ id }} }} }}"
    );
    asked_alone(&app, &ada, async |client| {
        for _ in 0..TIMES {
            let data = client.query(&query).await;
            assert_eq!(data["tasks"]["totalCount"], 1250);
        }
    })
    .await;
    let scans = index_scans(&app, "tasks_open_idx").await;
    assert!(scans >= 2 * TIMES, "{scans}");
    let read = read_of(&app, "tasks").await;
    let (page, number) = (TIMES * (PAGE + 1), TIMES * 1250);
    assert!(
        read.whole == 0 && read.fetched <= page && read.entries <= page + number,
        "{read:?}"
    );
}
