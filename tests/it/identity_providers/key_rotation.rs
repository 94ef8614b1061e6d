//! Keys of an issuer that rotates them, is down, or sends invalid responses or none.

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::Algorithm;
use serde_json::json;
use snapnote::auth::external::{IssuerSettings, KeyAges};
use tokio::time::Instant;

use super::{
    ask,
    issuer::{Answer, Issuer, NEW_RSA, RSA, claims, header, key, published, signed, token},
};
use crate::support::{TestApp, at_least, eventually};

const BETWEEN: Duration = Duration::from_millis(300);
const MINUTE: Duration = Duration::from_secs(60);

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
    trusting_for(&issuer.toml(""), MINUTE, MINUTE).await
}

/// Waits until the keys have been fetched so often.
async fn until_fetched(issuer: &Issuer, times: usize) {
    eventually("the keys are fetched", async || {
        let fetched = issuer.asked("/keys");
        if fetched >= times {
            Ok(())
        } else {
            Err(fetched)
        }
    })
    .await;
}

/// The keys have been fetched so often, or once more per period that has passed since then on a busy machine.
fn assert_fetched(issuer: &Issuer, times: usize, since: Instant, period: Duration) {
    let fetched = issuer.asked("/keys");
    let more = since.elapsed().as_millis() / period.as_millis();
    let is_expected = (times..=times + more as usize).contains(&fetched);
    assert!(is_expected, "{fetched}");
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
async fn an_unknown_key_id_fetches_the_keys_but_not_on_every_request() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer).await;
    let began = Instant::now();
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    for _ in 0..5 {
        assert_eq!(ask(&app, &new_token()).await.status, 401);
    }
    assert_fetched(&issuer, 1, began, BETWEEN);
    let fetched = issuer.asked("/keys");
    issuer.publish(rotated());
    at_least(BETWEEN).await;
    let answers = join_all((0..20).map(|_| async { ask(&app, &new_token()).await.status })).await;
    assert_eq!(answers, [200; 20]);
    assert_eq!(issuer.asked("/keys"), fetched + 1);
    // The old key is no longer published.
    assert_eq!(ask(&app, &token("ada")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_keys_are_fetched_again() {
    let issuer = Issuer::start().await;
    let fresh = 2 * BETWEEN;
    let app = trusting_for(&issuer.toml(""), fresh, MINUTE).await;
    let began = Instant::now();
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    assert_fetched(&issuer, 1, began, fresh);
    let fetched = issuer.asked("/keys");
    issuer.publish(rotated());
    at_least(fresh).await;
    // The known keys are used while they are fetched.
    let began = Instant::now();
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    until_fetched(&issuer, fetched + 1).await;
    assert_eq!(ask(&app, &new_token()).await.status, 200);
    assert_fetched(&issuer, fetched + 1, began, fresh);
    assert_eq!(ask(&app, &token("ada")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_a_known_key_do_not_wait_for_a_silent_issuer() {
    let issuer = Issuer::start().await;
    let app = trusting_for(&issuer.toml(""), BETWEEN, MINUTE).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    issuer.publish(Answer::Never);
    for _ in 0..3 {
        at_least(BETWEEN).await;
        let given_up = issuer.given_up();
        assert_eq!(ask(&app, &token("ada")).await.status, 200);
        let now = issuer.given_up();
        assert_eq!(now, given_up, "it does not wait for the issuer");
        until_fetched(&issuer, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_known_keys_of_a_failing_issuer_are_used_for_a_day() {
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
        at_least(BETWEEN).await;
        assert_eq!(ask(&app, &token("ada")).await.status, 200);
        until_fetched(&issuer, asked + 1).await;
    }
    assert_eq!(issuer.asked("/elsewhere"), 0);
    drop(issuer);
    at_least(20 * BETWEEN).await;
    let answer = ask(&app, &token("ada")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.error_code(), "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_without_known_keys_is_unavailable_and_retried() {
    let issuer = Issuer::start().await;
    issuer.publish(Answer::Text("not yet"));
    let app = trusting(&issuer).await;
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(ask(&app, &token("ada")).await.status, 503);
    }
    assert_fetched(&issuer, 1, began, BETWEEN);
    let keys = [published(RSA, Algorithm::RS256, "rsa")];
    issuer.publish(Answer::Json(json!({ "keys": keys })));
    at_least(BETWEEN).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_issuer_delays_no_other_issuer_and_no_other_users() {
    let (slow, quick) = (Issuer::start().await, Issuer::start().await);
    slow.publish(Answer::Never);
    let other = quick
        .toml("")
        .replace("outside", "quick")
        .replace("issuer.example", "quick.example");
    let app = trusting_for(&(slow.toml("") + &other), MINUTE, MINUTE).await;
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
    assert_eq!(ask(&app, own.token.as_ref().unwrap()).await.status, 200);
    assert_eq!(waiting.status, 503, "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_key_id_is_accepted_only_if_one_key_matches() {
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
