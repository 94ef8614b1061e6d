//! Sessions as their owner sees them: the list, revoking one or all others, when they were last used, and when they expire.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Client, PASSWORD, TestApp, at_least, codes, list, newcomer, texts, trust_proxies,
};

const SESSIONS: &str =
    "{ me { sessions { id current ipAddress userAgent createdAt lastUsedAt expiresAt } } }";

async fn sessions(client: &Client) -> Value {
    client.query(SESSIONS).await["me"]["sessions"].take()
}

async fn revoke(client: &Client, id: &str) -> Value {
    let input = json!({ "sessionId": id });
    client
        .try_mutate("revokeSession", input, "sessions { id current }")
        .await
}

async fn revoke_others(client: &Client) -> Value {
    let name = "revokeOtherSessions";
    client
        .mutate(name, Value::Null, "sessions { id current }")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_address_that_is_not_ascii_does_not_hide_the_next_one() {
    let (app, ada) = TestApp::with(trust_proxies).await.with_user("ada").await;
    let proxied = app.anonymous().from("\u{e9}, 203.0.113.9");
    proxied.sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(sessions(&ada).await[0]["ipAddress"], "203.0.113.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sessions_are_listed_newest_first_and_one_is_current() {
    let (app, first) = TestApp::start().await.with_user("ada").await;
    let second = app.signed_in("ada").await;
    let third = app.signed_in("ada").await;
    app.signed_up("grace").await;
    for person in [&first, &second, &third] {
        let listed = sessions(person).await;
        let expected = [&third, &second, &first].map(|of| of.session.clone());
        assert_eq!(texts(&listed, "id"), expected);
        for session in list(&listed) {
            assert_eq!(session["current"], session["id"] == person.session);
            assert_eq!(session["ipAddress"], "127.0.0.1");
            assert_eq!(session["userAgent"], Value::Null);
        }
    }
    app.sql(&format!(
        "UPDATE sessions SET expires_at = now() WHERE id = '{}';
         UPDATE sessions SET ended_at = now() WHERE id = '{}'",
        first.session, second.session
    ))
    .await;
    assert_eq!(texts(&sessions(&third).await, "id"), [third.session]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_ends_on_every_process() {
    let (app, other) = TestApp::start().await.and_another().await;
    let (ada, lost) = (app.signed_up("ada").await, app.signed_in("ada").await);
    let there = lost.at(&other);
    assert!(lost.is_accepted().await && there.is_accepted().await);
    let payload = revoke(&ada, &lost.session).await;
    let expected =
        json!({ "sessions": [{ "id": ada.session, "current": true }], "userErrors": [] });
    assert_eq!(payload, expected);
    assert!(!lost.is_accepted().await);
    there.eventually_rejected().await;
    assert!(ada.is_accepted().await && ada.at(&other).is_accepted().await);
    let refused = app.anonymous().refresh(&lost.refresh_token).await;
    assert_eq!(codes(&refused), ["INVALID_TOKEN"]);
    let logged = format!(
        "audit_logs WHERE action = 'SESSION_REVOKED' AND entity_type = 'Session'
         AND user_id = '{0}' AND actor_id = '{0}' AND entity_id = '{1}' AND ip_address = '127.0.0.1'",
        ada.id, lost.session
    );
    assert_eq!(app.count(&logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_session_can_be_revoked_too() {
    let app = TestApp::start().await;
    let (first, second) = (app.signed_up("ada").await, app.signed_in("ada").await);
    let payload = revoke(&second, &second.session).await;
    let expected =
        json!({ "sessions": [{ "id": first.session, "current": false }], "userErrors": [] });
    assert_eq!(payload, expected);
    assert!(!second.is_accepted().await);
    assert!(first.is_accepted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_others_and_ended_sessions_are_not_found() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let ended = app.signed_in("ada").await.session;
    let expired = app.signed_in("ada").await.session;
    revoke(&ada, &ended).await;
    let sql = format!("UPDATE sessions SET expires_at = now() WHERE id = '{expired}'");
    app.sql(&sql).await;
    let unknown = "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f";
    let before = app.count("audit_logs").await;
    let not_found = json!({ "sessions": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["input", "sessionId"] }] });
    for id in [&grace.session, &ended, &expired, &ada.id, unknown, "", "7"] {
        assert_eq!(revoke(&ada, id).await, not_found, "{id}");
    }
    let after = app.count("audit_logs").await;
    assert_eq!(after, before);
    assert!(grace.is_accepted().await);
    let input = json!({ "sessionId": ada.session });
    let code = app.anonymous().mutation_error("revokeSession", input).await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_other_sessions_can_be_revoked_at_once() {
    let (app, other) = TestApp::start().await.and_another().await;
    let ada = app.signed_up("ada").await;
    let elsewhere = [app.signed_in("ada").await, app.signed_in("ada").await];
    let grace = app.signed_up("grace").await;
    let there = elsewhere.each_ref().map(|person| person.at(&other));
    for client in there.iter().chain([&ada.at(&other)]) {
        assert!(client.is_accepted().await);
    }
    let left = json!([{ "id": ada.session, "current": true }]);
    let expected = json!({ "sessions": left, "userErrors": [] });
    assert_eq!(revoke_others(&ada).await, expected);
    for person in &elsewhere {
        assert!(!person.is_accepted().await);
    }
    for client in &there {
        client.eventually_rejected().await;
    }
    for client in [&*ada, &ada.at(&other), &grace] {
        assert!(client.is_accepted().await);
    }
    assert_eq!(revoke_others(&ada).await, expected);
    let logged = "audit_logs WHERE action = 'SESSION_REVOKED'";
    assert_eq!(app.count(logged).await, 2);
    let anonymous = app.anonymous();
    let code = anonymous
        .mutation_error("revokeOtherSessions", Value::Null)
        .await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_session_is_saved_periodically_and_extends_it() {
    let app =
        TestApp::with(|settings| settings.auth.usage_interval = Duration::from_millis(100)).await;
    let ada = app.signed_up("ada").await;
    let idle = app.signed_in("ada").await;
    app.sql(
        "UPDATE sessions SET created_at = now() - interval '70 days',
             last_used_at = now() - interval '1 day', expires_at = now() + interval '5 days'",
    )
    .await;
    assert!(ada.is_accepted().await);
    let used = format!(
        "sessions WHERE id = '{}' AND last_used_at > now() - interval '1 minute'
         AND expires_at = created_at + interval '90 days'",
        ada.session
    );
    app.eventually_count(&used, 1).await;
    let unused = format!(
        "sessions WHERE id = '{}' AND last_used_at < now() - interval '1 hour'",
        idle.session
    );
    assert_eq!(app.count(&unused).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_requests_save_one_last_use_and_no_request_saves_none() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 day'")
        .await;
    for _ in 0..30 {
        assert!(ada.is_accepted().await);
    }
    let fresh = "sessions WHERE last_used_at > now() - interval '1 hour'";
    assert_eq!(app.count(fresh).await, 0);
    for statements in [1, 0] {
        let before = app.pool.statements();
        app.auth.finish().await;
        assert_eq!(app.pool.statements() - before, statements);
    }
    assert_eq!(app.count(fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_sends_no_statements_while_it_gets_no_requests() {
    let app = TestApp::with(|settings| {
        settings.auth.usage_interval = Duration::from_millis(50);
        // Other jobs would run once more half a minute after the last request.
        settings.pool.idle.settle = Duration::from_secs(3600);
    })
    .await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 day'")
        .await;
    assert!(ada.is_accepted().await);
    let noted = "sessions WHERE last_used_at > now() - interval '1 hour'";
    app.eventually_count(noted, 1).await;
    let before = app.pool.statements();
    at_least(Duration::from_millis(1500)).await;
    assert_eq!(app.pool.statements(), before);
    ada.is_accepted().await;
    assert!(app.pool.statements() > before, "statements are counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires_after_thirty_idle_days_or_ninety_days() {
    let app = TestApp::start().await;
    for (name, created, used, is_open) in [
        ("lately", 89, 1, true),
        ("almost", 29, 29, true),
        ("idle", 31, 30, false),
        ("old", 90, 0, false),
    ] {
        let person = app.signed_up(name).await;
        // As its last use saved it so many days ago.
        app.sql(&format!(
            "UPDATE sessions SET created_at = now() - interval '{created} days', last_used_at = now() - interval '{used} days'
             WHERE id = '{0}';
             UPDATE sessions SET expires_at = least(last_used_at + interval '30 days', created_at + interval '90 days')
             WHERE id = '{0}'",
            person.session
        ))
        .await;
        // A process that has not seen it before.
        let other = app.another().await;
        assert_eq!(person.at(&other).is_accepted().await, is_open, "{name}");
        let payload = other.anonymous().refresh(&person.refresh_token).await;
        assert_eq!(codes(&payload).is_empty(), is_open, "{name}: {payload}");
    }
}

const SELF: &str = "session { id } user { sessions { id current } profile { proficiency }
    accounts { provider providerAccountId } auditLog { nodes { action } } }";

#[tokio::test(flavor = "multi_thread")]
async fn the_payloads_of_sign_up_and_sign_in_show_the_users_own_data() {
    let app = TestApp::start().await;
    let up = app
        .anonymous()
        .mutate("signUp", newcomer("ada"), SELF)
        .await;
    assert_eq!(up["user"]["profile"], json!({ "proficiency": "PRO" }));
    let account = json!([{ "provider": "password", "providerAccountId": "ada@example.com" }]);
    assert_eq!(up["user"]["accounts"], account);
    let session = json!([{ "id": up["session"]["id"], "current": true }]);
    assert_eq!(up["user"]["sessions"], session);
    let actions = texts(&up["user"]["auditLog"]["nodes"], "action");
    assert!(actions.contains(&"SIGN_IN".to_owned()), "{up}");

    // With another user's token, the payload still shows the user who has just signed in.
    let grace = app.signed_up("grace").await;
    let input = json!({ "email": "ada@example.com", "password": PASSWORD });
    let payload = grace.mutate("signIn", input, SELF).await;
    let both = json!([{ "id": payload["session"]["id"], "current": true },
               { "id": up["session"]["id"], "current": false }]);
    assert_eq!(payload["user"]["sessions"], both);
    assert_eq!(app.count("audit_logs WHERE action LIKE '%_READ'").await, 0);
}
