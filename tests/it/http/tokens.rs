//! Access tokens in requests: none, blank, malformed, and those that are not accepted.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{JSON, TYPENAME};
use crate::subscriptions::socket::Socket;
use crate::support::{PASSWORD, Person, TestApp, access_key, mutation, newcomer, text};

const ME: &str = r#"{"query":"{ me { id } }"}"#;
const INVALID: &str = "Bearer error=\"invalid_token\", error_description=\"";

/// A token of this user that has expired.
fn expired(person: &Person) -> String {
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let claims = json!({
        "iss": "snapnote", "aud": "snapnote", "sub": person.id, "sid": person.session,
        "exp": chrono::Utc::now().timestamp() - 3600,
    });
    encode(&header, &claims, &EncodingKey::from_secret(&access_key())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_accepted_once_and_as_a_bearer_token() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let token = ada.token.clone().unwrap();
    let (good, lower) = (format!("Bearer {token}"), format!("bearer  {token} "));
    let malformed =
        "`Authorization` is not a bearer token. Send it once, as `Bearer <access token>`.";
    let table: [(&[&str], Option<&str>); 9] = [
        (&[&good], None),
        (&[&lower], None),
        (&["", &good, "Bearer "], None),
        (&[&good, &good], Some(malformed)),
        (&[&token], Some(malformed)),
        (&["Basic YTpi"], Some(malformed)),
        (&["Bearer a b"], Some(malformed)),
        (&["Bearer é"], Some(malformed)),
        (
            &["Bearer a.b.c"],
            Some("The access token is invalid. Sign in again."),
        ),
    ];
    for (values, reason) in table {
        for accept in ["application/json", "application/graphql-response+json"] {
            let mut headers = vec![JSON, ("accept", accept)];
            headers.extend(values.iter().map(|value| ("authorization", *value)));
            let answer = app.anonymous().post_body(&headers, ME).await;
            let challenge = reason.map(|reason| format!("{INVALID}{reason}\""));
            let status = if reason.is_some() { 401 } else { 200 };
            let seen = (answer.status, answer.header("www-authenticate"));
            assert_eq!(seen, (status, challenge.as_deref()), "{values:?}");
            let body = answer.json();
            match reason {
                Some(reason) => {
                    assert_eq!(body["errors"][0]["message"], reason);
                    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
                }
                None => assert_eq!(body["data"]["me"]["id"], json!(ada.id)),
            }
        }
    }
    let cookie = [JSON, ("cookie", &*format!("token={token}"))];
    let anonymous = app.anonymous().post_body(&cookie, ME).await;
    assert_eq!(anonymous.json()["data"]["me"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_credentials_are_no_credentials() {
    let app = TestApp::start().await;
    for values in [
        &[""][..],
        &["   "],
        &["Bearer"],
        &["bearer   "],
        &["", "Bearer"],
    ] {
        let mut headers = vec![JSON];
        headers.extend(values.iter().map(|value| ("authorization", *value)));
        let answer = app.anonymous().post_body(&headers, ME).await;
        let seen = (answer.status, answer.header("www-authenticate"));
        assert_eq!(seen, (200, None), "{values:?}");
        assert_eq!(answer.json(), json!({ "data": { "me": null } }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_does_not_stop_what_needs_no_user() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let left = app.signed_in("ada").await;
    left.sign_out().await;
    let tokens = [
        "stale".to_owned(),
        expired(&ada),
        left.token.clone().unwrap(),
    ];
    for (number, token) in tokens.into_iter().enumerate() {
        let client = app.anonymous().with_token(token);
        for query in ["{ __typename }", "{ __schema { queryType { name } } }"] {
            let answer = client.post(query, json!({})).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("www-authenticate"), None);
            assert!(answer.json().get("errors").is_none(), "{answer:?}");
        }
        let email = "ada@example.com";
        for (name, input, selection) in [
            (
                "refreshSession",
                json!({ "refreshToken": ada.refresh_token }),
                "accessToken user { accounts { provider } }",
            ),
            (
                "signIn",
                json!({ "email": email, "password": PASSWORD }),
                "accessToken user { sessions { id } }",
            ),
            (
                "signUp",
                newcomer(&format!("new{number}")),
                "accessToken user { profile { updatedAt } }",
            ),
            (
                "requestPasswordReset",
                json!({ "email": email }),
                "accepted",
            ),
        ] {
            client.mutate(name, input, selection).await;
        }
        // The emailed token is checked, and not the one in the header.
        let input = json!({ "token": "x", "newPassword": "a better horse" });
        let payload = client.try_mutate("resetPassword", input, "").await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_TOKEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_need_a_user_fail_and_the_others_keep_their_data() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let client = app.anonymous().with_token(expired(&ada));
    let reason = "The access token has expired. Call refreshSession for a new one.";
    let mixed = client.post("{ __typename me { id } }", json!({})).await;
    assert_eq!(mixed.status, 200, "{mixed:?}");
    let challenge = format!("{INVALID}{reason}\"");
    assert_eq!(mixed.header("www-authenticate"), Some(challenge.as_str()));
    let body = mixed.json();
    assert_eq!(body["data"], json!({ "__typename": "Query", "me": null }));
    assert_eq!(body["errors"][0]["path"], json!(["me"]));
    assert_eq!(body["errors"][0]["message"], reason);

    let both = "mutation($token: String!) {
        refreshSession(input: { refreshToken: $token }) { accessToken userErrors { code } }
        createCourse(input: { name: \"x\" }) { course { id } userErrors { code } } }";
    let answer = client
        .post(both, json!({ "token": ada.refresh_token }))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["data"]["createCourse"], Value::Null);
    let fresh = text(&body["data"]["refreshSession"]["accessToken"]);
    assert!(app.anonymous().with_token(fresh).is_accepted().await);

    for query in [
        "{ courses { nodes { id } } }",
        "{ me { id } search(query: \"a\") { edges { score } } }",
        "mutation { createCourse(input: { name: \"x\" }) { course { id } } }",
    ] {
        let failed = client.post(query, json!({})).await;
        assert_eq!(failed.status, 401, "{query} {failed:?}");
        assert_eq!(failed.header("www-authenticate"), Some(challenge.as_str()));
        // Without a token there is nothing wrong with one.
        let anonymous = app.anonymous().post(query, json!({})).await;
        assert_eq!(anonymous.status, 401, "{query} {anonymous:?}");
        assert_eq!(anonymous.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(app.count("courses").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_treat_a_rejected_token_alike() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let client = app.anonymous().with_token(expired(&ada));
    let headers = [JSON, ("accept", "text/event-stream")];
    let refresh = json!({
        "query": mutation("refreshSession", "accessToken"),
        "variables": { "input": { "refreshToken": ada.refresh_token } },
    });
    let answer = client.post_body(&headers, refresh.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("accessToken") && answer.body.contains("event: complete"));
    let me = client.post_body(&headers, ME).await;
    assert_eq!(me.status, 200, "the response starts before the operation");
    assert!(me.header("www-authenticate").unwrap().starts_with(INVALID));
    assert!(me.body.contains("UNAUTHENTICATED"), "{me:?}");
    let listen = json!({ "query": "subscription { changes { cursor } }" });
    let refused = client.post_body(&headers, listen.to_string()).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(
        refused
            .header("www-authenticate")
            .unwrap()
            .starts_with(INVALID)
    );
    let typename = client.post_body(&headers, TYPENAME).await;
    assert!(typename.body.contains("Query"), "{typename:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_credentials_of_sockets_are_no_credentials() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let good = format!("Bearer {}", ada.token.as_deref().unwrap());
    for (handshake, payload, expected) in [
        ("", json!({ "Authorization": "" }), Value::Null),
        (
            "Bearer ",
            json!({ "authorization": " Bearer " }),
            Value::Null,
        ),
        (" ", json!(null), Value::Null),
        (
            &good,
            json!({ "Authorization": "" }),
            json!("ada@example.com"),
        ),
        (
            "",
            json!({ "Authorization": good }),
            json!("ada@example.com"),
        ),
    ] {
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("authorization", handshake),
        ];
        let mut socket = Socket::with(&app.anonymous(), &headers).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": payload });
        socket.send(init).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        socket.subscribe("1", "{ me { email } }", Value::Null).await;
        let next = socket.message().await;
        let email = next["payload"]["data"]["me"].get("email");
        assert_eq!(email.cloned().unwrap_or_default(), expected, "{next}");
    }
}
