//! `snapnote reindex`.

use serde_json::json;

use super::migrate::{error, printed};
use crate::support::{Client, TestApp, texts, url_of};

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_built_for_one_user_or_all_and_counted() {
    let (app, ada, _eve) = TestApp::start().await.with_users("ada", "eve").await;
    ada.create_course("Algebra").await;
    let url = url_of(&app.database).await;
    let status = printed(&url, &["reindex", "--status"]).await;
    assert!(status.contains("0 of 2 users"), "{status}");

    let built = printed(&url, &["reindex", "--user", "Ada@example.com"]).await;
    assert_eq!(built, "Search indexes built: 1.\n");
    let status = printed(&url, &["reindex", "--status"]).await;
    assert!(status.contains("1 of 2 users"), "{status}");
    let owner = format!("search_indexes WHERE user_id = '{}'", ada.id);
    assert_eq!(app.count(&owner).await, 1);

    app.sql("UPDATE search_indexes SET data = 'damaged'").await;
    let built = printed(&url, &["reindex"]).await;
    assert_eq!(built, "Search indexes built: 2.\n");
    let damaged = "search_indexes WHERE data = 'damaged'";
    assert_eq!(app.count(damaged).await, 0);

    let unknown = error(&url, &["reindex", "--user", "nobody@example.com"]).await;
    assert!(
        unknown.contains("No user has the email address nobody@example.com"),
        "{unknown}"
    );
    let invalid = error(&url, &["reindex", "--user", "nobody"]).await;
    assert!(invalid.contains("The email address"), "{invalid}");
}

/// The titles of the documents that a query finds.
async fn found(client: &Client, query: &str) -> Vec<String> {
    let search =
        "query($query: String!) { search(query: $query) { nodes { ... on Document { title } } } }";
    let found = client.data(search, json!({ "query": query })).await;
    texts(&found["search"]["nodes"], "title")
}

#[tokio::test(flavor = "multi_thread")]
async fn running_processes_use_the_index_that_reindex_built() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let input = json!({ "courseId": course, "title": "Wrong", "formattedNote": "zebra" });
    ada.create("Document", input).await;
    let other = app.another().await;
    let there = ada.at(&other);
    for client in [&*ada, &there] {
        assert_eq!(found(client, "zebra").await, ["Wrong"]);
    }
    app.sql(
        "ALTER TABLE documents DISABLE TRIGGER documents_log;
         UPDATE documents SET formatted_note = 'quagga';
         ALTER TABLE documents ENABLE TRIGGER documents_log",
    )
    .await;
    for client in [&*ada, &there] {
        let indexed = found(client, "quagga").await;
        assert_eq!(indexed, [""; 0], "the log does not contain the change");
    }
    printed(&url_of(&app.database).await, &["reindex"]).await;
    for client in [&*ada, &there] {
        assert_eq!(found(client, "quagga").await, ["Wrong"]);
        assert_eq!(found(client, "zebra").await, [""; 0]);
    }
}
