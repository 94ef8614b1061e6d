//! The total of a nested list is counted once per parent, not once per row.

use crate::support::{TestApp, asked_alone, list, read_of};

/// Items of each kind in each of two courses.
const ITEMS: i64 = 400;
/// More often than PostgreSQL plans a statement for its values.
const TIMES: i64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn the_total_of_a_nested_list_is_counted_once_per_course() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for _ in 0..2 {
        ada.create_course("c").await;
    }
    // With folded titles, so that no background job reads the rows to fold them.
    app.sql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO documents (user_id, id, course_id, title, title_folded, original_text, formatted_note, excerpt)
         SELECT user_id, gen_random_uuid(), id, 'd', 'd', '', '', '' FROM courses, generate_series(1, {ITEMS});
         INSERT INTO tasks (user_id, id, course_id, title, title_folded)
         SELECT user_id, gen_random_uuid(), id, 't', 't' FROM courses, generate_series(1, {ITEMS})"
    ))
    .await;
    app.sql("VACUUM ANALYZE").await;
    for table in ["documents", "tasks"] {
        let query = format!(
            "{{ courses {{ nodes {{ {table}(first: 100) {{ totalCount nodes {{ id }} }} }} }} }}"
        );
        asked_alone(&app, &ada, async |client| {
            for _ in 0..TIMES {
                let data = client.query(&query).await;
                for course in list(&data["courses"]["nodes"]) {
                    assert_eq!(course[table]["totalCount"], ITEMS);
                    assert_eq!(list(&course[table]["nodes"]).len(), 100);
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
