//! The indexes of the search: made from the items, kept up to date by the change feed, and stored.

use serde_json::json;

use tokio::{task::JoinSet, time::Duration};

use crate::{
    change_feed::aged,
    support::{Client, PASSWORD, Person, TestApp, asked_alone, eventually_eq, read_of},
};

/// The number of stored indexes.
const STORED: &str = "search_indexes WHERE part = 0";

/// More items than are read in one statement.
const MANY: &str = "
    INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Savanna' FROM users WHERE name = 'ada';
    INSERT INTO documents (user_id, id, course_id, title, formatted_note, original_text, excerpt)
    SELECT user_id, md5('document ' || n)::uuid, id, 'Document ' || n, 'A **zebra** with word' || n, 'recognised', ''
    FROM courses, generate_series(1, 250) AS n";

async fn with_many() -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql(MANY).await;
    app.sql("VACUUM ANALYZE").await;
    (app, ada)
}

/// Waits until the index of the only user who has searched is stored.
async fn stored(app: &TestApp) {
    app.eventually_count(STORED, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_items_are_found_by_the_first_search() {
    let (_app, ada) = with_many().await;
    assert_eq!(ada.found("\"word250\"").await, ["Document 250"]);
    let page = ada.search(json!({ "query": "zebra", "first": 100 })).await;
    assert_eq!(page["edges"].as_array().unwrap().len(), 100);
    assert_eq!(page["isIncomplete"], false);
    assert_eq!(ada.found("savanna").await, ["Savanna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_starts_with_the_stored_index_and_the_changes_since() {
    let (app, ada) = with_many().await;
    assert_eq!(ada.found("word7").await[0], "Document 7");
    stored(&app).await;
    let course = ada.course("Okapis", "").await;
    app.sql(
        "UPDATE documents SET formatted_note = 'A quagga' WHERE title = 'Document 7';
         DELETE FROM documents WHERE title = 'Document 8'",
    )
    .await;
    let queries = async |there: &Client| {
        assert_eq!(there.found("okapi").await, ["Okapis"]);
        assert_eq!(there.found("quagga").await, ["Document 7"]);
        assert_eq!(there.found("\"word7\"").await, [""; 0]);
        assert_eq!(there.found("\"word8\"").await, [""; 0]);
        assert_eq!(there.found("\"word9\"").await, ["Document 9"]);
    };
    asked_alone(&app, &ada, queries).await;
    let fetched = read_of(&app, "documents").await.fetched;
    assert!(fetched < 20, "the other documents were not read: {fetched}");
    let other = app.another().await;
    ada.at(&other).rename_course(&course, "Giraffes").await;
    assert_eq!(ada.at(&other).found("giraffe").await, ["Giraffes"]);
    assert_eq!(ada.at(&other).found("okapi").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_one_process_are_found_at_once_in_another() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let other = app.another().await;
    let there = ada.at(&other);
    for round in 0..20 {
        let (here, there) = if round % 2 == 0 {
            (&*ada, &there)
        } else {
            (&there, &*ada)
        };
        let id = here.course(&format!("Course name{round}"), "").await;
        assert_eq!(there.found(&format!("\"name{round}\"")).await.len(), 1);
        there.trash(&[&id]).await;
        assert_eq!(here.found(&format!("\"name{round}\"")).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_database_or_version_is_made_again() {
    let (app, ada) = with_many().await;
    for damage in [
        "UPDATE search_indexes SET data = ''",
        "UPDATE search_indexes SET data = substr(data, 1, 2000)",
        "UPDATE search_indexes SET data = data || '\\x00'",
        "UPDATE search_indexes SET data = overlay(data PLACING '\\xffffffffff' FROM 300)",
        "DELETE FROM change_epochs",
    ] {
        assert_eq!(ada.found("\"word9\"").await, ["Document 9"]);
        stored(&app).await;
        app.sql(damage).await;
        let other = app.another().await;
        assert_eq!(
            ada.at(&other).found("\"word9\"").await,
            ["Document 9"],
            "{damage}"
        );
        app.sql("DELETE FROM search_indexes").await;
        app.sql("UPDATE documents SET formatted_note = formatted_note || ' again'")
            .await;
    }
}

/// Completing, trashing and restoring an item do not change its words.
#[tokio::test(flavor = "multi_thread")]
async fn texts_are_read_again_only_if_they_changed() {
    let (app, ada) = with_many().await;
    ada.found("zebra").await;
    stored(&app).await;
    app.sql(
        "ALTER TABLE documents DISABLE TRIGGER documents_log;
         UPDATE documents SET formatted_note = 'unlogged' WHERE title IN ('Document 7', 'Document 9');
         ALTER TABLE documents ENABLE TRIGGER documents_log;
         UPDATE documents SET processing_time = 1;
         UPDATE documents SET title = 'Renamed' WHERE title = 'Document 9'",
    )
    .await;
    let other = app.another().await;
    for client in [&*ada, &ada.at(&other)] {
        assert_eq!(
            client.found("\"word7\"").await,
            ["Document 7"],
            "its texts were not read"
        );
        assert_eq!(client.found("unlogged").await, ["Renamed"]);
        assert_eq!(client.found("\"word9\"").await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_users_leave_no_index() {
    let (app, ada) = with_many().await;
    ada.found("zebra").await;
    stored(&app).await;
    ada.delete_me(PASSWORD).await;
    app.eventually_count("search_indexes", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_stored_again_after_many_changes() {
    let (app, ada) = with_many().await;
    ada.found("zebra").await;
    stored(&app).await;
    let digest = "SELECT md5(string_agg(data, '' ORDER BY part)) FROM search_indexes";
    let before = app.text(digest).await;
    app.sql("UPDATE documents SET formatted_note = 'An okapi'")
        .await;
    assert_eq!(ada.found("zebra").await, [""; 0]);
    eventually_eq("the index is stored again", true, async || {
        app.text(digest).await != before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_makes_the_index_of_many_documents_before_the_first_search() {
    let (app, ada) = with_many().await;
    let small = app.signed_up("eve").await;
    small.course("Okapis", "").await;
    let other = app.another().await;
    stored(&app).await;
    assert_eq!(ada.at(&other).found("\"word9\"").await, ["Document 9"]);
    assert_eq!(small.found("okapi").await, ["Okapis"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_index_cannot_be_stored_does_not_block_the_job_for_others() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    app.sql(&MANY.replace(" WHERE name = 'ada'", "")).await;
    let (first, second) = (
        ada.id.clone().min(eve.id.clone()),
        ada.id.clone().max(eve.id.clone()),
    );
    app.sql(&format!(
        "ALTER TABLE search_indexes ADD CONSTRAINT search_indexes_planted_fault CHECK (user_id <> '{first}')"
    ))
    .await;
    let _other = app.another().await;
    let of_second = format!("{STORED} AND user_id = '{second}'");
    app.eventually_count(&of_second, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_stored_again_after_many_deletions() {
    let (app, ada) = with_many().await;
    ada.found("zebra").await;
    stored(&app).await;
    let size = "SELECT sum(length(data))::text FROM search_indexes";
    let before: u64 = app.text(size).await.parse().unwrap();
    app.sql("DELETE FROM documents WHERE title <> 'Document 7'")
        .await;
    assert_eq!(ada.found("zebra").await, ["Document 7"]);
    eventually_eq("the index without the documents", true, async || {
        app.text(size).await.parse::<u64>().unwrap() < before / 10
    })
    .await;
}

/// Makes the stored index so many days older.
async fn age_stored(app: &TestApp, days: u64) {
    let header = "substr(data, 1, position('\\x0a' IN data) - 1)";
    let header =
        format!("SELECT convert_from({header}, 'UTF8') FROM search_indexes WHERE part = 0");
    let header = app.text(&header).await;
    let cursor = header.split(' ').nth(1).unwrap();
    let older = header.replace(cursor, &aged(&json!(cursor), days));
    app.sql(&format!(
        "UPDATE search_indexes SET data = overlay(data PLACING '{older}'::bytea FROM 1) WHERE part = 0"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_stored_again_before_it_expires() {
    let (app, ada) = with_many().await;
    ada.found("zebra").await;
    stored(&app).await;
    let digest = "SELECT md5(string_agg(data, '' ORDER BY part)) FROM search_indexes";
    age_stored(&app, 16).await;
    let before = app.text(digest).await;
    let other = app.another().await;
    assert_eq!(ada.at(&other).found("\"word9\"").await, ["Document 9"]);
    eventually_eq("the index is stored again", true, async || {
        app.text(digest).await != before
    })
    .await;
}

/// 1,500 documents with 45,000 different words, more than half a megabyte of index holds.
const TOO_MANY: &str = "
    INSERT INTO courses (user_id, id, name) SELECT id, md5('course')::uuid, 'Savanna' FROM users;
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
    SELECT user_id, lpad(n::text, 32, '0')::uuid, id, 'Document ' || n, 'number' || n,
        (SELECT string_agg('w' || md5(n || ' ' || word), ' ') FROM generate_series(1, 30) AS word), ''
    FROM courses, generate_series(1, 1500) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_index_takes_no_more_items_until_there_is_room() {
    let app = TestApp::with(|settings| settings.search_bytes = 1 << 20).await;
    let ada = app.signed_up("ada").await;
    app.sql(TOO_MANY).await;
    // Reading takes several searches on a slow machine.
    for _ in 0..5 {
        assert_eq!(ada.found("\"number1\"").await, ["Document 1"]);
        assert_eq!(ada.found("\"number1500\"").await, [""; 0]);
    }
    let incomplete =
        async |query| ada.search(json!({ "query": query })).await["isIncomplete"].clone();
    assert_eq!(incomplete("number1").await, true);
    assert_eq!(incomplete("no such word").await, true);
    stored(&app).await;
    let size = "SELECT sum(length(data)) FROM search_indexes";
    let size = app.number(size).await;
    assert!(size < 1 << 20, "{size}");

    app.sql("UPDATE documents SET original_text = 'quagga' WHERE title = 'Document 2'")
        .await;
    assert_eq!(ada.found("quagga").await, [""; 0]);
    let old = ada.found("\"number2\"").await;
    assert_eq!(old, [""; 0], "it is not found by its old text");
    app.sql("DELETE FROM documents WHERE title NOT IN ('Document 2', 'Document 1500')")
        .await;
    assert_eq!(ada.found("quagga").await, ["Document 2"]);
    assert_eq!(ada.found("\"number1500\"").await, ["Document 1500"]);
    assert_eq!(incomplete("number1").await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_may_lease_no_more_connections_do_not_delay_the_first_searches_of_others() {
    let app = TestApp::with(|settings| {
        settings.pool.shared_reads = false;
        settings.pool.wait = Duration::from_secs(60);
    });
    let (app, ada, bob) = app.await.with_users("ada", "bob").await;
    let of_ada = ada.create_course("Zebra").await;
    let of_bob = bob.create_course("Zebra").await;
    let lock = app.begin("SELECT FROM courses FOR UPDATE").await;
    let (mut renames, mut searches) = (JoinSet::new(), JoinSet::new());
    for (user, course) in [(&ada, &of_ada), (&bob, &of_bob)] {
        // All connections that a user may lease: a third of eight.
        for _ in 0..2 {
            let (user, course) = (user.client.clone(), course.clone());
            renames.spawn(async move { user.rename_course(&course, "Quagga").await });
        }
    }
    app.eventually_blocked(4).await;
    for user in [&ada, &bob] {
        let user = user.client.clone();
        searches.spawn(async move { user.found("quagga").await });
    }
    // Signing up takes longer than the two searches take to begin.
    let eve = app.signed_up("eve").await;
    assert_eq!(eve.found("zebra").await, [""; 0]);
    assert!(searches.try_join_next().is_none(), "they still wait");
    lock.rollback().await;
    renames.join_all().await;
    for found in searches.join_all().await {
        assert_eq!(found, ["Quagga"]);
    }
}
