//! Passwords and tokens are not stored. Neither they nor email addresses and texts of users are in logs, spans and metrics.

use std::time::Duration;

use serde_json::json;
use snapnote::telemetry::Format;

use crate::{
    subscriptions::socket::{CHANGES, Socket},
    support::{PASSWORD, Person, SIGNED_IN, TestApp, mutation, newcomer, text, with_log},
};

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_tokens_are_not_stored() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let renewed = app.anonymous().refresh(&ada.refresh_token).await;
    let successor = text(&renewed["refreshToken"]);
    app.anonymous()
        .sign_in("ada@example.com", "hidden donkey")
        .await;

    // In every row of every table, as text and as bytes.
    for (what, secret, rows) in [
        (
            "the email address, which is no secret",
            "ada@example.com",
            1,
        ),
        ("the password", PASSWORD, 0),
        ("a wrong password", "hidden donkey", 0),
        ("the access token", ada.token.as_deref().unwrap(), 0),
        ("the first refresh token", &ada.refresh_token, 0),
        ("its successor", &successor, 0),
    ] {
        assert_eq!(app.number(&rows_with(secret)).await, rows, "{what}");
    }
    let hashed = "users WHERE password_hash LIKE '$argon2id$%'";
    assert_eq!(app.count(hashed).await, 1);
}

/// Counts the rows of all tables that hold a text, plainly or as bytes.
fn rows_with(text: &str) -> String {
    format!(
        "SELECT sum((xpath('/row/n/text()', query_to_xml(format(
             'SELECT count(*) AS n FROM %s AS t WHERE strpos(t::text, %L) > 0 OR strpos(t::text, %L) > 0',
             oid::regclass, '{text}', encode('{text}', 'hex')), false, true, '')))[1]::text::bigint)
         FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
}

/// A text that users write. It appears in names, titles, notes, searches and email addresses.
const PLANTED: &str = "zinnwaldite";

/// Signs up, signs in and refreshes, with valid and invalid requests. Returns the secrets that were sent or received.
async fn send_secrets(app: &TestApp) -> Vec<String> {
    let anonymous = app.anonymous();
    let mut input = newcomer(PLANTED);
    input["name"] = PLANTED.into();
    let payload = anonymous.mutate("signUp", input, SIGNED_IN).await;
    let ada = Person::of(&anonymous, &payload);
    let email = format!("{PLANTED}@example.com");
    anonymous.sign_in(&email, "hidden donkey").await;
    anonymous.sign_in(&email, PASSWORD).await;
    ada.refresh(&ada.refresh_token).await;
    for query in [
        "mutation { signIn(input: { password: \"hidden donkey\" }",
        "mutation { signIn(input: { password: \"hidden donkey\" }) { nothing } }",
    ] {
        anonymous.graphql(query, json!({})).await;
    }
    let token = ada.token.clone().unwrap();
    let forger = anonymous.with_token(format!("{token}x"));
    assert!(!forger.is_accepted().await);
    send_texts(app, &ada).await;
    [&token, &ada.refresh_token, PASSWORD, "hidden donkey"]
        .map(str::to_owned)
        .into()
}

/// Writes, reads and searches texts over HTTP and WebSocket, with plans and without, also with mistakes.
async fn send_texts(app: &TestApp, ada: &Person) {
    let course = ada.create_course(PLANTED).await;
    let mut socket = Socket::of(ada).await;
    let variables = json!({ "after": ada.changes_cursor().await });
    let payload = json!({ "query": CHANGES, "variables": variables });
    let message = json!({ "type": "subscribe", "id": PLANTED, "payload": payload });
    socket.send(message).await;
    let text = format!("The {PLANTED} is a mica.");
    let document = json!({
        "courseId": course, "title": PLANTED, "originalText": text, "formattedNote": text,
        "metadata": { PLANTED: PLANTED },
    });
    ada.mutate("createDocument", document.clone(), "document { id }")
        .await;
    assert_eq!(socket.message().await["type"], "next");
    let mut wrong = document;
    wrong["title"] = json!([PLANTED]);
    ada.graphql(
        &mutation("createDocument", "document { id }"),
        json!({ "input": wrong }),
    )
    .await;
    ada.graphql(
        "query($title: String) { documents(filter: { titleContains: $title }) { nodes { title originalText } } }",
        json!({ "title": PLANTED }),
    )
    .await;
    let unverified = app.unverified().await;
    for query in [
        format!("{{ search(query: \"{PLANTED}\") {{ nodes {{ ... on Document {{ title }} }} }} }}"),
        format!("{{ documents(first: \"{PLANTED}\") {{ nodes {{ title }} }} }}"),
        "{ documents { nodes { title excerpt } } }".to_owned(),
    ] {
        ada.at(&unverified).graphql(&query, json!({})).await;
    }
    let reset = json!({ "email": format!("{PLANTED}@example.com") });
    ada.mutate("requestPasswordReset", reset, "").await;
    // The outbox sends to files, so that the mails are rendered.
    app.eventually_count("mails", 0).await;
    unverified.stop().await;
}

#[test]
fn secrets_addresses_and_texts_are_not_in_logs_spans_and_metrics() {
    let (mut secrets, log, metrics) = with_log(tracing::Level::TRACE, |log| async move {
        // Every statement and every operation counts as slow.
        let app = TestApp::with(|settings| {
            settings.pool.slow = Duration::ZERO;
            settings.edge.slow = Duration::ZERO;
        })
        .await;
        let secrets = send_secrets(&app).await;
        let metrics = app.metrics.render(Format::OpenMetrics);
        app.stop().await;
        (secrets, log.text(), metrics)
    });
    for part in [
        "access token rejected",
        "slow statement",
        "slow operation",
        "db.statement",
        "graphql.coerce",
    ] {
        assert!(log.contains(part), "{part} is not in the log");
    }
    secrets.push(PLANTED.to_owned());
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is in the log");
        assert!(!metrics.contains(&secret), "{secret} is in the metrics");
    }
}
