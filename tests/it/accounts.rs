//! Signing up and in, the current user, and the changes that users make to themselves and their profile.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Person, SIGNED_IN, TestApp, errors, list, newcomer};

const ME: &str = "{ me { id email name avatarUrl updatedAt profile {
    proficiency technicalBackground hardwareAccess learningGoals preferences updatedAt } } }";

async fn sign_up(client: &Client, input: Value) -> Value {
    client.try_mutate("signUp", input, SIGNED_IN).await
}

fn at(time: &Value) -> chrono::DateTime<chrono::Utc> {
    serde_json::from_value(time.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_up_signs_in() {
    let app = TestApp::start().await;
    let input = json!({ "email": " Ada@Example.com\n", "password": PASSWORD, "name": "Ada 語" });
    let selection =
        "user { id email name avatarUrl emailVerified active role createdAt updatedAt lastSignInAt
            profile { proficiency technicalBackground hardwareAccess learningGoals preferences } }
        session { id current ipAddress userAgent createdAt lastUsedAt expiresAt }
        accessToken accessTokenExpiresAt refreshToken";
    let curl = app.anonymous().using("curl/8.5");
    let payload = curl.mutate("signUp", input, selection).await;
    let user = &payload["user"];
    assert_eq!(user["email"], "Ada@Example.com");
    assert_eq!(user["name"], "Ada 語");
    assert_eq!(user["avatarUrl"], Value::Null);
    let state = json!([user["emailVerified"], user["active"], user["role"]]);
    assert_eq!(state, json!([false, true, "USER"]));
    assert_eq!(user["lastSignInAt"], user["createdAt"]);
    assert_eq!(user["id"].as_str().unwrap().as_bytes()[14], b'7');
    let nothing = json!({ "proficiency": "PRO", "technicalBackground": null, "hardwareAccess": null,
                          "learningGoals": null, "preferences": null });
    assert_eq!(user["profile"], nothing);

    let session = &payload["session"];
    assert_eq!(session["current"], true);
    assert_eq!(session["ipAddress"], "127.0.0.1");
    assert_eq!(session["userAgent"], "curl/8.5");
    let lasts = at(&session["expiresAt"]) - at(&session["createdAt"]);
    assert_eq!(lasts.num_days(), 30);
    let seconds = (at(&payload["accessTokenExpiresAt"]) - chrono::Utc::now()).num_seconds();
    assert!((890..=900).contains(&seconds), "{seconds}");

    let ada = Person::of(&curl, &payload);
    assert_eq!(ada.query(ME).await["me"]["id"], user["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_belongs_to_one_user_in_upper_and_lower_case() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    app.signed_up("grace").await;
    for email in ["grace@example.com", "  GRACE@Example.COM "] {
        let input = json!({ "email": email, "password": "another horse", "name": "Not Grace" });
        let payload = sign_up(&anonymous, input).await;
        assert_eq!(errors(&payload), ["TAKEN email"]);
        assert_eq!(payload["accessToken"], Value::Null);
        assert!(anonymous.can_sign_in(email, PASSWORD).await);
    }
    assert_eq!(app.count("users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_reports_all_its_errors_and_changes_nothing() {
    let app = TestApp::start().await;
    let long = format!("{}@b", "語".repeat(254));
    let cases = [
        (["", "", ""], "BLANK email TOO_SHORT password BLANK name"),
        (
            ["nobody", "1234567", " \t"],
            "INVALID email TOO_SHORT password BLANK name",
        ),
        (
            [&long, &"x".repeat(129), &"x".repeat(256)],
            "TOO_LONG email TOO_LONG password TOO_LONG name",
        ),
        (
            ["a\0@example.com", "12345678\0", "a\0"],
            "INVALID email INVALID password INVALID name",
        ),
        (["a b@example.com", "12345678", "Ada"], "INVALID email"),
    ];
    for ([email, password, name], expected) in cases {
        let input = json!({ "email": email, "password": password, "name": name });
        let payload = sign_up(&app.anonymous(), input).await;
        assert_eq!(errors(&payload).join(" "), expected);
        assert_eq!(payload["user"], Value::Null);
    }
    assert_eq!(app.count("users").await, 0);
    assert_eq!(app.auth.passwords_hashed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_concurrent_sign_ups_with_one_email_address_one_succeeds() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let payloads = join_all((0..20).map(|_| sign_up(&anonymous, newcomer("ada")))).await;
    let (succeeded, failed): (Vec<_>, Vec<_>) = payloads
        .iter()
        .map(errors)
        .partition(|errors| errors.is_empty());
    assert_eq!(succeeded.len(), 1);
    assert!(failed.iter().all(|errors| *errors == ["TAKEN email"]));
    for table in ["users", "user_profiles", "sessions"] {
        assert_eq!(app.count(table).await, 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ins_have_the_same_response_at_the_same_cost() {
    let app = TestApp::start().await;
    for name in ["ada", "inactive", "outsider"] {
        app.signed_up(name).await;
    }
    app.sql("UPDATE users SET is_active = false WHERE name = 'inactive'")
        .await;
    app.sql("UPDATE users SET password_hash = NULL WHERE name = 'outsider'")
        .await;
    let mut payloads = Vec::new();
    let long = "x".repeat(100_000);
    for (email, password) in [
        ("ada@example.com", "wrong horse"),
        ("ada@example.com", ""),
        ("ada@example.com", &long),
        ("ada@example.com", "correct horse\0"),
        ("nobody@example.com", "correct horse"),
        ("nobody@example.com\0", "correct horse"),
        ("", "correct horse"),
        ("inactive@example.com", "correct horse"),
        ("outsider@example.com", "correct horse"),
        ("outsider@example.com", ""),
    ] {
        let before = app.auth.passwords_hashed();
        let input = json!({ "email": email, "password": password });
        let selection = format!("{SIGNED_IN} userErrors {{ message }}");
        let anonymous = app.anonymous();
        payloads.push(anonymous.try_mutate("signIn", input, &selection).await);
        assert_eq!(app.auth.passwords_hashed() - before, 1, "{email:?}");
    }
    payloads.dedup();
    assert_eq!(payloads.len(), 1, "{payloads:?}");
    assert_eq!(errors(&payloads[0]), ["INVALID_CREDENTIALS"]);
    for field in ["user", "session", "accessToken", "refreshToken"] {
        assert_eq!(payloads[0][field], Value::Null);
    }
    assert_eq!(app.count("sessions").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_and_failed_sign_ins_are_logged() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let session = app.signed_in("ada").await.session;
    app.anonymous()
        .sign_in("ada@example.com", "wrong horse")
        .await;
    app.anonymous()
        .sign_in("nobody@example.com", "wrong horse")
        .await;
    let signed_in = format!(
        "audit_logs WHERE action = 'SIGN_IN' AND entity_type = 'Session'
         AND user_id = '{0}' AND actor_id = '{0}' AND entity_id = '{session}' AND ip_address = '127.0.0.1'",
        ada.id
    );
    assert_eq!(app.count(&signed_in).await, 1);
    let failed = format!(
        "audit_logs WHERE action = 'SIGN_IN_FAILED' AND entity_type = 'User'
         AND user_id = '{0}' AND entity_id = '{0}' AND ip_address = '127.0.0.1'",
        ada.id
    );
    app.eventually_count(&failed, 1).await;
    let all = "audit_logs WHERE action IN ('SIGN_IN', 'SIGN_IN_FAILED')";
    assert_eq!(app.count(all).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_sets_its_time_and_changes_nothing_else() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE users SET last_sign_in_at = NULL").await;
    let before = ada.query(ME).await;
    let input = json!({ "email": "ada@example.com", "password": PASSWORD });
    let payload = app
        .anonymous()
        .mutate("signIn", input, "user { lastSignInAt }")
        .await;
    assert!(payload["user"]["lastSignInAt"].is_string(), "{payload}");
    assert_eq!(ada.query(ME).await, before);
}

async fn update_me(client: &Client, input: Value) -> Value {
    client
        .try_mutate("updateMe", input, "user { name avatarUrl updatedAt }")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn omitted_fields_of_update_me_stay_and_null_clears() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let picture = "https://example.com/ada.png";
    let changed = update_me(&ada, json!({ "avatarUrl": picture })).await;
    assert_eq!(changed["user"]["name"], "ada");
    assert_eq!(changed["user"]["avatarUrl"], picture);
    let renamed = update_me(&ada, json!({ "name": "Ada" })).await;
    assert_eq!(renamed["user"]["name"], "Ada");
    assert_eq!(renamed["user"]["avatarUrl"], picture);

    let log = "audit_logs WHERE action = 'UPDATED'";
    let before = app.count(log).await;
    let nothing = update_me(&ada, json!({})).await;
    assert_eq!(nothing["user"], renamed["user"]);
    assert_eq!(app.count(log).await, before);

    let cleared = update_me(&ada, json!({ "avatarUrl": null })).await;
    assert_eq!(cleared["user"]["name"], "Ada");
    assert_eq!(cleared["user"]["avatarUrl"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_update_of_the_current_user_changes_nothing() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let before = ada.query(ME).await;
    let long = format!("https://example.com/{}", "x".repeat(493));
    for (input, expected) in [
        (
            json!({ "name": null, "avatarUrl": long }),
            "BLANK name, TOO_LONG avatarUrl",
        ),
        (json!({ "name": " ", "avatarUrl": null }), "BLANK name"),
        (json!({ "name": "a\0" }), "INVALID name"),
        (json!({ "name": "x".repeat(256) }), "TOO_LONG name"),
    ] {
        let payload = update_me(&ada, input).await;
        assert_eq!(errors(&payload).join(", "), expected);
        assert_eq!(payload["user"], Value::Null);
    }
    for url in ["nowhere", "javascript:alert(1)", "ftp://example.com/a", ""] {
        let code = ada
            .mutation_error("updateMe", json!({ "avatarUrl": url }))
            .await;
        assert_eq!(code, "BAD_USER_INPUT");
    }
    assert_eq!(ada.query(ME).await, before);
}

async fn update_profile(client: &Client, input: Value) -> Value {
    let selection = "user { profile {
        proficiency technicalBackground hardwareAccess learningGoals preferences } }";
    client.try_mutate("updateProfile", input, selection).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_updated_field_by_field() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let full = "語".repeat(10_000);
    let steps = [
        (
            json!({ "proficiency": "BEGINNER", "learningGoals": full, "preferences": "" }),
            json!({ "proficiency": "BEGINNER", "technicalBackground": null, "hardwareAccess": null,
                    "learningGoals": full, "preferences": "" }),
        ),
        (
            json!({ "technicalBackground": "Looms", "hardwareAccess": "An engine", "learningGoals": null }),
            json!({ "proficiency": "BEGINNER", "technicalBackground": "Looms", "hardwareAccess": "An engine",
                    "learningGoals": null, "preferences": "" }),
        ),
        (
            json!({}),
            json!({ "proficiency": "BEGINNER", "technicalBackground": "Looms", "hardwareAccess": "An engine",
                    "learningGoals": null, "preferences": "" }),
        ),
    ];
    for (input, expected) in steps {
        let payload = update_profile(&ada, input).await;
        let expected = json!({ "user": { "profile": expected }, "userErrors": [] });
        assert_eq!(payload, expected);
    }
    let before = ada.query(ME).await;
    let long = "x".repeat(10_001);
    let bad = json!({ "proficiency": null, "technicalBackground": long, "preferences": "\0" });
    let payload = update_profile(&ada, bad).await;
    let expected = "BLANK proficiency, TOO_LONG technicalBackground, INVALID preferences";
    assert_eq!(errors(&payload).join(", "), expected);
    assert_eq!(payload["user"], Value::Null);
    assert_eq!(ada.query(ME).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_change_only_the_current_user_and_their_profile() {
    let (_app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    update_profile(&ada, json!({ "preferences": "Tea" })).await;
    update_me(&ada, json!({ "name": "Ada" })).await;
    let me = grace.query(ME).await;
    assert_eq!(me["me"]["name"], "grace");
    assert_eq!(me["me"]["profile"]["preferences"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_the_owner_of_a_list_is_read_once() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for _ in 0..10 {
        ada.create_course("Looms").await;
    }
    let before = app.pool.statements();
    let query = "{ courses { nodes { owner { id profile { proficiency } } } } }";
    let courses = ada.query(query).await["courses"]["nodes"].take();
    assert_eq!(list(&courses).len(), 10);
    assert_eq!(courses[9]["owner"]["profile"]["proficiency"], "PRO");
    // The courses, their owner, the profile; and the revocations, once a second.
    let sent = app.pool.statements() - before;
    assert!(sent <= 4, "{sent} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_clients_have_no_user_and_cannot_change_one() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    assert_eq!(anonymous.query(ME).await, json!({ "me": null }));
    for (mutation, input) in [
        ("updateMe", json!({ "name": "x" })),
        ("updateProfile", json!({})),
        ("signOut", Value::Null),
    ] {
        let answer = anonymous.post_mutation(mutation, input, "").await.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(answer["data"], json!({ mutation: null }));
    }
}
