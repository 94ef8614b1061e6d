//! Keeping things: own ids, versions, excerpts, the log, and the trash when many use it at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, TestApp};

const CREATE_COURSE: &str = "mutation($input: CreateCourseInput!) {
    createCourse(input: $input) { course { id name version status } userErrors { code field } } }";
const CREATE_DOCUMENT: &str = "mutation($input: CreateDocumentInput!) {
    createDocument(input: $input) { document { id excerpt } userErrors { code field } } }";
const CREATE_TASK: &str = "mutation($input: CreateTaskInput!) {
    createTask(input: $input) { task { id title } userErrors { code field } } }";
const UPDATE_COURSE: &str = "mutation($input: UpdateCourseInput!) {
    updateCourse(input: $input) { course { name description version updatedAt } userErrors { code field } } }";
const UPDATE_DOCUMENT: &str = "mutation($input: UpdateDocumentInput!) {
    updateDocument(input: $input) { document { excerpt version course { id } } userErrors { code field } } }";
const TRASH: &str = "mutation($ids: [ID!]!) { trashItems(input: { ids: $ids }) {
    items { id status version } userErrors { code field } } }";
const RESTORE: &str = "mutation($ids: [ID!]!) { restoreItems(input: { ids: $ids }) {
    items { id status version } userErrors { code field } } }";
const DELETE: &str = "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { deletedIds userErrors { code field } } }";

/// The only field of a mutation's answer.
async fn did(client: &Client, query: &str, variables: Value) -> Value {
    let data = client.data(query, variables).await;
    data.as_object().unwrap().values().next().unwrap().clone()
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["code"].as_str().unwrap())
        .collect()
}

async fn course(client: &Client) -> Value {
    did(
        client,
        CREATE_COURSE,
        json!({ "input": { "name": "Algebra" } }),
    )
    .await["course"]["id"]
        .clone()
}

async fn document(client: &Client, course: &Value) -> Value {
    let input =
        json!({ "courseId": course, "title": "d", "originalText": "", "formattedNote": "# One" });
    did(client, CREATE_DOCUMENT, json!({ "input": input })).await["document"]["id"].clone()
}

async fn task(client: &Client, course: &Value) -> Value {
    did(
        client,
        CREATE_TASK,
        json!({ "input": { "courseId": course, "title": "t" } }),
    )
    .await["task"]["id"]
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_with_an_own_id_can_be_repeated_whatever_happened_since() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_up("ada").await, app.signed_up("eve").await);
    let input = json!({ "input": { "id": Uuid::now_v7(), "name": "Algebra" } });
    let at_once =
        futures_util::future::join_all((0..20).map(|_| did(&ada, CREATE_COURSE, input.clone())))
            .await;
    assert!(
        at_once
            .iter()
            .all(|made| *made == at_once[0] && codes(made).is_empty()),
        "{at_once:?}"
    );
    let id = &input["input"]["id"];
    assert_eq!(app.number("SELECT count(*) FROM courses").await, 1);
    assert!(
        codes(&did(&eve, CREATE_COURSE, input.clone()).await).is_empty(),
        "another person's id is free"
    );

    let task = json!({ "input": { "id": id, "title": "t" } });
    assert_eq!(
        codes(&did(&ada, CREATE_TASK, task.clone()).await),
        ["TAKEN"]
    );
    did(&ada, TRASH, json!({ "ids": [id] })).await;
    assert_eq!(
        did(&ada, CREATE_COURSE, input.clone()).await["course"]["status"],
        "TRASH",
        "it comes back as it is"
    );
    assert_eq!(
        did(&ada, DELETE, json!({ "ids": [id] })).await["deletedIds"],
        json!([id])
    );
    assert_eq!(
        codes(&did(&ada, CREATE_COURSE, input).await),
        ["TAKEN"],
        "late repeats resurrect nothing"
    );
    assert_eq!(codes(&did(&ada, CREATE_TASK, task).await), ["TAKEN"]);
    let bad = did(
        &ada,
        CREATE_COURSE,
        json!({ "input": { "id": "7", "name": "" } }),
    )
    .await;
    assert_eq!(codes(&bad), ["INVALID", "BLANK"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_is_sent_and_holds_the_version() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = course(&ada).await;
    let update = |fields: Value| {
        let mut input = fields;
        input["id"] = id.clone();
        did(&ada, UPDATE_COURSE, json!({ "input": input }))
    };
    let done = update(json!({ "version": 1, "description": "about groups" })).await;
    assert_eq!(
        (&done["course"]["name"], &done["course"]["version"]),
        (&json!("Algebra"), &json!(2))
    );
    let conflict = update(json!({ "version": 1, "name": "Analysis" })).await;
    assert_eq!(codes(&conflict), ["CONFLICT"]);
    assert_eq!(
        conflict["course"]["description"], "about groups",
        "it comes back as it is now"
    );
    let logged = app.number("SELECT count(*) FROM audit_logs").await;
    assert_eq!(
        update(json!({ "name": "Algebra" })).await["course"]["version"],
        2,
        "what changes nothing counts nothing"
    );
    assert_eq!(app.number("SELECT count(*) FROM audit_logs").await, logged);
    assert_eq!(
        update(json!({ "description": null })).await["course"]["description"],
        Value::Null
    );
    assert_eq!(codes(&update(json!({ "name": null })).await), ["BLANK"]);
    assert_eq!(
        codes(&update(json!({ "name": "a\0b", "color": "red" })).await),
        ["INVALID", "INVALID"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excerpt_follows_its_note_until_one_is_given() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = document(&ada, &course(&ada).await).await;
    let update = |fields: Value| {
        let mut input = fields;
        input["id"] = id.clone();
        did(&ada, UPDATE_DOCUMENT, json!({ "input": input }))
    };
    assert_eq!(
        update(json!({ "formattedNote": "*Two*" })).await["document"]["excerpt"],
        "Two"
    );
    assert_eq!(
        update(json!({ "excerpt": "mine" })).await["document"]["excerpt"],
        "mine"
    );
    assert_eq!(
        update(json!({ "formattedNote": "Three" })).await["document"]["excerpt"],
        "mine"
    );
    assert_eq!(
        update(json!({ "excerpt": null })).await["document"]["excerpt"],
        "Three",
        "made of the note that is there"
    );
    assert_eq!(
        update(json!({ "formattedNote": "Four" })).await["document"]["excerpt"],
        "Four"
    );
    let unknown = update(json!({ "courseId": Uuid::new_v4() })).await;
    assert_eq!(
        unknown["userErrors"],
        json!([{ "code": "NOT_FOUND", "field": ["input", "courseId"] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_of_a_notes_texts_by_their_digests() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let id = document(&ada, &course(&ada).await).await;
    let note = "x".repeat(600);
    did(
        &ada,
        UPDATE_DOCUMENT,
        json!({ "input": { "id": id, "formattedNote": note } }),
    )
    .await;
    let told = "SELECT count(*) FROM audit_logs WHERE action = 'UPDATED' AND version = 2
        AND changes #>> '{formattedNote,old,length}' = '5' AND changes #>> '{formattedNote,new,length}' = '600'
        AND changes #>> '{formattedNote,new,sha256}' = encode(sha256(convert_to(repeat('x', 600), 'UTF8')), 'hex')";
    assert_eq!(app.number(told).await, 1);
    let words = "SELECT count(*) FROM audit_logs WHERE changes::text LIKE '%# One%'";
    assert_eq!(app.number(words).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_brings_back_what_it_took_along_and_no_more() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = course(&ada).await;
    let (before, along) = (document(&ada, &course).await, document(&ada, &course).await);
    let task = task(&ada, &course).await;
    did(&ada, TRASH, json!({ "ids": [before] })).await;
    did(&ada, TRASH, json!({ "ids": [course] })).await;
    let alone = did(&ada, RESTORE, json!({ "ids": [along, task] })).await;
    assert_eq!(
        alone["userErrors"],
        json!([{ "code": "IN_TRASH", "field": ["input", "ids", "0"] }, { "code": "IN_TRASH", "field": ["input", "ids", "1"] }])
    );
    assert_eq!(
        codes(
            &did(
                &ada,
                CREATE_TASK,
                json!({ "input": { "courseId": course, "title": "t" } })
            )
            .await
        ),
        ["IN_TRASH"]
    );
    assert!(codes(&did(&ada, RESTORE, json!({ "ids": [course] })).await).is_empty());
    let status = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Item { status version } } }";
    let nodes = ada
        .data(status, json!({ "ids": [before, along, task] }))
        .await;
    let expected = json!([{ "status": "TRASH", "version": 2 }, { "status": "ACTIVE", "version": 3 }, { "status": "ACTIVE", "version": 3 }]);
    assert_eq!(nodes["nodes"], expected);
    assert_eq!(
        codes(&did(&ada, DELETE, json!({ "ids": [before, along] })).await),
        ["NOT_IN_TRASH"],
        "all or none"
    );
    did(&ada, TRASH, json!({ "ids": [course] })).await;
    let gone = did(&ada, DELETE, json!({ "ids": [course] })).await;
    assert_eq!(
        gone["deletedIds"].as_array().unwrap().len(),
        4,
        "the course and all that was in it"
    );
    assert_eq!(
        app.number("SELECT count(*) FROM documents").await
            + app.number("SELECT count(*) FROM tasks").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_active_ever_stands_in_a_trashed_course_whoever_races() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let (one, other) = (course(&ada).await, course(&ada).await);
    let movable = document(&ada, &one).await;
    let end = Instant::now() + Duration::from_secs(3);
    let worker = |number: usize| {
        let (ada, one, other, movable) = (ada.clone(), one.clone(), other.clone(), movable.clone());
        async move {
            for round in 0.. {
                if Instant::now() > end {
                    break;
                }
                let into = if (round + number).is_multiple_of(2) {
                    &one
                } else {
                    &other
                };
                match (round * 7 + number) % 5 {
                    0 => drop(did(&ada, TRASH, json!({ "ids": [into, movable] })).await),
                    1 => drop(did(&ada, RESTORE, json!({ "ids": [movable, into] })).await),
                    2 => drop(
                        did(
                            &ada,
                            UPDATE_DOCUMENT,
                            json!({ "input": { "id": movable, "courseId": into } }),
                        )
                        .await,
                    ),
                    3 => drop(
                        did(
                            &ada,
                            CREATE_TASK,
                            json!({ "input": { "courseId": into, "title": "t" } }),
                        )
                        .await,
                    ),
                    _ => drop(did(&ada, RESTORE, json!({ "ids": [into] })).await),
                }
            }
        }
    };
    futures_util::future::join_all((0..8).map(worker)).await;
    for table in ["documents", "tasks"] {
        let astray = format!(
            "SELECT count(*) FROM {table} t JOIN courses c ON c.user_id = t.user_id AND c.id = t.course_id
             WHERE c.status = 'trash' AND t.status = 'active'"
        );
        assert_eq!(app.number(&astray).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_deletes_what_has_lain_too_long_and_nothing_else() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let (old, young) = (course(&ada).await, course(&ada).await);
    for course in [&old, &young] {
        document(&ada, course).await;
    }
    did(&ada, TRASH, json!({ "ids": [old, young] })).await;
    app.sql(&format!(
        "UPDATE courses SET deleted_at = now() - interval '31 days' WHERE id = {old};
         UPDATE documents SET deleted_at = now() - interval '31 days' WHERE course_id = {old};",
        old = old.to_string().replace('"', "'")
    ))
    .await;
    let (first, second) = tokio::join!(
        snapnote::trash::sweep::sweep(&app.pool, 30),
        snapnote::trash::sweep::sweep(&app.pool, 30)
    );
    assert_eq!((first.is_ok(), second.is_ok()), (true, true));
    snapnote::pending::finish(&app.pool).await.unwrap();
    assert_eq!(
        ada.data("{ trash { totalCount } }", json!({})).await["trash"]["totalCount"],
        2
    );
    let by_the_service =
        "SELECT count(*) FROM audit_logs WHERE action = 'DELETED' AND actor_id IS NULL";
    assert_eq!(app.number(by_the_service).await, 2);
}
