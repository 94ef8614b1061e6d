//! `snapnote reindex`.

use super::migrate::{error, printed};
use crate::support::{TestApp, url_of};

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_rebuilt_for_one_user_or_all_and_counted() {
    let (app, ada, _eve) = TestApp::start().await.with_users("ada", "eve").await;
    ada.create_course("Algebra").await;
    let url = url_of(&app.database).await;
    let status = printed(&url, &["reindex", "--status"]).await;
    assert!(status.contains("0 of 2 users"), "{status}");

    let made = printed(&url, &["reindex", "--user", "Ada@example.com"]).await;
    assert_eq!(made, "Search indexes rebuilt: 1.\n");
    let status = printed(&url, &["reindex", "--status"]).await;
    assert!(status.contains("1 of 2 users"), "{status}");
    let owner = format!("search_indexes WHERE user_id = '{}'", ada.id);
    assert_eq!(app.count(&owner).await, 1);

    app.sql("UPDATE search_indexes SET data = 'damaged'").await;
    let made = printed(&url, &["reindex"]).await;
    assert_eq!(made, "Search indexes rebuilt: 2.\n");
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
