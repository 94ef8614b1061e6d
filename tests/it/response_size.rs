//! The maximum size of a response: long texts are counted before they are loaded, and the error says what to page.

use serde_json::{Value, json};

use crate::{
    subscriptions::socket::{Events, Socket},
    support::{Answer, Client, TestApp, eventually, list, number, superuser},
};

/// The maximum size of a response in these tests.
const MAX: usize = 3_000_000;
/// The length of each text.
const LENGTH: usize = 400_000;

async fn small_responses() -> TestApp {
    TestApp::with(|settings| settings.max_response = MAX).await
}

/// Ten documents with long texts in a course. The texts do not compress, so that PostgreSQL stores them apart.
async fn long_documents(app: &TestApp, ada: &Client) -> String {
    let course = ada.create_course("Weaving").await;
    app.sql(&format!(
        "INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt)
        SELECT user_id, gen_random_uuid(), id, 'Page ' || n, text, reverse(text), ''
        FROM courses, generate_series(1, 10) AS n, LATERAL (
            SELECT left(string_agg(md5(n || ' ' || part), ''), {LENGTH}) AS text FROM generate_series(1, 12500) AS part
        ) AS texts"
    ))
    .await;
    course
}

fn assert_too_large(answer: &Answer, parts: &[&str]) {
    assert_eq!(answer.status, 200, "{}", answer.status);
    let answer = answer.json();
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "RESPONSE_TOO_LARGE", "{error}");
    for part in parts {
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_would_be_too_large_says_what_to_page() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    long_documents(&app, &ada).await;
    let query = "query($first: Int) { documents(first: $first) { nodes { originalText } } }";
    let answer = ada.post(query, json!({ "first": 10 })).await;
    assert_too_large(
        &answer,
        &["4000000", "`originalText`", "3000000", "`first: 7`"],
    );
    let path = &answer.json()["errors"][0]["path"];
    assert_eq!(path[0], "documents", "{path}");
    let fits = ada.data(query, json!({ "first": 7 })).await;
    let nodes = list(&fits["documents"]["nodes"]);
    assert_eq!(nodes.len(), 7);
    for node in nodes {
        assert_eq!(node["originalText"].as_str().unwrap().len(), LENGTH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_make_a_response_too_large_are_not_read() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    long_documents(&app, &ada).await;
    app.sql("SELECT pg_stat_reset()").await;
    let database = app.database.clone();
    let both = "{ documents { nodes { originalText formattedNote } } }";
    assert_too_large(&ada.post(both, Value::Null).await, &["8000000"]);
    app.stop().await;
    let reads = "SELECT coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0)
        FROM pg_statio_user_tables WHERE relname = 'documents'";
    assert_eq!(number(&mut superuser(&database).await, reads).await, 0);
}

const TEXT: &str = "... on Document { originalText }";

/// Eight fields with the same text.
fn repeated() -> String {
    let aliases = ["a", "b", "c", "d", "e", "f", "g", "h"];
    aliases.map(|it| format!("{it}: originalText")).join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_with_texts_counts() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    let course = long_documents(&app, &ada).await;
    let lists = [
        format!("{{ changes {{ nodes {{ item {{ {TEXT} }} }} }} }}"),
        format!("{{ search(query: \"page\") {{ nodes {{ {TEXT} }} }} }}"),
        "{ courses { nodes { documents { edges { node { formattedNote } } } } } }".to_owned(),
        "{ a: documents(first: 5) { nodes { originalText } } b: documents(last: 5) { nodes { originalText } } }"
            .to_owned(),
    ];
    for query in lists {
        assert_too_large(&ada.post(&query, Value::Null).await, &["3000000"]);
    }
    ada.trash(&[&course]).await;
    let in_trash = "documents(filter: { status: TRASH }) { nodes { originalText } }";
    let query = format!("{{ trash {{ nodes {{ ... on Course {{ {in_trash} }} }} }} }}");
    assert_too_large(&ada.post(&query, Value::Null).await, &["3000000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_found_by_id_count() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    let course = long_documents(&app, &ada).await;
    let documents = ada.query("{ documents { nodes { id } } }").await;
    let documents = list(&documents["documents"]["nodes"]);
    let ids: Vec<&Value> = documents.iter().map(|document| &document["id"]).collect();
    let repeated = repeated();
    for (query, variables) in [
        (
            format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {TEXT} }} }}"),
            json!({ "ids": ids }),
        ),
        (
            format!("query($id: ID!) {{ document(id: $id) {{ {repeated} }} }}"),
            json!({ "id": ids[0] }),
        ),
        (
            "query($id: ID!) { course(id: $id) { documents { nodes { originalText } } } }"
                .to_owned(),
            json!({ "id": course }),
        ),
    ] {
        assert_too_large(&ada.post(&query, variables).await, &["3000000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_metadata_counts_before_it_is_loaded() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    long_documents(&app, &ada).await;
    app.sql("UPDATE documents SET metadata = jsonb_build_object('a', repeat('x', 500000), 'title', title)")
        .await;
    let query = "query($first: Int) { documents(first: $first) { nodes { title metadata } } }";
    let answer = ada.post(query, json!({ "first": 10 })).await;
    assert_too_large(&answer, &["`metadata`", "`first: 5`"]);
    let fits = ada.data(query, json!({ "first": 5 })).await;
    for node in list(&fits["documents"]["nodes"]) {
        assert_eq!(node["metadata"]["title"], node["title"]);
        assert_eq!(node["metadata"]["a"].as_str().unwrap().len(), 500_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_the_json_counts() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    let course = ada.create_course("Weaving").await;
    let document = ada.create_document(&course, "").await;
    // Each control character takes six bytes of JSON.
    app.sql("UPDATE documents SET formatted_note = repeat(chr(1), 600000)")
        .await;
    let query = "query($id: ID!) { document(id: $id) { formattedNote } }";
    let answer = ada.post(query, json!({ "id": document })).await;
    assert_too_large(&answer, &["3000000", "first"]);
    assert!(answer.body.len() < 1_000);
    let mut socket = Socket::of(&ada).await;
    socket
        .subscribe("1", query, json!({ "id": document }))
        .await;
    let message = socket.message().await;
    assert_eq!(message["type"], "next");
    let error = &message["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!(error, "RESPONSE_TOO_LARGE", "{message}");
    assert_eq!(socket.message().await["type"], "complete");
    let mut events = Events::open(&ada, query, json!({ "id": document }), &[]).await;
    let (_, _, data) = events.next().await.unwrap();
    let error = &data["errors"][0]["extensions"]["code"];
    assert_eq!(error, "RESPONSE_TOO_LARGE", "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_a_subscription_has_its_own_maximum() {
    let (app, ada) = small_responses().await.with_user("ada").await;
    long_documents(&app, &ada).await;
    let after = ada
        .query("{ changes(first: 1) { nodes { cursor } } }")
        .await;
    let after = &after["changes"]["nodes"][0]["cursor"];
    let subscription = |texts: &str| {
        format!(
            "subscription($after: String) {{ changes(after: $after) {{ item {{ ... on Document {{ {texts} }} }} }} }}"
        )
    };
    let mut socket = Socket::of(&ada).await;
    let query = subscription("originalText formattedNote");
    socket
        .subscribe("1", &query, json!({ "after": after }))
        .await;
    for _ in 0..10 {
        let event = socket.change().await;
        assert_eq!(
            event["item"]["formattedNote"].as_str().unwrap().len(),
            LENGTH
        );
    }
    socket.complete("1").await;
    let query = subscription(&repeated());
    socket
        .subscribe("2", &query, json!({ "after": after }))
        .await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error", "{message}");
    let code = &message["payload"][0]["extensions"]["code"];
    assert_eq!(code, "RESPONSE_TOO_LARGE", "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_count_as_in_memory_until_they_are_sent() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Weaving").await;
    let id = ada.create_document(&course, "").await;
    app.sql("UPDATE documents SET original_text = repeat('n', 900000)")
        .await;
    let after = json!({ "after": ada.changes_cursor().await });
    let input = json!({ "id": id, "title": "Page" });
    ada.mutate("updateDocument", input, "document { id }").await;
    // 16 MB, which is more than the buffers of a connection hold.
    let texts: String = (0..17).map(|n| format!(" t{n}: originalText")).collect();
    let changes = format!(
        "subscription($after: String) {{ changes(after: $after) {{ item {{ ... on Document {{{texts} }} }} }} }}"
    );
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("1", &changes, after.clone()).await;
    let events = Events::open(&ada, &changes, after, &[]).await;
    eventually("both events are on their way", async || {
        let mut bytes = [0; 1_000];
        let received = socket.stream.get_ref().peek(&mut bytes).await;
        received.unwrap() == bytes.len() && events.unread().await > bytes.len()
    })
    .await;
    let query = format!("query($id: ID!) {{ document(id: $id) {{{texts} }} }}");
    let document = async || ada.post(&query, json!({ "id": id })).await.json();
    let waited = document().await;
    let code = &waited["errors"][0]["extensions"]["code"];
    assert_eq!(code, "UNAVAILABLE", "two large responses are in memory");
    let event = socket.change().await;
    assert_eq!(event["item"]["t16"].as_str().unwrap().len(), 900_000);
    eventually("the event has been sent", async || {
        document().await.get("errors").is_none()
    })
    .await;
    drop(events);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_returns_long_texts_that_it_did_not_change() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Weaving").await;
    let note = "Warp and weft. ".repeat(4_000);
    let document = ada.create_document(&course, &note).await;
    let input = json!({ "id": document, "title": "Page" });
    let updated = ada.mutate(
        "updateDocument",
        input,
        "document { formattedNote originalText }",
    );
    let updated = updated.await;
    assert_eq!(updated["document"]["formattedNote"], note);
    assert_eq!(updated["document"]["originalText"], "");
    drop(app);
}
