//! Creating, updating and trashing items: client-made ids, versions, excerpts, the audit log, and concurrent use of the trash.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, codes, errors, ids, list};

#[tokio::test(flavor = "multi_thread")]
async fn a_create_with_the_clients_id_can_be_repeated() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let id = Uuid::now_v7().to_string();
    let input = json!({ "id": id, "name": "Algebra" });
    let course = "course { id name version status }";
    let at_once =
        join_all((0..20).map(|_| ada.mutate("createCourse", input.clone(), course))).await;
    let same = at_once.iter().all(|payload| *payload == at_once[0]);
    assert!(same, "{at_once:?}");
    assert_eq!(app.count("courses").await, 1);
    // Another user's id is free.
    eve.mutate("createCourse", input.clone(), "").await;

    let task = json!({ "id": id, "title": "t" });
    let of_task = ada.try_mutate("createTask", task.clone(), "").await;
    assert_eq!(codes(&of_task), ["TAKEN"]);
    ada.trash(&[&id]).await;
    let repeated = ada.mutate("createCourse", input.clone(), course).await;
    assert_eq!(repeated["course"]["status"], "TRASH", "as it is now");
    assert_eq!(ada.delete(&[&id]).await["deletedIds"], json!([id]));
    let late = ada.try_mutate("createCourse", input, "").await;
    assert_eq!(codes(&late), ["TAKEN"], "deleted items stay deleted");
    let of_task = ada.try_mutate("createTask", task, "").await;
    assert_eq!(codes(&of_task), ["TAKEN"]);
    let bad = json!({ "id": "7", "name": "" });
    let bad = ada.try_mutate("createCourse", bad, "").await;
    assert_eq!(codes(&bad), ["INVALID", "BLANK"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_the_given_fields_of_the_given_version() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let id = ada.create_course("Algebra").await;
    let update = async |fields: Value| {
        let mut input = fields;
        input["id"] = json!(id);
        let selection = "course { name description version updatedAt }";
        ada.try_mutate("updateCourse", input, selection).await
    };
    let done = update(json!({ "version": 1, "description": "about groups" })).await;
    let course = &done["course"];
    assert_eq!(course["name"], "Algebra");
    assert_eq!(course["version"], 2);
    let conflict = update(json!({ "version": 1, "name": "Analysis" })).await;
    assert_eq!(codes(&conflict), ["CONFLICT"]);
    let current = &conflict["course"];
    assert_eq!(current["description"], "about groups");
    let logged = app.count("audit_logs").await;
    let same = update(json!({ "name": "Algebra" })).await;
    assert_eq!(same["course"]["version"], 2, "nothing changed");
    assert_eq!(app.count("audit_logs").await, logged);
    let cleared = update(json!({ "description": null })).await;
    assert_eq!(cleared["course"]["description"], Value::Null);
    assert_eq!(codes(&update(json!({ "name": null })).await), ["BLANK"]);
    let invalid = update(json!({ "name": "a\0b", "color": "red" })).await;
    assert_eq!(codes(&invalid), ["INVALID", "INVALID"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excerpt_is_derived_from_the_note_until_one_is_given() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let id = ada.create_document(&course, "# One").await;
    for (fields, excerpt) in [
        (json!({ "formattedNote": "*Two*" }), "Two"),
        (json!({ "excerpt": "mine" }), "mine"),
        (json!({ "formattedNote": "Three" }), "mine"),
        (json!({ "excerpt": null }), "Three"),
        (json!({ "formattedNote": "Four" }), "Four"),
    ] {
        let mut input = fields;
        input["id"] = json!(id);
        let payload = ada
            .mutate("updateDocument", input, "document { excerpt }")
            .await;
        assert_eq!(payload["document"]["excerpt"], excerpt);
    }
    let unknown = json!({ "id": id, "courseId": Uuid::new_v4() });
    let unknown = ada.try_mutate("updateDocument", unknown, "").await;
    assert_eq!(errors(&unknown), ["NOT_FOUND courseId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_has_digests_of_a_documents_texts() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let id = ada.create_document(&course, "# One").await;
    let note = "x".repeat(600);
    ada.update("Document", &id, json!({ "formattedNote": note }))
        .await;
    let digests = "audit_logs WHERE action = 'UPDATED' AND version = 2
        AND changes #>> '{formattedNote,old,length}' = '5' AND changes #>> '{formattedNote,new,length}' = '600'
        AND changes #>> '{formattedNote,new,sha256}' = encode(sha256(convert_to(repeat('x', 600), 'UTF8')), 'hex')";
    assert_eq!(app.count(digests).await, 1);
    let texts = "audit_logs WHERE changes::text LIKE '%# One%'";
    assert_eq!(app.count(texts).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_restores_only_what_was_trashed_with_it() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Algebra").await;
    let (before, with) = (
        ada.create_document(&course, "# One").await,
        ada.create_document(&course, "# One").await,
    );
    let task = ada.create_task(Some(&course), "t").await;
    ada.trash(&[&before]).await;
    ada.trash(&[&course]).await;
    let alone = ada
        .try_mutate("restoreItems", ids(&[&with, &task]), "")
        .await;
    assert_eq!(errors(&alone), ["IN_TRASH ids.0", "IN_TRASH ids.1"]);
    let new = json!({ "courseId": course, "title": "t" });
    let new = ada.try_mutate("createTask", new, "").await;
    assert_eq!(codes(&new), ["IN_TRASH"]);
    ada.restore(&[&course]).await;
    let status = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Item { status version } } }";
    let nodes = ada.data(status, ids(&[&before, &with, &task])).await;
    let active = json!({ "status": "ACTIVE", "version": 3 });
    let expected = json!([{ "status": "TRASH", "version": 2 }, active, active]);
    assert_eq!(nodes["nodes"], expected);
    let all_or_none = ada
        .try_mutate("deleteItems", ids(&[&before, &with]), "")
        .await;
    assert_eq!(codes(&all_or_none), ["NOT_IN_TRASH"]);
    ada.trash(&[&course]).await;
    let deleted = ada.delete(&[&course]).await;
    let ids = list(&deleted["deletedIds"]).len();
    assert_eq!(ids, 4, "the course and its contents");
    assert_eq!(app.count("documents").await + app.count("tasks").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_mutations_never_leave_active_items_in_a_trashed_course() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let (one, other) = (
        ada.create_course("One").await,
        ada.create_course("Other").await,
    );
    let movable = ada.create_document(&one, "# One").await;
    let end = Instant::now() + Duration::from_secs(3);
    let worker = async |number: usize| {
        for round in 0.. {
            if Instant::now() > end {
                break;
            }
            let into = if (round + number).is_multiple_of(2) {
                &one
            } else {
                &other
            };
            let (name, input) = match (round * 7 + number) % 5 {
                0 => ("trashItems", ids(&[into, &movable])),
                1 => ("restoreItems", ids(&[&movable, into])),
                2 => ("updateDocument", json!({ "id": movable, "courseId": into })),
                3 => ("createTask", json!({ "courseId": into, "title": "t" })),
                _ => ("restoreItems", ids(&[into])),
            };
            ada.try_mutate(name, input, "").await;
        }
    };
    join_all((0..8).map(worker)).await;
    for table in ["documents", "tasks"] {
        let stray = format!(
            "{table} t JOIN courses c ON c.user_id = t.user_id AND c.id = t.course_id
             WHERE c.status = 'trash' AND t.status = 'active'"
        );
        assert_eq!(app.count(&stray).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_deletes_only_what_was_in_the_trash_for_too_long() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let (old, young) = (
        ada.create_course("Old").await,
        ada.create_course("Young").await,
    );
    for course in [&old, &young] {
        ada.create_document(course, "# One").await;
    }
    ada.trash(&[&old, &young]).await;
    app.sql(&format!(
        "UPDATE courses SET deleted_at = now() - interval '31 days' WHERE id = '{old}';
         UPDATE documents SET deleted_at = now() - interval '31 days' WHERE course_id = '{old}';"
    ))
    .await;
    let sweep = || snapnote::trash::sweep::sweep(&app.pool, 30);
    let (first, second) = tokio::join!(sweep(), sweep());
    assert_eq!((first.is_ok(), second.is_ok()), (true, true));
    snapnote::pending::finish(&app.pool).await.unwrap();
    let trash = ada.query("{ trash { totalCount } }").await;
    assert_eq!(trash["trash"]["totalCount"], 2);
    let by_the_service = "audit_logs WHERE action = 'DELETED' AND actor_id IS NULL";
    assert_eq!(app.count(by_the_service).await, 2);
}
