//! The first request of an external user: the issuer's userinfo is requested once, and once per minute after a rejection.

use futures_util::future::join_all;
use serde_json::json;

use super::{
    another, ask,
    issuer::{Answer, Issuer, claims, token as issuer_token, token_of},
    linking::unverified,
    me, trusting,
};
use crate::support::soon;

/// A token without an email address.
fn bare(subject: &str) -> String {
    let mut claims = claims(subject);
    claims.as_object_mut().unwrap().remove("email");
    token_of(&claims)
}

fn with_userinfo(issuer: &Issuer) -> String {
    issuer.toml(&format!(
        "userinfo_url = \"http://{}/userinfo\"",
        issuer.address
    ))
}

fn telling(subject: &str) -> Answer {
    Answer::Json(json!({ "sub": subject, "email": "told@example.com", "email_verified": true }))
}

#[tokio::test(flavor = "multi_thread")]
async fn userinfo_is_requested_once_if_the_token_has_no_email_address() {
    let issuer = Issuer::start().await;
    let toml = with_userinfo(&issuer);
    let app = trusting(&toml).await;
    issuer.tell(telling("ada"));
    assert_eq!(me(&app, &bare("ada")).await["email"], "told@example.com");
    assert_eq!(me(&app, &bare("ada")).await["email"], "told@example.com");
    let elsewhere = &me(&another(&app, &toml).await, &bare("ada")).await["email"];
    assert_eq!(elsewhere, "told@example.com");
    assert_eq!(issuer.asked("/userinfo"), 1);
    // Userinfo of another user, without an email address, and that is no JSON.
    assert_eq!(ask(&app, &bare("bob")).await.status, 401);
    issuer.tell(Answer::Json(json!({ "sub": "eve" })));
    assert_eq!(ask(&app, &bare("eve")).await.status, 401);
    issuer.tell(Answer::Text("{"));
    assert_eq!(ask(&app, &bare("mallory")).await.status, 401);
    assert_eq!(issuer.asked("/userinfo"), 4);
    assert_eq!(app.count("users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_first_requests_request_userinfo_once() {
    let issuer = Issuer::start().await;
    let app = trusting(&with_userinfo(&issuer)).await;
    issuer.tell(telling("ada"));
    let token = bare("ada");
    let users = join_all((0..50).map(|_| me(&app, &token))).await;
    assert!(users.iter().all(|user| user["id"] == users[0]["id"]));
    assert_eq!(issuer.asked("/userinfo"), 1);
    let token = bare("bob");
    let answers = join_all((0..50).map(|_| async { ask(&app, &token).await.status })).await;
    assert_eq!(answers, [401; 50]);
    assert_eq!(issuer.asked("/userinfo"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_are_cached_until_the_token_has_new_claims() {
    let issuer = Issuer::start().await;
    let toml = with_userinfo(&issuer);
    let app = trusting(&toml).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &bare("ada")).await.status, 401);
    }
    assert_eq!(issuer.asked("/userinfo"), 1);
    // Let in by another process, they are here too.
    issuer.tell(telling("ada"));
    me(&another(&app, &toml).await, &bare("ada")).await;
    assert_eq!(me(&app, &bare("ada")).await["email"], "told@example.com");

    assert_eq!(ask(&app, &bare("bob")).await.status, 401);
    let bob = &me(&app, &issuer_token("bob")).await["email"];
    assert_eq!(bob, "bob@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_rejections_do_not_wait_for_locks() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    app.signed_up("ada").await;
    assert_eq!(ask(&app, &unverified("ada")).await.status, 403);
    let owner = app.begin("SELECT FROM users FOR UPDATE").await;
    let token = unverified("ada");
    let again = soon("a response while the user is locked", ask(&app, &token));
    assert_eq!(again.await.status, 403);
    owner.rollback().await;
    assert_eq!(ask(&app, &issuer_token("ada")).await.status, 200);
}
