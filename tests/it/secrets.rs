//! Passwords and tokens are neither stored nor logged.

use crate::support::{PASSWORD, TestApp, text, with_log};

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

/// Signs up, signs in and refreshes, with valid and invalid requests. Returns the secrets that were sent or received.
async fn send_secrets() -> Vec<String> {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let anonymous = app.anonymous();
    anonymous.sign_in("ada@example.com", "hidden donkey").await;
    anonymous.sign_in("ada@example.com", PASSWORD).await;
    ada.refresh(&ada.refresh_token).await;
    for query in [
        "mutation { signIn(input: { password: \"hidden donkey\" }",
        "mutation { signIn(input: { password: \"hidden donkey\" }) { nothing } }",
    ] {
        anonymous.graphql(query, serde_json::json!({})).await;
    }
    let token = ada.token.clone().unwrap();
    let forger = anonymous.with_token(format!("{token}x"));
    assert!(!forger.is_accepted().await);
    app.stop().await;
    let passwords = [PASSWORD, "hidden donkey"].map(str::to_owned);
    [token, ada.refresh_token]
        .into_iter()
        .chain(passwords)
        .collect()
}

#[test]
fn passwords_and_tokens_are_not_logged() {
    let (secrets, log) = with_log(tracing::Level::TRACE, |log| async move {
        let secrets = send_secrets().await;
        (secrets, log.text())
    });
    assert!(log.contains("access token rejected"), "{log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log:\n{log}");
    }
}
