//! Passwords and tokens: neither the log nor the database tells them.

use serde_json::json;

use crate::{
    people::{ME, SIGN_UP, person, sign_in},
    support::{Client, TestApp, with_log},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_token_is_stored() {
    let app = TestApp::start().await;
    let payload = app.visitor().data(SIGN_UP, person("ada")).await["signUp"].take();
    let token = |field: &str| payload[field].as_str().unwrap().to_owned();
    let (access, refresh) = (token("accessToken"), token("refreshToken"));
    let query = format!(
        "mutation {{ refreshSession(input: {{ refreshToken: \"{refresh}\" }}) {{ refreshToken }} }}"
    );
    let renewed = app.visitor().data(&query, json!({})).await["refreshSession"].take();
    let successor = renewed["refreshToken"].as_str().unwrap();
    sign_in(&app.visitor(), "ada@example.com", "hidden donkey").await;

    // Where somebody who has the database would look: in every row of every table, as text and as bytes.
    for (what, secret, rows) in [
        ("the address, which is no secret", "ada@example.com", 1),
        ("the password", "correct horse", 0),
        ("a wrong password", "hidden donkey", 0),
        ("the access token", &access, 0),
        ("the first refresh token", &refresh, 0),
        ("its successor", successor, 0),
    ] {
        assert_eq!(app.number(&rows_with(secret)).await, rows, "{what}");
    }
    let hashed = "SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'";
    assert_eq!(app.number(hashed).await, 1);
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

/// Signs up, in and on, rightly and wrongly; answers the secrets that were told on the way.
async fn tell_secrets() -> Vec<String> {
    let app = TestApp::start().await;
    let payload = app.visitor().data(SIGN_UP, person("ada")).await["signUp"].take();
    let token = |field: &str| payload[field].as_str().unwrap().to_owned();
    let (access, refresh) = (token("accessToken"), token("refreshToken"));
    sign_in(&app.visitor(), "ada@example.com", "hidden donkey").await;
    sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    let ada = Client {
        token: Some(access.clone()),
        ..app.visitor()
    };
    for (client, query) in [
        (
            &ada,
            format!(
                "mutation {{ refreshSession(input: {{ refreshToken: \"{refresh}\" }}) {{ refreshToken }} }}"
            ),
        ),
        (
            &ada,
            "mutation { signIn(input: { password: \"hidden donkey\" }".to_owned(),
        ),
        (
            &app.visitor(),
            "mutation { signIn(input: { password: \"hidden donkey\" }) { nothing } }".to_owned(),
        ),
    ] {
        client.graphql(&query, json!({})).await;
    }
    let forged = Client {
        token: Some(format!("{access}x")),
        ..app.visitor()
    };
    assert_eq!(forged.post(ME, json!({})).await.status, 401);
    app.stop().await;
    vec![
        access,
        refresh,
        "correct horse".to_owned(),
        "hidden donkey".to_owned(),
    ]
}

#[test]
fn no_password_and_no_token_is_logged() {
    let (told, log) = with_log(tracing::Level::TRACE, |log| async move {
        let told = tell_secrets().await;
        (told, log.text())
    });
    assert!(log.contains("access token rejected"), "{log}");
    for secret in told {
        assert!(!log.contains(&secret), "{secret} is in the log:\n{log}");
    }
}
