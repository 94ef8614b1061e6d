//! What the search adds to writes, in rows that PostgreSQL reads and writes.

use diesel_async::SimpleAsyncConnection;

use crate::support::{Person, TestApp, cost, read_of, superuser};

const TASK: &str = "INSERT INTO tasks (user_id, id, title, description)
    SELECT id, gen_random_uuid(), 'Sheet of exercises', 'Prove the lemma about vector spaces' FROM users";

/// Rows of the dictionary that creating a task reads, on a connection that has created several.
async fn words_read_by_a_new_task(app: &TestApp) -> i64 {
    let mut writer = superuser(&app.database).await;
    for _ in 0..8 {
        writer.batch_execute(TASK).await.unwrap();
    }
    let read = cost(&mut writer, TASK, "search_words").await.read;
    assert!(read > 0, "the task's words are looked up");
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tasks_read_as_much_with_a_hundred_thousand_lost_words_as_without() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let before = words_read_by_a_new_task(&app).await;
    app.sql(
        "INSERT INTO search_words (user_id, word, stem, look, lost_at)
         SELECT id, 'lost' || n, 'lost' || n, 'lost' || n, now() FROM users, generate_series(1, 100000) AS n",
    )
    .await;
    for statistics in ["", "ANALYZE search_words"] {
        app.sql(statistics).await;
        let after = words_read_by_a_new_task(&app).await;
        assert!(2 * after <= 3 * before, "{before} before, {after} after");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_reads_only_the_words_that_it_deletes() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO search_words (user_id, word, stem, look, lost_at)
         SELECT id, 'lost' || n, 'lost' || n, 'lost' || n, now() - n * interval '1 second'
         FROM users, generate_series(1, 2000) AS n;
         INSERT INTO search_words (user_id, word, stem, look, lost_at)
         SELECT id, 'young' || n, 'young' || n, 'young' || n, now() FROM users, generate_series(1, 98000) AS n",
    )
    .await;
    let left = "search_words WHERE word LIKE 'lost%'";
    let before = app.count(left).await;
    app.pool.close().await;
    let service = app.another().await;
    app.sql("SELECT pg_stat_reset()").await;
    snapnote::search::sweep::sweep(&service.pool).await.unwrap();
    service.stop().await;
    app.eventually_disconnected().await;
    let words = read_of(&app, "search_words").await;
    let swept = before - app.count(left).await;
    assert!(swept >= 1_400, "{swept}");
    // Each word is read by the index of lost words and by its key, and deleted. No step reads the other 98,000.
    let read = words.fetched + words.entries;
    assert!(read <= 10 * swept, "{words:?} for {swept}");
    assert_eq!(words.whole, 0, "{words:?}");
}

/// A user with a thousand tasks, and three others who have as many.
async fn with_tasks() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "INSERT INTO users (id, email, email_key, name) SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', n FROM generate_series(1, 3) AS n;
         INSERT INTO tasks (user_id, id, title) SELECT users.id, md5('task ' || n)::uuid, 'Task ' || n FROM users, generate_series(1, 1000) AS n;
         ANALYZE",
    )
    .await;
    (app, ada)
}

const OWN: &str = "user_id = (SELECT id FROM users WHERE name = 'ada')";

#[tokio::test(flavor = "multi_thread")]
async fn a_single_change_after_many_reads_a_single_entry() {
    let (app, _) = with_tasks().await;
    let mut writer = superuser(&app.database).await;
    let trash = |more: &str| {
        format!("UPDATE tasks SET status = 'trash', deleted_at = now() WHERE {OWN} {more}")
    };
    let delete = |more: &str| format!("DELETE FROM tasks WHERE {OWN} {more}");
    let (many, one) = (
        "AND id < '80000000-0000-0000-0000-000000000000'",
        "AND title = 'Task 7'",
    );
    for change in [trash, delete] as [fn(&str) -> String; 2] {
        for _ in 0..6 {
            let cost = cost(&mut writer, &change(many), "search_entries").await;
            assert!(cost.written > 400, "{cost:?}");
        }
        let cost = cost(&mut writer, &change(one), "search_entries").await;
        // The entry, and its dead versions from the changes that were rolled back: not the thousands of other entries.
        assert!(cost.read <= 20 && cost.written == 1, "{cost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_write_entries_only_if_they_change() {
    let (app, ada) = with_tasks().await;
    let mut writer = superuser(&app.database).await;
    for (change, entries) in [
        ("title = title, description = description", 0),
        ("priority = 1", 0),
        ("priority = 2", 1_000),
        ("status = 'trash', deleted_at = now()", 1_000),
        ("title = title || '!', description = 'x'", 1_000),
    ] {
        let update = format!("UPDATE tasks SET {change} WHERE {OWN}");
        let cost = cost(&mut writer, &update, "search_entries").await;
        assert_eq!(cost.written, entries, "{change}");
    }
    let id = app.text("SELECT id FROM tasks LIMIT 1").await;
    ada.trash(&[&id]).await;
    let inactive = "search_entries WHERE NOT is_active";
    assert_eq!(app.count(inactive).await, 1);
}
