//! Rate limits: requests above a limit must wait.
//!
//! `addresses` tests limits by account and address, `password_confirmation` confirmations of the password, `mails` limits of
//! mails, `outage` limits without the database, `sign_ups` which sign-ups count.

mod addresses;
mod mails;
mod outage;
mod password_confirmation;
mod sign_ups;

use futures_util::future::join_all;
use serde_json::{Value, json};
use snapnote::{
    app::AppSettings,
    auth::{RateLimitSettings, keys::Secrets},
};

use crate::support::{
    Answer, Client, Person, SIGNED_IN, TestApp, eventually, newcomer, trust_proxies,
};

/// An address that the owner has signed in from, and one that they have not.
const HOME: &str = "203.0.113.1";
const AWAY: &str = "198.51.100.7";
const ADA: &str = "ada@example.com";
const WRONG: &str = "wrong horse";

/// A service behind a proxy, with these limits.
async fn limited(limits: impl FnOnce(&mut RateLimitSettings)) -> TestApp {
    TestApp::with(|settings| {
        limits(&mut settings.auth.rate_limits);
        trust_proxies(settings);
    })
    .await
}

async fn sign_in(app: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    let client = app.anonymous().from(address);
    let input = json!({ "email": email, "password": password });
    client.post_mutation("signIn", input, SIGNED_IN).await
}

async fn sign_up(app: &TestApp, address: &str, name: &str) -> Answer {
    let client = app.anonymous().from(address);
    client
        .post_mutation("signUp", newcomer(name), SIGNED_IN)
        .await
}

/// Requests a password reset.
async fn request_reset(client: &Client, email: &str) -> Answer {
    let input = json!({ "email": email });
    client
        .post_mutation("requestPasswordReset", input, "accepted")
        .await
}

async fn refresh(client: &Client, token: &str) -> Answer {
    let input = json!({ "refreshToken": token });
    client
        .post_mutation("refreshSession", input, "refreshToken")
        .await
}

/// Whether a request was not limited. If it was, the response has all that it must.
fn passed(answer: &Answer) -> bool {
    if answer.status == 200 {
        let body = answer.json();
        assert!(body.get("errors").is_none(), "{body}");
        return true;
    }
    assert_eq!(answer.status, 429, "{answer:?}");
    let error = &answer.json()["errors"][0];
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("Too many attempts. Try again in "),
        "{message}"
    );
    let extensions = &error["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    let wait = extensions["retryAfterMs"].as_u64().unwrap();
    assert!(wait > 0);
    let seconds = wait.div_ceil(1000).to_string();
    assert_eq!(answer.header("retry-after"), Some(seconds.as_str()));
    false
}

/// The payload of a request that was not limited.
fn payload(answer: &Answer) -> Value {
    assert!(passed(answer), "{answer:?}");
    let mut body = answer.json();
    let fields = body["data"].as_object_mut().unwrap();
    fields.values_mut().next().unwrap().take()
}

/// The code of its first user error, or null.
fn code(answer: &Answer) -> Value {
    payload(answer)["userErrors"][0]["code"].take()
}

fn succeeded(answer: &Answer) -> bool {
    payload(answer)["userErrors"] == json!([])
}

/// The nth request of a kind.
async fn attempt(app: &TestApp, kind: &str, n: usize, sessions: &[Person]) -> Answer {
    let home = app.anonymous().from(HOME);
    let (nth, address) = (format!("{n}@example.com"), format!("198.51.100.{n}"));
    match kind {
        "sign in" => sign_in(app, HOME, ADA, WRONG).await,
        "sign in from one address" => sign_in(app, HOME, &nth, WRONG).await,
        "sign in to one account" => sign_in(app, &address, ADA, WRONG).await,
        "sign up" => sign_up(app, HOME, &n.to_string()).await,
        "request a reset" => request_reset(&home, &nth).await,
        "use a reset token" => {
            let input = json!({ "token": "x", "newPassword": "battery staple" });
            home.post_mutation("resetPassword", input, "").await
        }
        "refresh a session" => {
            let client = app.anonymous().from(&address);
            refresh(&client, &sessions[0].refresh_token).await
        }
        _ => refresh(&home, &sessions[n].refresh_token).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_rejects_further_requests_until_it_is_refilled() {
    type Set = fn(&mut RateLimitSettings) -> &mut snapnote::auth::Limit;
    let limits: [(&str, Set); 8] = [
        ("sign in", |set| &mut set.sign_in),
        ("sign in from one address", |set| &mut set.sign_in_address),
        ("sign in to one account", |set| &mut set.sign_in_account),
        ("sign up", |set| &mut set.sign_up),
        ("request a reset", |set| &mut set.password_reset),
        ("use a reset token", |set| &mut set.password_reset),
        ("refresh a session", |set| &mut set.refresh),
        ("refresh from one address", |set| &mut set.refresh_address),
    ];
    for (kind, set) in limits {
        let app = limited(|limits| *set(limits) = "2/h".parse().unwrap()).await;
        let mut sessions = Vec::new();
        if kind.starts_with("refresh") {
            sessions.push(app.signed_up("ada").await);
            for _ in 0..4 {
                sessions.push(app.signed_in("ada").await);
            }
        }
        for (n, expected) in [true, true, false, false].into_iter().enumerate() {
            let answer = attempt(&app, kind, n, &sessions).await;
            assert_eq!(passed(&answer), expected, "{kind}, {n}");
        }
        app.sql("UPDATE rate_limits SET full_at = now()").await;
        let answer = attempt(&app, kind, 4, &sessions).await;
        assert!(passed(&answer), "{kind}, refilled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_refilled_over_time() {
    let app = limited(|limits| limits.password_reset = "2/2s".parse().unwrap()).await;
    let home = app.anonymous().from(HOME);
    while passed(&request_reset(&home, ADA).await) {}
    eventually("the limit is refilled", async || {
        passed(&request_reset(&home, ADA).await)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_accurate() {
    let app = limited(|limits| limits.sign_up = "2/h".parse().unwrap()).await;
    for name in ["ada", "grace"] {
        assert!(passed(&sign_up(&app, HOME, name).await));
    }
    let refused = sign_up(&app, HOME, "edith").await;
    let wait = refused.json()["errors"][0]["extensions"]["retryAfterMs"].as_i64();
    let message = refused.json()["errors"][0]["message"].take();
    assert_eq!(message, "Too many attempts. Try again in 30 minutes.");
    // The first token comes back half an hour after it was taken.
    assert!((1_700_000..=1_800_000).contains(&wait.unwrap()), "{wait:?}");
    let earlier = |milliseconds: i64| {
        format!("UPDATE rate_limits SET full_at = full_at - interval '{milliseconds} milliseconds'")
    };
    app.sql(&earlier(wait.unwrap() - 60_000)).await;
    assert!(!passed(&sign_up(&app, HOME, "edith").await));
    app.sql(&earlier(60_000)).await;
    assert!(passed(&sign_up(&app, HOME, "edith").await));
    assert!(!passed(&sign_up(&app, HOME, "hedy").await));
}

/// Signs in to other accounts until each service has counted an attempt in the database.
async fn until_shared(apps: &[&TestApp]) {
    for app in apps {
        let before = app.count("rate_limits").await;
        let mut n = 0;
        eventually("an attempt is counted", async || {
            n += 1;
            sign_in(app, AWAY, &format!("{before}-{n}@example.com"), WRONG).await;
            app.count("rate_limits").await > before
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_limits() {
    let app = limited(|limits| limits.sign_in = "4/h".parse().unwrap()).await;
    let other = TestApp::on(app.database.clone(), |settings| {
        settings.auth.rate_limits.sign_in = "4/h".parse().unwrap();
        trust_proxies(settings);
    })
    .await;
    // Both limiters have a connection. Opening one may take longer on a busy machine than the limiter waits.
    until_shared(&[&app, &other]).await;
    let tries = (0..20).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        sign_in(app, HOME, ADA, WRONG)
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| passed(answer)).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_limits_identify_nobody() {
    let one_more = |settings: &mut AppSettings| {
        settings.auth.rate_limits.sign_in = "5/h".parse().unwrap();
    };
    let app = TestApp::with(one_more).await;
    sign_in(&app, HOME, ADA, WRONG).await;
    sign_in(&app, HOME, ADA, WRONG).await;
    assert_eq!(app.count("rate_limits").await, 1);
    // The keys cannot be guessed with the database alone: they depend on the service's secret.
    let other = TestApp::on(app.database.clone(), |settings| {
        one_more(settings);
        let other = b"another secret, which is long enough, too".to_vec();
        settings.auth.secrets = Secrets::new(other, None);
    })
    .await;
    sign_in(&other, HOME, ADA, WRONG).await;
    assert_eq!(app.count("rate_limits").await, 2);
    // A UUID and a time have no room for an address, and no other column may be added.
    let others = "information_schema.columns WHERE table_name = 'rate_limits'
                  AND (column_name, data_type) NOT IN (('key', 'uuid'), ('full_at', 'timestamp with time zone'))";
    assert_eq!(app.count(others).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_limits_count_nothing() {
    let app = limited(|_| {}).await;
    let sessions = [app.signed_up("ada").await, app.signed_in("ada").await];
    for kind in [
        "sign in",
        "sign up",
        "request a reset",
        "use a reset token",
        "refresh a session",
    ] {
        assert!(passed(&attempt(&app, kind, 1, &sessions).await));
    }
    assert_eq!(app.count("rate_limits").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_requests_store_nothing() {
    let app = limited(|limits| {
        limits.sign_in = "5/h".parse().unwrap();
        limits.sign_in_address = "1/h".parse().unwrap();
        limits.sign_in_account = "5/h".parse().unwrap();
    })
    .await;
    for n in 0..5 {
        let email = format!("{n}@example.com");
        let answer = sign_in(&app, HOME, &email, WRONG).await;
        assert_eq!(passed(&answer), n == 0, "{n}");
    }
    assert_eq!(app.count("rate_limits").await, 3);
}
