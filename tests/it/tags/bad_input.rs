//! Requests on tags that are rejected as a whole.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Tagged;
use crate::support::errors;

#[tokio::test(flavor = "multi_thread")]
async fn names_and_colors_have_limits() {
    let Tagged { app: _app, ada, .. } = Tagged::new().await;
    let long = "語".repeat(101);
    let tag = ada.create_tag(&"語".repeat(100)).await;
    for (name, color, expected) in [
        (
            json!(long),
            json!("#12345"),
            vec!["TOO_LONG name", "INVALID color"],
        ),
        (
            json!("a\0"),
            json!("red"),
            vec!["INVALID name", "INVALID color"],
        ),
        (json!(" "), Value::Null, vec!["BLANK name"]),
    ] {
        let input = json!({ "name": name, "color": color });
        let payload = ada.try_mutate("createTag", input.clone(), "").await;
        assert_eq!(errors(&payload), expected);
        let mut update = input;
        update["id"] = json!(tag);
        let payload = ada.try_mutate("updateTag", update, "").await;
        assert_eq!(errors(&payload), expected);
    }
    let null = json!({ "id": tag, "name": null });
    let null = ada.try_mutate("updateTag", null, "").await;
    assert_eq!(errors(&null), ["BLANK name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_and_tags_that_cannot_be_used_are_all_named() {
    let Tagged {
        app,
        ada,
        course,
        document,
        task,
    } = Tagged::new().await;
    let eve = app.signed_up("eve").await;
    let (foreign, foreign_task) = (
        eve.create_tag("Eve's").await,
        eve.create_task(None, "Eve's").await,
    );
    let (exam, trashed) = (
        ada.create_tag("Exam").await,
        ada.create_tag("Trashed").await,
    );
    ada.tag(&[&document, &task], &[&trashed], &[]).await;
    let old = ada.create_task(None, "Old").await;
    ada.trash(&[&trashed, &old]).await;
    let unknown = Uuid::new_v4().to_string();
    let items = [
        task.as_str(),
        &foreign_task,
        &unknown,
        &course,
        &exam,
        &old,
        "no-uuid",
    ];
    let payload = ada
        .try_tag(&items, &[&exam, &foreign, &trashed], &[&unknown, &document])
        .await;
    let expected = [
        "NOT_FOUND ids.1",
        "NOT_FOUND ids.2",
        "NOT_FOUND ids.3",
        "NOT_FOUND ids.4",
        "IN_TRASH ids.5",
        "NOT_FOUND ids.6",
        "NOT_FOUND add.1",
        "IN_TRASH add.2",
        "NOT_FOUND remove.0",
        "NOT_FOUND remove.1",
    ];
    assert_eq!(errors(&payload), expected);
    assert_eq!(payload["items"], Value::Null);
    assert_eq!(ada.tags_of(&task).await, (vec![], 2), "nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_cannot_be_added_and_removed_at_once() {
    let Tagged {
        app: _app,
        ada,
        task,
        ..
    } = Tagged::new().await;
    let (exam, other) = (ada.create_tag("Exam").await, ada.create_tag("Other").await);
    let payload = ada.try_tag(&[&task], &[&exam], &[&other, &exam]).await;
    assert_eq!(errors(&payload), ["INVALID remove.1"]);
    assert_eq!(ada.tags_of(&task).await, (vec![], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_ids_have_limits_and_duplicates_count_once() {
    let Tagged {
        app: _app,
        ada,
        task,
        ..
    } = Tagged::new().await;
    let exam = ada.create_tag("Exam").await;
    let repeated = vec![exam.as_str(); 30];
    ada.tag(&[task.as_str(); 150], &repeated, &[]).await;
    ada.tag(&[&task], &[], &repeated).await;
    let ids: Vec<String> = (0..101).map(|_| Uuid::new_v4().to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let payload = ada.try_tag(&ids, &ids[..21], &ids[30..51]).await;
    assert_eq!(
        errors(&payload),
        ["TOO_LONG ids", "TOO_LONG add", "TOO_LONG remove"]
    );
    let payload = ada.try_tag(&[], &[&exam], &[]).await;
    assert_eq!(errors(&payload), ["BLANK ids"]);
    let without = json!({ "ids": [task], "add": null });
    let payload = ada.mutate("tagItems", without, "items { version }").await;
    assert_eq!(
        payload["items"],
        json!([{ "version": 3 }]),
        "added and removed above"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_can_have_twenty_tags() {
    let Tagged {
        app: _app,
        ada,
        document,
        task,
        ..
    } = Tagged::new().await;
    let mut tags = Vec::new();
    for number in 0..21 {
        tags.push(ada.create_tag(&format!("{number:02}")).await);
    }
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    ada.tag(&[&document], &tags[..20], &[]).await;
    let payload = ada.try_tag(&[&task, &document], &tags[20..], &[]).await;
    assert_eq!(errors(&payload), ["TOO_LONG ids.1"]);
    assert_eq!(ada.tags_of(&task).await, (vec![], 1), "all or none");
    ada.tag(&[&document], &tags[20..], &tags[..1]).await;
    assert_eq!(ada.tags_of(&document).await.0.len(), 20);
    // Tags in the trash do not count. They come back nevertheless.
    ada.trash(&tags[1..2]).await;
    ada.tag(&[&document], &tags[..1], &[]).await;
    ada.restore(&tags[1..2]).await;
    let (names, version) = ada.tags_of(&document).await;
    assert_eq!((names.len(), version), (21, 4));
    ada.tag(&[&document], &[], &tags[..2]).await;
}
