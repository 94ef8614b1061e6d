//! The keys of an issuer that rotates them, goes down, answers nonsense, or not at all.

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::Algorithm;
use serde_json::json;
use snapnote::auth::external::{IssuerSettings, KeyAges};
use tokio::time::{sleep, timeout};

use super::{
    ask,
    issuer::{Answer, Issuer, NEW_RSA, RSA, claims, header, key, published, signed, token},
};
use crate::support::TestApp;

const BETWEEN: Duration = Duration::from_millis(300);

async fn trusting_for(toml: &str, fresh: Duration, dead: Duration) -> TestApp {
    let issuers = IssuerSettings::parse(toml).unwrap();
    TestApp::with(|settings| {
        settings.auth.issuers = issuers;
        settings.auth.key_ages = KeyAges {
            fresh,
            min_interval: BETWEEN,
            max_age: dead,
        };
    })
    .await
}

async fn trusting(issuer: &Issuer) -> TestApp {
    trusting_for(
        &issuer.toml(""),
        Duration::from_secs(60),
        Duration::from_secs(60),
    )
    .await
}

/// Waits until the keys have been asked for that often.
async fn until_asked(issuer: &Issuer, times: usize) {
    let asked = async {
        while issuer.asked("/keys") < times {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), asked).await.unwrap();
}

fn new_token() -> String {
    let rs256 = Algorithm::RS256;
    signed(&header(rs256, "new"), &claims("ada"), &key(NEW_RSA, rs256))
}

fn rotated() -> Answer {
    let keys = [published(NEW_RSA, Algorithm::RS256, "new")];
    Answer::Json(json!({ "keys": keys }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_fetched_when_its_id_comes_but_not_at_every_request() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    for _ in 0..5 {
        assert_eq!(ask(&app, &new_token()).await.status, 401);
    }
    assert_eq!(issuer.asked("/keys"), 1);
    issuer.publish(rotated());
    sleep(BETWEEN).await;
    let answers = join_all((0..20).map(|_| async { ask(&app, &new_token()).await.status })).await;
    assert_eq!(answers, [200; 20]);
    assert_eq!(issuer.asked("/keys"), 2);
    // The old one is published no more.
    assert_eq!(ask(&app, &token("ada")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_anew_when_they_are_old() {
    let issuer = Issuer::start().await;
    let fresh = 2 * BETWEEN;
    let app = trusting_for(&issuer.toml(""), fresh, Duration::from_secs(60)).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    assert_eq!(issuer.asked("/keys"), 1);
    issuer.publish(rotated());
    sleep(fresh).await;
    // What is known serves while they are fetched.
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    until_asked(&issuer, 2).await;
    assert_eq!(ask(&app, &new_token()).await.status, 200);
    assert_eq!(issuer.asked("/keys"), 2);
    assert_eq!(ask(&app, &token("ada")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_with_a_known_key_waits_for_an_issuer_that_does_not_answer() {
    let issuer = Issuer::start().await;
    let app = trusting_for(&issuer.toml(""), BETWEEN, Duration::from_secs(60)).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    issuer.publish(Answer::Never);
    for _ in 0..3 {
        sleep(BETWEEN).await;
        let answer = timeout(Duration::from_secs(2), ask(&app, &token("ada"))).await;
        assert_eq!(answer.expect("it waits for the issuer").status, 200);
        until_asked(&issuer, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_fails_keeps_its_old_keys_for_a_day() {
    let issuer = Issuer::start().await;
    let app = trusting_for(&issuer.toml(""), BETWEEN, 20 * BETWEEN).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    for nonsense in [
        Answer::Text("<html>"),
        Answer::Text("{\"keys\": []}"),
        Answer::Text("{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAA\", \"kid\": \"rsa\"}]}"),
        Answer::Endless,
        Answer::Redirect,
    ] {
        issuer.publish(nonsense);
        let asked = issuer.asked("/keys");
        sleep(BETWEEN).await;
        assert_eq!(ask(&app, &token("ada")).await.status, 200);
        until_asked(&issuer, asked + 1).await;
    }
    assert_eq!(issuer.asked("/elsewhere"), 0);
    drop(issuer);
    sleep(20 * BETWEEN).await;
    let answer = ask(&app, &token("ada")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(
        answer.json()["errors"][0]["extensions"]["code"],
        "UNAVAILABLE"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_whose_keys_were_never_had_is_unavailable_and_tried_again() {
    let issuer = Issuer::start().await;
    issuer.publish(Answer::Text("not yet"));
    let app = trusting(&issuer).await;
    for _ in 0..5 {
        assert_eq!(ask(&app, &token("ada")).await.status, 503);
    }
    assert_eq!(issuer.asked("/keys"), 1);
    let keys = [published(RSA, Algorithm::RS256, "rsa")];
    issuer.publish(Answer::Json(json!({ "keys": keys })));
    sleep(BETWEEN).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_issuer_holds_up_no_other_and_no_other_users() {
    let (slow, quick) = (Issuer::start().await, Issuer::start().await);
    slow.publish(Answer::Never);
    let other = quick
        .toml("")
        .replace("outside", "quick")
        .replace("issuer.example", "quick.example");
    let minute = Duration::from_secs(60);
    let app = trusting_for(&(slow.toml("") + &other), minute, minute).await;
    let of_quick = |subject: &str| {
        let mut claims = claims(subject);
        claims["iss"] = json!("https://quick.example/");
        super::issuer::token_of(&claims)
    };
    let of_slow = token("ada");
    let (waiting, (quick, own)) = tokio::join!(ask(&app, &of_slow), async {
        let quick = ask(&app, &of_quick("bob")).await;
        (quick, app.signed_up("eve").await)
    });
    assert_eq!(quick.status, 200, "{quick:?}");
    assert_eq!(ask(&app, &own.token.unwrap()).await.status, 200);
    assert_eq!(waiting.status, 503, "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_id_only_the_one_key_that_fits_is_taken() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer).await;
    let rs256 = Algorithm::RS256;
    let nameless = signed(
        &jsonwebtoken::Header::new(rs256),
        &claims("ada"),
        &key(RSA, rs256),
    );
    assert_eq!(ask(&app, &nameless).await.status, 200);
    let keys = [
        published(RSA, rs256, "rsa"),
        published(NEW_RSA, rs256, "new"),
    ];
    issuer.publish(Answer::Json(json!({ "keys": keys })));
    let app = trusting(&issuer).await;
    assert_eq!(ask(&app, &nameless).await.status, 401);
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
}
