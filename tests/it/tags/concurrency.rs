//! Requests on the same tags and items at the same time.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Tagged;
use crate::support::{errors, ids};

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_tag_the_same_items_at_once_all_take_effect() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let mut tags = Vec::new();
    for number in 0..10 {
        tags.push(ada.create_tag(&format!("{number}")).await);
    }
    let items = [[document.as_str(), &task], [task.as_str(), &document]];
    let requests = tags.iter().enumerate().map(|(at, tag)| {
        let (ada, items) = (&ada, &items[at % 2]);
        async move { ada.tag(items, &[tag], &[]).await }
    });
    join_all(requests).await;
    for item in [&document, &task] {
        let (names, version) = ada.tags_of(item).await;
        assert_eq!((names.len(), version), (10, 11), "each request counts once");
    }
}

/// A tag that goes to the trash while a request names it: the request waits, and then gets IN_TRASH.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_goes_to_the_trash_meanwhile_is_not_added() {
    let Tagged { app, ada, task, .. } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    let trash = "UPDATE tags SET status = 'trash', deleted_at = now()";
    let held = app.begin(trash).await;
    let commit = async {
        app.eventually_blocked(1).await;
        held.commit().await;
    };
    let request = async { ada.try_tag(&[&task], &[&exam], &[]).await };
    let (payload, ()) = tokio::join!(request, commit);
    assert_eq!(errors(&payload), ["IN_TRASH add.0"]);
    assert_eq!(app.count("task_tags").await, 0);
}

/// Only the database can tell that another request takes the name first.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_meanwhile_is_not_restored() {
    let Tagged { app, ada, .. } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    ada.trash(&[&exam]).await;
    let insert = format!(
        "INSERT INTO tags (user_id, id, name) VALUES ('{}', gen_random_uuid(), 'EXAM')",
        ada.id
    );
    let held = app.begin(&insert).await;
    let commit = async {
        app.eventually_blocked(1).await;
        held.commit().await;
    };
    let request = ada.try_mutate("restoreItems", ids(&[&exam]), "items { id }");
    let (payload, ()) = tokio::join!(request, commit);
    assert_eq!(errors(&payload), ["TAKEN ids"]);
    assert_eq!(payload["items"], Value::Null);
    let rename = json!({ "id": ada.create_tag("Other").await, "name": "exam" });
    let payload = ada.try_mutate("updateTag", rename, "").await;
    assert_eq!(errors(&payload), ["TAKEN name"]);
}
