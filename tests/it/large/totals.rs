//! The total of a nested list is counted once per parent, not once per row of its page.

use serde_json::json;

use crate::{
    search::plans::{asked_alone, read_of},
    support::TestApp,
};

/// Items of each kind in each of two courses.
const ITEMS: i64 = 400;
/// More often than PostgreSQL makes a plan for the values at hand.
const TIMES: i64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn the_total_of_a_nested_list_is_counted_once_per_course() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for _ in 0..2 {
        super::create(&ada, "Course", "name: \"c\"").await;
    }
    app.sql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
         SELECT user_id, gen_random_uuid(), id, 'd', '', '', '' FROM courses, generate_series(1, {ITEMS});
         INSERT INTO tasks (user_id, id, course_id, title)
         SELECT user_id, gen_random_uuid(), id, 't' FROM courses, generate_series(1, {ITEMS})"
    ))
    .await;
    app.sql("VACUUM ANALYZE").await;
    app.pool.close().await;
    for (table, list) in [("documents", "documents"), ("tasks", "tasks")] {
        let query = format!(
            "{{ courses {{ nodes {{ {list}(first: 100) {{ totalCount nodes {{ id }} }} }} }} }}"
        );
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                let data = client.data(&query, json!({})).await;
                for course in data["courses"]["nodes"].as_array().unwrap() {
                    assert_eq!(course[list]["totalCount"], ITEMS);
                    assert_eq!(course[list]["nodes"].as_array().unwrap().len(), 100);
                }
            }
        })
        .await;
        // Each query needs the rows of two pages, and may read all rows of the courses once more to count them, or to sort.
        let most = TIMES * 2 * (ITEMS * 3);
        let seen = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = ";
        let rows = app.number(&format!("{seen}'{table}'")).await;
        let entries = read_of(&app, table).await.entries;
        assert!(
            rows.max(entries) < most,
            "{table}: {rows} rows, {entries} entries"
        );
    }
}
