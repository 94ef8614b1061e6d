//! A user's dictionary, which finds misspelled words: it has the words of their items, and loses those that no item has.

use crate::support::{Client, PASSWORD, Person, TestApp, cost, superuser};

async fn sweep(app: &TestApp) {
    snapnote::search::sweep::sweep(&app.pool).await.unwrap();
}

/// Marks the words of deleted items as lost, and lets all lost words have been lost for longer than the sweep waits.
async fn age(app: &TestApp) {
    sweep(app).await;
    app.sql("UPDATE search_words SET lost_at = lost_at - interval '11 minutes' WHERE lost_at IS NOT NULL")
        .await;
}

async fn sweep_later(app: &TestApp) {
    age(app).await;
    sweep(app).await;
}

async fn delete(client: &Client, id: &str) {
    client.trash(&[id]).await;
    client.delete(&[id]).await;
}

/// How often the dictionaries have a word.
async fn known(app: &TestApp, word: &str) -> i64 {
    app.count(&format!("search_words WHERE word = '{word}'"))
        .await
}

/// A user with a course.
async fn with_a_course() -> (TestApp, Person, String) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Course").await;
    (app, ada, course)
}

/// Numbered words.
fn words(from: u32, to: u32) -> String {
    let words: Vec<String> = (from..to).map(|n| format!("word{n}")).collect();
    words.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_deleted_once_no_item_has_them() {
    let (app, ada, course) = with_a_course().await;
    let first = ada.document(&course, "First", "the giraffe", "").await;
    let second = ada
        .document(&course, "Second", "giraffes and a giraffe", "")
        .await;
    assert_eq!(known(&app, "giraffe").await, 1, "known once");
    delete(&ada, &first).await;
    assert_eq!(ada.found("girafe").await, ["Second"], "before the sweep");
    sweep_later(&app).await;
    assert_eq!(ada.found("girafe").await, ["Second"], "and after it");
    assert_eq!(known(&app, "giraffe").await, 1);
    ada.set_note(&second, "an okapi").await;
    assert_eq!(known(&app, "giraffe").await, 1, "not at once");
    sweep(&app).await;
    assert_eq!(known(&app, "giraffe").await, 1, "nor within ten minutes");
    sweep_later(&app).await;
    let left = [
        known(&app, "giraffe").await,
        known(&app, "giraffes").await,
        known(&app, "okapi").await,
    ];
    assert_eq!(left, [0, 0, 1]);
    assert_eq!(ada.found("girafe").await, [""; 0]);
    assert_eq!(ada.found("okapu").await, ["Second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_in_the_trash_keep_their_words() {
    let (app, ada, course) = with_a_course().await;
    let id = ada.document(&course, "First", "a giraffe", "").await;
    ada.trash(&[&id]).await;
    sweep_later(&app).await;
    ada.restore(&[&id]).await;
    assert_eq!(ada.found("girafe").await, ["First"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_come_back_are_known_again() {
    let (app, ada, course) = with_a_course().await;
    let id = ada.document(&course, "First", "a giraffe", "").await;
    for _ in 0..5 {
        for note in ["nothing", "a giraffe"] {
            ada.set_note(&id, note).await;
        }
        assert_eq!(ada.found("girafe").await, ["First"]);
    }
    sweep_later(&app).await;
    assert_eq!(ada.found("girafe").await, ["First"]);
    let times = known(&app, "giraffe").await;
    assert_eq!(times, 1, "however often it came and went");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_come_back_during_the_sweep_are_kept() {
    let (app, ada, course) = with_a_course().await;
    let first = ada.document(&course, "First", "a giraffe", "").await;
    ada.document(&course, "Second", "an okapi", "").await;
    delete(&ada, &first).await;
    age(&app).await;
    let writer = app
        .begin("UPDATE documents SET formatted_note = 'a giraffe' WHERE title = 'Second'")
        .await;
    sweep(&app).await;
    writer.commit().await;
    assert_eq!(ada.found("girafe").await, ["Second"]);
    sweep_later(&app).await;
    assert_eq!(ada.found("girafe").await, ["Second"]);
    assert_eq!(known(&app, "giraffe").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_deleted_items_that_come_back_during_the_sweep_are_kept() {
    let (app, ada, course) = with_a_course().await;
    let first = ada.document(&course, "First", "a wombat", "").await;
    ada.document(&course, "Second", "an okapi", "").await;
    delete(&ada, &first).await;
    let writer = app
        .begin("UPDATE documents SET formatted_note = 'a wombat' WHERE title = 'Second'")
        .await;
    // The item was deleted long ago; its word is not looked at before this transaction can have ended.
    sweep(&app).await;
    sweep(&app).await;
    assert_eq!(known(&app, "wombat").await, 1);
    writer.commit().await;
    sweep_later(&app).await;
    assert_eq!(ada.found("wonbat").await, ["Second"]);
    assert_eq!(known(&app, "wombat").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_leave_words_to_the_sweep() {
    let (app, ada, course) = with_a_course().await;
    // Words of one item take several steps of the sweep; others are shared, or left to a second deleted item.
    let long = ada.document(&course, "Long", &words(0, 1_700), "").await;
    let short = ada
        .document(&course, "Short", &words(1_690, 1_710), "")
        .await;
    ada.document(&course, "Kept", &words(1_600, 1_700), "")
        .await;
    ada.trash(&[&long, &short]).await;
    let mut writer = superuser(&app.database).await;
    let deletion = "DELETE FROM documents WHERE status = 'trash'";
    for (table, rows) in [
        ("search_words", 0),
        ("search_departed", 2),
        ("search_entries", 2),
    ] {
        let cost = cost(&mut writer, deletion, table).await;
        assert_eq!(cost.written, rows, "{table}");
    }
    app.sql(deletion).await;
    assert_eq!(ada.found("word1690").await, ["Kept"]);
    sweep(&app).await;
    let queued = "search_departed";
    assert_eq!(app.count(queued).await, 0, "all are worked off");
    let of_none = "search_words WHERE item_id IS NOT NULL
        AND item_id NOT IN (SELECT id FROM search_entries)";
    assert_eq!(app.count(of_none).await, 0);
    sweep_later(&app).await;
    let left = "search_words WHERE word LIKE 'word%'";
    assert_eq!(app.count(left).await, 100);
    assert_eq!(ada.found("wordd1699").await, ["Kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweeps_can_run_concurrently() {
    let (app, ada, course) = with_a_course().await;
    let gone = ada.document(&course, "Gone", &words(0, 3_000), "").await;
    ada.document(&course, "Kept", &words(2_000, 2_500), "")
        .await;
    delete(&ada, &gone).await;
    age(&app).await;
    let (one, other) = tokio::join!(
        snapnote::search::sweep::sweep(&app.pool),
        snapnote::search::sweep::sweep(&app.pool)
    );
    assert!(one.unwrap() + other.unwrap() >= 3_000);
    sweep_later(&app).await;
    let left = "search_words WHERE word LIKE 'word%'";
    assert_eq!(app.count(left).await, 500);
    assert_eq!(ada.found("wordd2222").await, ["Kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_kept_per_user() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let own = ada.course("Giraffe", "").await;
    eve.course("Giraffe", "").await;
    assert_eq!(known(&app, "giraffe").await, 2);
    delete(&ada, &own).await;
    sweep_later(&app).await;
    assert_eq!(known(&app, "giraffe").await, 1);
    assert_eq!(eve.found("girafe").await, ["Giraffe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_users_leave_no_words() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    for client in [&ada, &eve] {
        let course = client.course("Giraffes", "long necks").await;
        client.document(&course, "Okapi", "short neck", "").await;
        let gone = client.document(&course, "Quagga", "gone", "").await;
        delete(client, &gone).await;
    }
    let rows = "(SELECT count(*) FROM search_entries) * 1000 + (SELECT count(*) FROM search_words)";
    let before = app.number(rows).await;
    ada.delete_me(PASSWORD).await;
    assert_eq!(app.number(rows).await, before / 2);
    for table in ["search_entries", "search_words"] {
        let orphans = format!("{table} WHERE user_id NOT IN (SELECT id FROM users)");
        assert_eq!(app.count(&orphans).await, 0, "{table}");
    }
    assert_eq!(eve.found_sorted("nekc OR girafes").await, ["Giraffes"]);
    sweep(&app).await;
    let queued = "search_departed";
    assert_eq!(app.count(queued).await, 0, "nor in the queue of the sweep");
    app.sql("DELETE FROM users").await;
    assert_eq!(app.number(rows).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_cannot_be_deleted_block_no_others() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    app.sql(
        "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it is stuck'; END $$;
         CREATE TRIGGER stuck BEFORE DELETE ON search_words
             FOR EACH ROW WHEN (OLD.word = 'stuckword') EXECUTE FUNCTION stuck();
         INSERT INTO search_words (user_id, word, stem, look, lost_at)
         SELECT users.id, word, word, search_look(word), now() - minutes * interval '1 minute'
         FROM users, (SELECT 'older' || n, 60 FROM generate_series(1, 30) AS n
             UNION ALL VALUES ('stuckword', 40)) AS lost (word, minutes)",
    )
    .await;
    assert!(snapnote::search::sweep::sweep(&app.pool).await.is_err());
    let left = "SELECT string_agg(word, ' ') FROM search_words WHERE lost_at < now() - interval '10 minutes'";
    assert_eq!(app.text(left).await, "stuckword");
}
