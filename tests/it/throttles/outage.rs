//! Rate limits hold when the database is busy: neither a pool that callers hold nor a locked table switches them off.

use std::time::{Duration, Instant};

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::join_all;
use serde_json::{Value, json};
use snapnote::auth::RateLimitSettings;
use tokio::task::JoinHandle;

use super::{AWAY, HOME, REFRESH, RESET, code, from, passed, sign_in, told};
use crate::{
    session_list::Person,
    support::{Answer, TestApp, superuser},
};

/// Connections of the service's pool, as an operator has them by default.
const POOL: usize = 15;

/// A service whose limits are these, with the default pool. `wait`: for one of its connections.
async fn limited(wait: Duration, limits: impl FnOnce(&mut RateLimitSettings)) -> TestApp {
    let app = TestApp::with(|settings| {
        limits(&mut settings.auth.rate_limits);
        settings.pool.max_connections = POOL;
        settings.pool.wait = wait;
        settings.edge.request_timeout = Duration::from_secs(60);
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        // Nobody listens there, so all mails stay in the outbox.
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    });
    app.await
}

/// Polls until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A table that is locked until it is released.
struct Locked(AsyncPgConnection);

impl Locked {
    async fn table(app: &TestApp, table: &str) -> Locked {
        let mut conn = superuser(&app.database).await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        conn.batch_execute(&lock).await.unwrap();
        Locked(conn)
    }

    async fn release(mut self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// A pool all of whose connections are held by one user's requests.
struct HeldPool {
    lock: Locked,
    requests: Vec<JoinHandle<Answer>>,
}

impl HeldPool {
    async fn of(app: &TestApp, attacker: &Person) -> HeldPool {
        let lock = Locked::table(app, "tasks").await;
        let query = "{ tasks(filter: { titleContains: \"essay\" }) { nodes { id } } }";
        let request = || {
            let client = attacker.client.clone();
            tokio::spawn(async move { client.post(query, json!({})).await })
        };
        let requests = (0..POOL).map(|_| request()).collect();
        until("all connections are held", async || {
            let status = app.pool.status();
            status.open == POOL && status.idle == 0
        })
        .await;
        HeldPool { lock, requests }
    }

    async fn release(self) {
        self.lock.release().await;
        for request in self.requests {
            assert_eq!(request.await.unwrap().status, 200);
        }
    }
}

fn is_rate_limited(answer: &Answer) -> bool {
    answer.status == 429 && !passed(answer)
}

async fn ask_for_reset(app: &TestApp, email: &str) -> Answer {
    from(HOME, &app.visitor(), RESET, json!({ "email": email })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_wrong_password_is_refused_while_callers_hold_the_pool() {
    let app = limited(Duration::from_millis(300), |limits| {
        limits.sign_in = "10/10m".parse().unwrap();
        limits.sign_in_account = "30/h".parse().unwrap();
    })
    .await;
    let attacker = Person::signed_up(&app, "mallory").await;
    Person::signed_up(&app, "ada").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let held = HeldPool::of(&app, &attacker).await;
        for n in 0..14 {
            let answer = sign_in(&app, AWAY, email, "wrong horse").await;
            assert_eq!(
                is_rate_limited(&answer),
                n >= 10,
                "{email}, {n}: {answer:?}"
            );
        }
        held.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_limited_when_neither_the_pool_nor_the_limiter_has_an_answer() {
    let app = limited(Duration::from_millis(300), |limits| {
        limits.sign_in_address = "7/h".parse().unwrap();
    })
    .await;
    let attacker = Person::signed_up(&app, "mallory").await;
    Person::signed_up(&app, "ada").await;
    let held = HeldPool::of(&app, &attacker).await;
    let limiter = Locked::table(&app, "throttles").await;
    let tries = (0..20).map(|n| {
        let email = if n % 2 == 0 {
            "ada@example.com"
        } else {
            "nobody@example.com"
        };
        sign_in(&app, AWAY, email, "wrong horse")
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
    limiter.release().await;
    held.release().await;
}

/// How many passed, and the longest that one must wait.
fn passed_and_wait(answers: &[Answer]) -> (usize, u64) {
    let wait = |answer: &Answer| answer.json()["errors"][0]["extensions"]["retryAfterMs"].as_u64();
    let passed = answers.iter().filter(|answer| answer.status != 429).count();
    let longest = answers.iter().filter_map(wait).max();
    (passed, longest.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_reset_mail_is_not_written_however_the_pool_is_held() {
    let app = limited(Duration::from_secs(30), |limits| {
        limits.mail = "3/h".parse().unwrap();
    })
    .await;
    let attacker = Person::signed_up(&app, "mallory").await;
    for (name, limiter_answers) in [("ada", true), ("grace", false)] {
        Person::signed_up(&app, name).await;
        let email = format!("{name}@example.com");
        let held = HeldPool::of(&app, &attacker).await;
        let limiter = match limiter_answers {
            true => None,
            false => Some(Locked::table(&app, "throttles").await),
        };
        let answers = {
            let asked = join_all((0..9).map(|_| ask_for_reset(&app, &email)));
            let released = async {
                until("three wait to write a mail", async || {
                    app.pool.status().waiting == 3
                })
                .await;
                held.release().await;
            };
            tokio::join!(asked, released).0
        };
        for answer in &answers {
            assert_eq!(told(answer, "requestPasswordReset")["accepted"], true);
        }
        if let Some(limiter) = limiter {
            limiter.release().await;
        }
        let asked = format!(
            "SELECT count(*) FROM audit_logs JOIN users ON users.id = user_id
             WHERE action = 'PASSWORD_RESET_REQUESTED' AND email = '{email}'"
        );
        assert_eq!(app.number(&asked).await, 3, "{name}");
    }
}

/// Statements that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread")]
async fn a_limiter_that_does_not_answer_counts_in_memory_and_the_database_counts_on_afterwards() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_address = "100/h".parse().unwrap();
    })
    .await;
    Person::signed_up(&app, "ada").await;
    let limiter = Locked::table(&app, "throttles").await;
    // More than the limiter has connections: none may be stuck.
    let tries = (0..12).map(|_| sign_in(&app, HOME, "ada@example.com", "correct horse"));
    let answers = join_all(tries).await;
    let (signed_in, wait) = passed_and_wait(&answers);
    assert_eq!(signed_in, 2);
    assert!((1_700_000..=1_800_000).contains(&wait), "{wait}");
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        assert_eq!(told(answer, "signIn")["userErrors"], json!([]));
    }
    until("what was given up is cancelled", async || {
        app.number(WAITING).await == 0
    })
    .await;
    limiter.release().await;
    for n in 0..4 {
        let answer = sign_in(&app, HOME, "ada@example.com", "wrong horse").await;
        assert_eq!(passed(&answer), n < 2, "{n}");
    }
    assert_eq!(app.number("SELECT count(*) FROM throttles").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_refreshing_a_session_passes_while_the_limiter_does_not_answer() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.refresh = "1/h".parse().unwrap();
        limits.sign_up = "1/h".parse().unwrap();
        limits.password_reset = "1/h".parse().unwrap();
        limits.email_change = "1/h".parse().unwrap();
    })
    .await;
    let mut ada = Person::signed_up(&app, "ada").await;
    let limiter = Locked::table(&app, "throttles").await;
    for _ in 0..3 {
        let variables = json!({ "token": ada.refresh_token });
        let answer = from(HOME, &app.visitor(), REFRESH, variables).await;
        let payload = told(&answer, "refreshSession");
        ada.refresh_token = payload["refreshToken"].as_str().unwrap().to_owned();
    }
    let change =
        "mutation { requestEmailChange(input: { newEmail: \"a@b\", password: \"correct horse\" }) {
        userErrors { code } } }";
    for n in 0..3 {
        let reset = ask_for_reset(&app, "nobody@example.com").await;
        assert_eq!(passed(&reset), n < 1, "{n}");
        let change = from(HOME, &ada.client, change, Value::Null).await;
        assert_eq!(passed(&change), n < 1, "{n}");
        let sign_up = super::sign_up(&app, HOME, &format!("new{n}")).await;
        assert_eq!(passed(&sign_up), n < 1, "{n}");
    }
    limiter.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_a_password_is_limited_while_the_limiter_does_not_answer() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_in_account = "2/h".parse().unwrap();
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    let limiter = Locked::table(&app, "throttles").await;
    let confirm =
        "mutation { deactivateMe(input: { password: \"wrong horse\" }) { userErrors { code } } }";
    for n in 0..4 {
        let answer = from(HOME, &ada.client, confirm, json!({})).await;
        assert_eq!(passed(&answer), n < 2, "{n}");
        if n < 2 {
            assert_eq!(code(&answer, "deactivateMe"), "INVALID_CREDENTIALS");
        }
    }
    limiter.release().await;
}

/// Connections of the service to its database.
const CONNECTED: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";

#[tokio::test(flavor = "multi_thread")]
async fn the_limiters_connections_are_its_own_and_end_with_the_service() {
    let app = limited(Duration::from_secs(5), |limits| {
        limits.sign_up = "1000/h".parse().unwrap();
    })
    .await;
    let names: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    join_all(names.iter().map(|name| super::sign_up(&app, HOME, name))).await;
    let (database, open) = (app.database.clone(), app.pool.status().open);
    let connected = app.number(CONNECTED).await;
    let of_limiter = connected - i64::try_from(open).unwrap();
    assert!(
        (1..=2).contains(&of_limiter),
        "{connected} of which {open} are the pool's"
    );
    assert_eq!(app.pool.status().max, POOL);
    app.stop().await;
    let other = TestApp::on(database, |_| {}).await;
    until("all are closed", async || {
        let open = i64::try_from(other.pool.status().open).unwrap();
        other.number(CONNECTED).await <= open
    })
    .await;
}
