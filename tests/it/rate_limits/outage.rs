//! Rate limits hold while the database is busy: neither an exhausted pool nor a locked table disables them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use snapnote::auth::RateLimitSettings;
use tokio::task::JoinHandle;

use super::{
    ADA, AWAY, HOME, WRONG, code, passed, payload, refresh, request_reset, sign_in, succeeded,
};
use crate::support::{
    Answer, CONNECTIONS, Client, PASSWORD, Person, TestApp, Transaction, eventually, keep_mails,
    text, trust_proxies,
};

/// Connections of the service's pool, as an operator has them by default.
const POOL: usize = 15;

/// A service whose limits are these, with the default pool. `wait`: for one of its connections.
async fn limited(wait: Duration, limits: impl FnOnce(&mut RateLimitSettings)) -> TestApp {
    let app = TestApp::with(|settings| {
        limits(&mut settings.auth.rate_limits);
        settings.pool.max_connections = POOL;
        settings.pool.shared_reads = false;
        settings.pool.wait = wait;
        settings.edge.request_timeout = Duration::from_secs(60);
        trust_proxies(settings);
        keep_mails(settings);
    });
    app.await
}

async fn attackers(app: &TestApp) -> [Person; 3] {
    [
        app.signed_up("mallory").await,
        app.signed_up("oscar").await,
        app.signed_up("trudy").await,
    ]
}

/// A pool all of whose connections are held by the requests of three users, each of whom leases at most a third.
struct HeldPool {
    lock: Transaction,
    requests: Vec<JoinHandle<Answer>>,
}

impl HeldPool {
    async fn of(app: &TestApp, attackers: &[Person; 3]) -> HeldPool {
        let lock = app.begin("LOCK TABLE tasks").await;
        let query = "{ tasks(filter: { titleContains: \"essay\" }) { nodes { id } } }";
        let request = |attacker: &Person| {
            let client = attacker.client.clone();
            tokio::spawn(async move { client.post(query, json!({})).await })
        };
        let attackers = attackers.iter().cycle().take(POOL);
        let requests = attackers.map(request).collect();
        eventually("all connections are held", async || {
            let status = app.pool.status();
            status.open == POOL && status.idle == 0
        })
        .await;
        HeldPool { lock, requests }
    }

    async fn release(self) {
        self.lock.rollback().await;
        for request in self.requests {
            assert_eq!(request.await.unwrap().status, 200);
        }
    }
}

fn is_rate_limited(answer: &Answer) -> bool {
    answer.status == 429 && !passed(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_limited_while_clients_hold_the_pool() {
    let app = limited(Duration::from_millis(300), |limits| {
        limits.sign_in = "10/10m".parse().unwrap();
        limits.sign_in_account = "30/h".parse().unwrap();
    })
    .await;
    let attackers = attackers(&app).await;
    app.signed_up("ada").await;
    for email in [ADA, "nobody@example.com"] {
        let held = HeldPool::of(&app, &attackers).await;
        for n in 0..14 {
            let answer = sign_in(&app, AWAY, email, WRONG).await;
            let refused = is_rate_limited(&answer);
            assert_eq!(refused, n >= 10, "{email}, {n}: {answer:?}");
        }
        held.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_limited_without_pool_and_limiter() {
    let app = limited(Duration::from_millis(300), |limits| {
        limits.sign_in_address = "7/h".parse().unwrap();
    })
    .await;
    let attackers = attackers(&app).await;
    app.signed_up("ada").await;
    let held = HeldPool::of(&app, &attackers).await;
    let limiter = app.begin("LOCK TABLE rate_limits").await;
    let tries = (0..20).map(|n| {
        let email = if n % 2 == 0 {
            ADA
        } else {
            "nobody@example.com"
        };
        sign_in(&app, AWAY, email, WRONG)
    });
    let answers = join_all(tries).await;
    let refused = answers
        .iter()
        .filter(|answer| is_rate_limited(answer))
        .count();
    assert_eq!(refused, 13, "{answers:?}");
    let (_, waited) = passed_and_wait(&answers);
    // A token comes back each seventh of an hour.
    assert!(waited > 0 && waited <= 3_600_000 / 7, "{waited}");
    limiter.rollback().await;
    held.release().await;
}

/// How many passed, and the longest that one must wait.
fn passed_and_wait(answers: &[Answer]) -> (usize, u64) {
    let wait = |answer: &Answer| answer.json()["errors"][0]["extensions"]["retryAfterMs"].as_u64();
    let passed = answers.iter().filter(|answer| answer.status != 429).count();
    let longest = answers.iter().filter_map(wait).max();
    (passed, longest.unwrap_or_default())
}

/// Asks for six password resets. Three wait for a connection to write a mail, which `held` then releases.
///
/// They are sent one after the other: on a busy machine, the database may need a second for several at the same time, after which
/// the limiter counts in memory.
async fn resets(app: &TestApp, client: &Client, email: &str, held: HeldPool) -> Vec<Answer> {
    let mut waiting = Vec::new();
    while waiting.len() < 3 {
        let (client, email) = (client.clone(), email.to_owned());
        waiting.push(tokio::spawn(
            async move { request_reset(&client, &email).await },
        ));
        let has_arrived = async || app.pool.status().waiting == waiting.len();
        eventually("it waits to write a mail", has_arrived).await;
    }
    let mut answers = Vec::new();
    while answers.len() < 3 {
        answers.push(request_reset(client, email).await);
    }
    held.release().await;
    for answer in waiting {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_mails_are_limited_while_clients_hold_the_pool() {
    let app = limited(Duration::from_secs(30), |limits| {
        limits.mail = "3/h".parse().unwrap();
    })
    .await;
    let attackers = attackers(&app).await;
    let home = app.anonymous().from(HOME);
    for (name, limiter_answers) in [("ada", true), ("grace", false)] {
        app.signed_up(name).await;
        let email = format!("{name}@example.com");
        let held = HeldPool::of(&app, &attackers).await;
        let limiter = match limiter_answers {
            true => None,
            false => Some(app.begin("LOCK TABLE rate_limits").await),
        };
        let answers = resets(&app, &home, &email, held).await;
        for answer in &answers {
            assert_eq!(payload(answer)["accepted"], true);
        }
        if let Some(limiter) = limiter {
            limiter.rollback().await;
        }
        let asked = format!(
            "audit_logs JOIN users ON users.id = user_id
             WHERE action = 'PASSWORD_RESET_REQUESTED' AND email = '{email}'"
        );
        assert_eq!(app.count(&asked).await, 3, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_limiter_counts_in_memory_and_then_in_the_database_again() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_address = "100/h".parse().unwrap();
    })
    .await;
    app.signed_up("ada").await;
    let limiter = app.begin("LOCK TABLE rate_limits").await;
    // More than the limiter has connections: none may be stuck.
    let tries = (0..12).map(|_| sign_in(&app, HOME, ADA, PASSWORD));
    let answers = join_all(tries).await;
    let (signed_in, wait) = passed_and_wait(&answers);
    assert_eq!(signed_in, 2);
    assert!((1_700_000..=1_800_000).contains(&wait), "{wait}");
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        assert!(succeeded(answer));
    }
    // Statements that were given up are canceled.
    app.eventually_blocked(0).await;
    limiter.rollback().await;
    for n in 0..4 {
        let answer = sign_in(&app, HOME, ADA, WRONG).await;
        assert_eq!(passed(&answer), n < 2, "{n}");
    }
    assert_eq!(app.count("rate_limits").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_session_refreshes_are_unlimited_while_the_limiter_is_blocked() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.refresh = "1/h".parse().unwrap();
        limits.sign_up = "1/h".parse().unwrap();
        limits.password_reset = "1/h".parse().unwrap();
        limits.email_change = "1/h".parse().unwrap();
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    let limiter = app.begin("LOCK TABLE rate_limits").await;
    let home = app.anonymous().from(HOME);
    for _ in 0..3 {
        let answer = refresh(&home, &ada.refresh_token).await;
        ada.refresh_token = text(&payload(&answer)["refreshToken"]);
    }
    for n in 0..3 {
        let reset = request_reset(&home, "nobody@example.com").await;
        assert_eq!(passed(&reset), n < 1, "{n}");
        let input = json!({ "newEmail": "a@b", "password": PASSWORD });
        let change = ada.from(HOME);
        let change = change.post_mutation("requestEmailChange", input, "").await;
        assert_eq!(passed(&change), n < 1, "{n}");
        let sign_up = super::sign_up(&app, HOME, &format!("new{n}")).await;
        assert_eq!(passed(&sign_up), n < 1, "{n}");
    }
    limiter.rollback().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn password_confirmations_are_limited_while_the_limiter_is_blocked() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_in_account = "2/h".parse().unwrap();
    })
    .await;
    let ada = app.signed_up("ada").await;
    let limiter = app.begin("LOCK TABLE rate_limits").await;
    for n in 0..4 {
        let input = json!({ "password": WRONG });
        let answer = ada
            .from(HOME)
            .post_mutation("deactivateMe", input, "")
            .await;
        assert_eq!(passed(&answer), n < 2, "{n}");
        if n < 2 {
            assert_eq!(code(&answer), "INVALID_CREDENTIALS");
        }
    }
    limiter.rollback().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limiter_has_its_own_connections_and_closes_them_with_the_service() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_up = "1000/h".parse().unwrap();
    })
    .await;
    let names: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    join_all(names.iter().map(|name| super::sign_up(&app, HOME, name))).await;
    let (database, open) = (app.database.clone(), app.pool.status().open);
    let connected = app.count(CONNECTIONS).await;
    let of_limiter = connected - i64::try_from(open).unwrap();
    let few = (1..=2).contains(&of_limiter);
    assert!(few, "{connected} of which {open} are the pool's");
    assert_eq!(app.pool.status().max, POOL);
    app.stop().await;
    let other = TestApp::on(database, |_| {}).await;
    eventually("all are closed", async || {
        let open = i64::try_from(other.pool.status().open).unwrap();
        other.count(CONNECTIONS).await <= open
    })
    .await;
}
