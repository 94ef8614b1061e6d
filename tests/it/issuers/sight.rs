//! First sights: the issuer's userinfo is asked once, and once a minute for whoever is refused.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{
    another, ask,
    issuer::{Answer, Issuer, claims, token, token_of},
    linking::unverified,
    me, trusting,
};
use crate::support::superuser;

/// A token that tells no address.
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
async fn userinfo_is_asked_once_where_the_token_tells_no_address() {
    let issuer = Issuer::start().await;
    let toml = with_userinfo(&issuer);
    let app = trusting(&toml).await;
    issuer.tell(telling("ada"));
    assert_eq!(me(&app, &bare("ada")).await["email"], "told@example.com");
    assert_eq!(me(&app, &bare("ada")).await["email"], "told@example.com");
    assert_eq!(
        me(&another(&app, &toml).await, &bare("ada")).await["email"],
        "told@example.com"
    );
    assert_eq!(issuer.asked("/userinfo"), 1);
    // It told of somebody else, and then of nothing.
    assert_eq!(ask(&app, &bare("bob")).await.status, 401);
    issuer.tell(Answer::Json(json!({ "sub": "eve" })));
    assert_eq!(ask(&app, &bare("eve")).await.status, 401);
    issuer.tell(Answer::Text("{"));
    assert_eq!(ask(&app, &bare("mallory")).await.status, 401);
    assert_eq!(issuer.asked("/userinfo"), 4);
    assert_eq!(app.number("SELECT count(*) FROM users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_first_requests_ask_userinfo_once() {
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
async fn who_is_refused_is_remembered_until_their_token_tells_something_new() {
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
    assert_eq!(me(&app, &token("bob")).await["email"], "bob@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_waits_for_no_owner_again() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    app.signed_up("ada").await;
    assert_eq!(ask(&app, &unverified("ada")).await.status, 403);
    let mut owner = superuser(&app.database).await;
    let lock = "BEGIN; SELECT FROM users FOR UPDATE";
    owner.batch_execute(lock).await.unwrap();
    let token = unverified("ada");
    let again = timeout(Duration::from_secs(3), ask(&app, &token)).await;
    assert_eq!(again.expect("it waits for the owner's row").status, 403);
    owner.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(ask(&app, &super::issuer::token("ada")).await.status, 200);
}
