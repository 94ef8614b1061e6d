//! A person's dictionary, by which misspelt words are found: it keeps what they have and forgets what they have no more.

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};

use super::{DELETE, RESTORE, TRASH, course, did, document, found, found_sorted, update};
use crate::support::{Client, TestApp, cost, superuser};

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

async fn delete(client: &Client, ids: &[&Value]) {
    did(client, TRASH, json!({ "ids": ids })).await;
    did(client, DELETE, json!({ "ids": ids })).await;
}

/// How often the dictionaries have a word.
async fn known(app: &TestApp, word: &str) -> i64 {
    let count = format!("SELECT count(*) FROM search_words WHERE word = '{word}'");
    app.number(&count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_goes_once_nothing_has_it_and_stays_while_something_has() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let first = document(&ada, &course, "First", "the giraffe", "").await;
    let second = document(&ada, &course, "Second", "giraffes and a giraffe", "").await;
    assert_eq!(known(&app, "giraffe").await, 1, "known once");
    delete(&ada, &[&first]).await;
    assert_eq!(found(&ada, "girafe").await, ["Second"], "before the sweep");
    sweep_later(&app).await;
    assert_eq!(found(&ada, "girafe").await, ["Second"], "and after it");
    assert_eq!(known(&app, "giraffe").await, 1);
    update(
        &ada,
        "Document",
        json!({ "id": second, "formattedNote": "an okapi" }),
    )
    .await;
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
    assert_eq!(found(&ada, "girafe").await, [""; 0]);
    assert_eq!(found(&ada, "okapu").await, ["Second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_trash_keeps_its_words() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let id = document(&ada, &course, "First", "a giraffe", "").await;
    did(&ada, TRASH, json!({ "ids": [id] })).await;
    sweep_later(&app).await;
    did(&ada, RESTORE, json!({ "ids": [id] })).await;
    assert_eq!(found(&ada, "girafe").await, ["First"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_comes_back_is_known_again() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let id = document(&ada, &course, "First", "a giraffe", "").await;
    for _ in 0..5 {
        for note in ["nothing", "a giraffe"] {
            update(&ada, "Document", json!({ "id": id, "formattedNote": note })).await;
        }
        assert_eq!(found(&ada, "girafe").await, ["First"]);
    }
    sweep_later(&app).await;
    assert_eq!(found(&ada, "girafe").await, ["First"]);
    assert_eq!(
        known(&app, "giraffe").await,
        1,
        "however often it came and went"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_comes_back_while_the_sweep_forgets_it_is_kept() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let first = document(&ada, &course, "First", "a giraffe", "").await;
    document(&ada, &course, "Second", "an okapi", "").await;
    delete(&ada, &[&first]).await;
    age(&app).await;
    let mut writer = superuser(&app.database).await;
    writer
        .batch_execute(
            "BEGIN; UPDATE documents SET formatted_note = 'a giraffe' WHERE title = 'Second'",
        )
        .await
        .unwrap();
    sweep(&app).await;
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(found(&ada, "girafe").await, ["Second"]);
    sweep_later(&app).await;
    assert_eq!(found(&ada, "girafe").await, ["Second"]);
    assert_eq!(known(&app, "giraffe").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_saved_again_while_the_sweep_takes_it_from_a_deleted_item_is_kept() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let first = document(&ada, &course, "First", "a wombat", "").await;
    document(&ada, &course, "Second", "an okapi", "").await;
    delete(&ada, &[&first]).await;
    let mut writer = superuser(&app.database).await;
    writer
        .batch_execute(
            "BEGIN; UPDATE documents SET formatted_note = 'a wombat' WHERE title = 'Second'",
        )
        .await
        .unwrap();
    // The item was deleted long ago; its word is not looked at before this transaction can have ended.
    sweep(&app).await;
    sweep(&app).await;
    assert_eq!(known(&app, "wombat").await, 1);
    writer.batch_execute("COMMIT").await.unwrap();
    sweep_later(&app).await;
    assert_eq!(found(&ada, "wonbat").await, ["Second"]);
    assert_eq!(known(&app, "wombat").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_an_item_writes_no_words_and_the_sweep_works_off_all_of_them() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let words = |from: u32, to: u32| {
        let words = (from..to).map(|n| format!("word{n}"));
        words.collect::<Vec<_>>().join(" ")
    };
    // Words of one item take several steps of the sweep; others are shared, or left to a second deleted item.
    let long = document(&ada, &course, "Long", &words(0, 1_700), "").await;
    let short = document(&ada, &course, "Short", &words(1_690, 1_710), "").await;
    document(&ada, &course, "Kept", &words(1_600, 1_700), "").await;
    did(&ada, TRASH, json!({ "ids": [long, short] })).await;
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
    assert_eq!(found(&ada, "word1690").await, ["Kept"]);
    sweep(&app).await;
    let queued = "SELECT count(*) FROM search_departed";
    assert_eq!(app.number(queued).await, 0, "all are worked off");
    let of_none = "SELECT count(*) FROM search_words WHERE item_id IS NOT NULL
        AND item_id NOT IN (SELECT id FROM search_entries)";
    assert_eq!(app.number(of_none).await, 0);
    sweep_later(&app).await;
    let left = "SELECT count(*) FROM search_words WHERE word LIKE 'word%'";
    assert_eq!(app.number(left).await, 100);
    assert_eq!(found(&ada, "wordd1699").await, ["Kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_words_are_swept_by_two_at_once() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada, "Course", "").await;
    let words = |from: u32, to: u32| {
        let words = (from..to).map(|n| format!("word{n}"));
        words.collect::<Vec<_>>().join(" ")
    };
    let gone = document(&ada, &course, "Gone", &words(0, 3_000), "").await;
    document(&ada, &course, "Kept", &words(2_000, 2_500), "").await;
    delete(&ada, &[&gone]).await;
    age(&app).await;
    let (one, other) = tokio::join!(
        snapnote::search::sweep::sweep(&app.pool),
        snapnote::search::sweep::sweep(&app.pool)
    );
    assert!(one.unwrap() + other.unwrap() >= 3_000);
    sweep_later(&app).await;
    let left = "SELECT count(*) FROM search_words WHERE word LIKE 'word%'";
    assert_eq!(app.number(left).await, 500);
    assert_eq!(found(&ada, "wordd2222").await, ["Kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_persons_words_are_not_kept_by_anothers_items() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_up("ada").await, app.signed_up("eve").await);
    let own = course(&ada, "Giraffe", "").await;
    course(&eve, "Giraffe", "").await;
    assert_eq!(known(&app, "giraffe").await, 2);
    delete(&ada, &[&own]).await;
    sweep_later(&app).await;
    assert_eq!(known(&app, "giraffe").await, 1);
    assert_eq!(found(&eve, "girafe").await, ["Giraffe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_leaves_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_up("ada").await, app.signed_up("eve").await);
    for client in [&ada, &eve] {
        let course = course(client, "Giraffes", "long necks").await;
        document(client, &course, "Okapi", "short neck", "").await;
        let gone = document(client, &course, "Quagga", "gone", "").await;
        delete(client, &[&gone]).await;
    }
    let rows = "(SELECT count(*) FROM search_entries) * 1000 + (SELECT count(*) FROM search_words)";
    let before = app.number(rows).await;
    let query =
        "mutation { deleteMe(input: { password: \"correct horse\" }) { userErrors { code } } }";
    did(&ada, query, json!({})).await;
    assert_eq!(app.number(rows).await, before / 2);
    for table in ["search_entries", "search_words"] {
        let orphans =
            format!("SELECT count(*) FROM {table} WHERE user_id NOT IN (SELECT id FROM users)");
        assert_eq!(app.number(&orphans).await, 0, "{table}");
    }
    assert_eq!(found_sorted(&eve, "nekc OR girafes").await, ["Giraffes"]);
    sweep(&app).await;
    let queued = "SELECT count(*) FROM search_departed";
    assert_eq!(app.number(queued).await, 0, "nor in the queue of the sweep");
    app.sql("DELETE FROM users").await;
    assert_eq!(app.number(rows).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_cannot_be_forgotten_does_not_keep_older_ones() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
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
    drop(ada);
}
