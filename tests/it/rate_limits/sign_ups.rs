//! Only new users count against the limit of sign-ups. Failed attempts have a wider limit, which bounds their work.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ADA, AWAY, HOME, WRONG, code, limited, passed, payload, sign_up, succeeded};
use crate::support::{Answer, PASSWORD, TestApp, newcomer};

/// A sign-up from home with this input.
async fn with(app: &TestApp, input: Value) -> Answer {
    let home = app.anonymous().from(HOME);
    home.post_mutation("signUp", input, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ups_do_not_count() {
    let app = limited(|limits| limits.sign_up = "2/h".parse().unwrap()).await;
    assert!(succeeded(&sign_up(&app, HOME, "ada").await));
    for (email, password, name, expected) in [
        ("ada", PASSWORD, "Ada", "INVALID"),
        ("eve@example.com", "short", "Eve", "TOO_SHORT"),
        ("eve@example.com", PASSWORD, "", "BLANK"),
        ("eve@example.com", "password1", "Eve", "WEAK_PASSWORD"),
        (ADA, PASSWORD, "Ada", "TAKEN"),
        ("ADA@Example.com", PASSWORD, "Ada", "TAKEN"),
    ] {
        let input = json!({ "email": email, "password": password, "name": name });
        assert_eq!(code(&with(&app, input).await), expected);
    }
    assert!(succeeded(&sign_up(&app, HOME, "grace").await));
    for name in ["ada", "edith"] {
        assert!(!passed(&sign_up(&app, HOME, name).await), "{name}");
    }
    assert!(succeeded(&sign_up(&app, AWAY, "edith").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_failed_sign_ups_is_limited() {
    let app = limited(|limits| limits.sign_up = "2/h".parse().unwrap()).await;
    assert!(succeeded(&sign_up(&app, HOME, "ada").await));
    let hashed = app.auth.passwords_hashed();
    for n in 2..13 {
        let answer = sign_up(&app, HOME, "ada").await;
        match n <= 10 {
            true => assert_eq!(code(&answer), "TAKEN"),
            false => assert!(!passed(&answer), "{n}"),
        }
    }
    // Errors of the input cost nothing, so they are still reported.
    let invalid = json!({ "email": "ada", "password": PASSWORD, "name": "Ada" });
    assert_eq!(code(&with(&app, invalid).await), "INVALID");
    assert_eq!(app.auth.passwords_hashed(), hashed);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_sign_ups_do_not_exceed_the_limit() {
    let app = limited(|limits| limits.sign_up = "4/h".parse().unwrap()).await;
    let names: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let answers = join_all(names.iter().map(|name| sign_up(&app, HOME, name))).await;
    assert_eq!(answers.iter().filter(|answer| passed(answer)).count(), 4);
    assert_eq!(app.count("users").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ups_do_not_count_while_the_limiter_is_blocked() {
    let app = limited(|limits| limits.sign_up = "1/h".parse().unwrap()).await;
    app.sql(
        "INSERT INTO users (id, email, name) VALUES (gen_random_uuid(), 'ada@example.com', 'Ada')",
    )
    .await;
    let limiter = app.begin("LOCK TABLE rate_limits").await;
    for _ in 0..2 {
        assert_eq!(code(&sign_up(&app, HOME, "ada").await), "TAKEN");
    }
    assert!(succeeded(&sign_up(&app, HOME, "grace").await));
    assert!(!passed(&sign_up(&app, HOME, "edith").await));
    limiter.rollback().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_on_this_machine_can_be_exempt_from_the_limit_of_sign_ups_only() {
    let app = TestApp::with(|settings| {
        let limits = &mut settings.auth.rate_limits;
        limits.sign_up = "1/h".parse().unwrap();
        limits.sign_in = "1/h".parse().unwrap();
        limits.sign_in_address = "1/h".parse().unwrap();
        limits.password_reset = "1/h".parse().unwrap();
        limits.refresh = "1/h".parse().unwrap();
        limits.exempt_local_sign_ups = true;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    for name in ["bob", "edith", "grace"] {
        app.signed_up(name).await;
    }
    let local = app.anonymous();
    for n in 0..3 {
        let other = format!("{n}@example.com");
        let token = json!({ "refreshToken": ada.refresh_token });
        let sign_in = json!({ "email": other, "password": WRONG });
        for (field, input, selection) in [
            ("signIn", sign_in, ""),
            ("requestPasswordReset", json!({ "email": other }), ""),
            ("refreshSession", token, "refreshToken"),
        ] {
            let answer = local.post_mutation(field, input, selection).await;
            assert_eq!(passed(&answer), n < 1, "{field} {n}");
            if field == "refreshSession" && n < 1 {
                let token = payload(&answer)["refreshToken"].take();
                ada.refresh_token = token.as_str().unwrap().to_owned();
            }
        }
    }
    for n in 0..3 {
        // The proxy is not trusted, so its clients share one address, but they are not on this machine.
        let answer = sign_up(&app, AWAY, &format!("away{n}")).await;
        assert_eq!(passed(&answer), n < 1, "{n}");
    }
    for field in [
        "via",
        "forwarded",
        "x-real-ip",
        "x-forwarded-host",
        "x-forwarded-proto",
    ] {
        let client = local.with_header(field, "localhost");
        let answer = client.post_mutation("signUp", newcomer(field), "").await;
        assert!(!passed(&answer), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_fields_are_all_limited_has_the_status_and_the_header() {
    let app = limited(|limits| limits.sign_up = "1/h".parse().unwrap()).await;
    let home = app.anonymous().from(HOME);
    let query = "mutation($a: SignUpInput!, $b: SignUpInput!) {
        a: signUp(input: $a) { accessToken } b: signUp(input: $b) { accessToken } }";
    let input = json!({ "a": newcomer("ada"), "b": newcomer("grace") });
    let partly = home.post(query, input).await;
    assert_eq!(partly.status, 200, "{partly:?}");
    assert!(partly.header("retry-after").is_some());
    let body = partly.json();
    assert!(body["data"]["a"]["accessToken"].is_string(), "{body}");
    assert_eq!(body["data"]["b"], Value::Null);
    let input = json!({ "a": newcomer("edith"), "b": newcomer("hedy") });
    let answer = home.post(query, input).await;
    assert!(!passed(&answer));
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2);
}
