//! Throttles: what is tried too often must wait, whoever tries; and nobody can keep an owner out. Confirming who one is is in
//! `confirming`, how many mails one gets in `mails`, limits without an answer of the database in `outage`.

mod confirming;
mod mails;
mod outage;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use snapnote::auth::RateLimitSettings;

use crate::{
    people::{SIGN_IN, SIGN_UP, person},
    session_list::Person,
    support::{Answer, Client, TestApp},
};

/// Where the owner is, and where nobody has signed in.
const HOME: &str = "203.0.113.1";
const AWAY: &str = "198.51.100.7";

/// A service with these limits that believes what a proxy on this machine says of addresses.
async fn limited(limits: impl FnOnce(&mut RateLimitSettings)) -> TestApp {
    let app = TestApp::with(|settings| {
        limits(&mut settings.auth.rate_limits);
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    app.await
}

/// A request as it comes through a proxy from that address.
async fn from(address: &str, client: &Client, query: &str, variables: Value) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/graphql-response+json"),
        ("x-forwarded-for", address),
    ];
    let sent = client.http("POST", "/graphql", &headers, body.as_bytes());
    sent.await
}

async fn sign_in(app: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    let input = json!({ "input": { "email": email, "password": password } });
    from(address, &app.visitor(), SIGN_IN, input).await
}

async fn sign_up(app: &TestApp, address: &str, name: &str) -> Answer {
    from(address, &app.visitor(), SIGN_UP, person(name)).await
}

const RESET: &str = "mutation($email: String!) { requestPasswordReset(input: { email: $email }) {
    accepted userErrors { code } } }";

const REFRESH: &str =
    "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) {
    refreshToken userErrors { code } } }";

/// Whether an attempt was made at all; if not, the answer says all that it must.
fn passed(answer: &Answer) -> bool {
    if answer.status == 200 {
        let body = answer.json();
        assert!(body.get("errors").is_none(), "{body}");
        return true;
    }
    assert_eq!(answer.status, 429, "{answer:?}");
    let extensions = &answer.json()["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    let wait = extensions["retryAfterMs"].as_u64().unwrap();
    assert!(wait > 0);
    let seconds = wait.div_ceil(1000).to_string();
    assert_eq!(answer.header("retry-after"), Some(seconds.as_str()));
    false
}

/// What an attempt that was made answers under `data`.
fn told(answer: &Answer, field: &str) -> Value {
    assert!(passed(answer), "{answer:?}");
    answer.json()["data"][field].take()
}

fn code(answer: &Answer, field: &str) -> Value {
    told(answer, field)["userErrors"][0]["code"].take()
}

/// One of a kind of attempts: the nth, from that address.
async fn attempt(app: &TestApp, kind: &str, n: usize, sessions: &[Person]) -> Answer {
    let visitor = app.visitor();
    let nth = format!("{n}@example.com");
    match kind {
        "sign in" => sign_in(app, HOME, "ada@example.com", "wrong horse").await,
        "sign in from one address" => sign_in(app, HOME, &nth, "wrong horse").await,
        "sign in to one account" => {
            let address = format!("198.51.100.{n}");
            sign_in(app, &address, "ada@example.com", "wrong horse").await
        }
        "sign up" => sign_up(app, HOME, &n.to_string()).await,
        "ask for a reset" => from(HOME, &visitor, RESET, json!({ "email": nth })).await,
        "try a token" => {
            let query = "mutation { resetPassword(input: { token: \"x\", newPassword: \"battery staple\" }) {
                userErrors { code } } }";
            from(HOME, &visitor, query, json!({})).await
        }
        "refresh a session" => {
            let (address, token) = (format!("198.51.100.{n}"), &sessions[0].refresh_token);
            from(&address, &visitor, REFRESH, json!({ "token": token })).await
        }
        _ => {
            let token = &sessions[n].refresh_token;
            from(HOME, &visitor, REFRESH, json!({ "token": token })).await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_refuses_what_is_one_too_many_until_it_is_refilled() {
    type Set = fn(&mut RateLimitSettings);
    let limits: [(&str, Set); 8] = [
        ("sign in", |set| set.sign_in = "2/h".parse().unwrap()),
        ("sign in from one address", |set| {
            set.sign_in_address = "2/h".parse().unwrap();
        }),
        ("sign in to one account", |set| {
            set.sign_in_account = "2/h".parse().unwrap();
        }),
        ("sign up", |set| set.sign_up = "2/h".parse().unwrap()),
        ("ask for a reset", |set| {
            set.password_reset = "2/h".parse().unwrap();
        }),
        ("try a token", |set| {
            set.password_reset = "2/h".parse().unwrap();
        }),
        ("refresh a session", |set| {
            set.refresh = "2/h".parse().unwrap();
        }),
        ("refresh from one address", |set| {
            set.refresh_address = "2/h".parse().unwrap();
        }),
    ];
    for (kind, set) in limits {
        let app = limited(set).await;
        let mut sessions = Vec::new();
        if kind.starts_with("refresh") {
            sessions.push(Person::signed_up(&app, "ada").await);
            for _ in 0..4 {
                sessions.push(Person::signed_in(&app, "ada").await);
            }
        }
        for (n, expected) in [true, true, false, false].into_iter().enumerate() {
            let answer = attempt(&app, kind, n, &sessions).await;
            assert_eq!(passed(&answer), expected, "{kind}, {n}");
        }
        app.sql("UPDATE throttles SET full_at = now()").await;
        let answer = attempt(&app, kind, 4, &sessions).await;
        assert!(passed(&answer), "{kind}, refilled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_refilled_as_time_goes_by() {
    let app = limited(|limits| limits.password_reset = "2/2s".parse().unwrap()).await;
    let ask = || {
        let variables = json!({ "email": "ada@example.com" });
        async { from(HOME, &app.visitor(), RESET, variables).await }
    };
    while passed(&ask().await) {}
    let began = Instant::now();
    while !passed(&ask().await) {
        assert!(began.elapsed() < Duration::from_secs(5), "never refilled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_to_wait_is_told_truly() {
    let app = limited(|limits| limits.sign_up = "2/h".parse().unwrap()).await;
    for name in ["ada", "grace"] {
        assert!(passed(&sign_up(&app, HOME, name).await));
    }
    let refused = sign_up(&app, HOME, "edith").await;
    let wait = refused.json()["errors"][0]["extensions"]["retryAfterMs"].as_i64();
    // The first token comes back half an hour after it was taken.
    assert!((1_700_000..=1_800_000).contains(&wait.unwrap()), "{wait:?}");
    let earlier = |milliseconds: i64| {
        format!("UPDATE throttles SET full_at = full_at - interval '{milliseconds} milliseconds'")
    };
    app.sql(&earlier(wait.unwrap() - 60_000)).await;
    assert!(!passed(&sign_up(&app, HOME, "edith").await));
    app.sql(&earlier(60_000)).await;
    assert!(passed(&sign_up(&app, HOME, "edith").await));
    assert!(!passed(&sign_up(&app, HOME, "hedy").await));
}

/// Signs in to other accounts until each service has counted an attempt in the database.
async fn until_shared(apps: &[&TestApp]) {
    let began = Instant::now();
    for app in apps {
        let counted = "SELECT count(*) FROM throttles";
        let before = app.number(counted).await;
        for n in 0.. {
            let email = format!("{before}-{n}@example.com");
            sign_in(app, AWAY, &email, "wrong horse").await;
            if app.number(counted).await > before {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "never counted");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_buckets() {
    let app = limited(|limits| limits.sign_in = "4/h".parse().unwrap()).await;
    let other = TestApp::on(app.database.clone(), |settings| {
        settings.auth.rate_limits.sign_in = "4/h".parse().unwrap();
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    // Both limiters have a connection: opening one may take longer on a busy machine than the limiter waits.
    until_shared(&[&app, &other]).await;
    let tries = (0..20).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        sign_in(app, HOME, "ada@example.com", "wrong horse")
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| passed(answer)).count(), 4);
}

/// A service whose account ada@example.com was hammered from strange addresses until its bucket was empty.
async fn hammered() -> TestApp {
    let app = limited(|limits| {
        limits.sign_in = "3/h".parse().unwrap();
        limits.sign_in_account = "5/h".parse().unwrap();
    })
    .await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    for n in 0..5 {
        let address = format!("198.51.100.{}", n / 2);
        let answer = sign_in(&app, &address, "ada@example.com", "wrong horse").await;
        assert_eq!(code(&answer, "signIn"), "INVALID_CREDENTIALS");
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_from_elsewhere_does_not_keep_the_owner_out() {
    let app = hammered().await;
    for password in ["wrong horse", "correct horse"] {
        let answer = sign_in(&app, AWAY, "ada@example.com", password).await;
        assert!(!passed(&answer), "from where nobody signed in");
    }
    let home = sign_in(&app, HOME, "ada@example.com", "correct horse").await;
    assert_eq!(told(&home, "signIn")["userErrors"], json!([]));
    // A session ends 90 days after it began. Whoever used it to its end is known when they sign in anew.
    let ended =
        "UPDATE sessions SET created_at = now() - interval '90 days 1 minute', expires_at = now()";
    app.sql(ended).await;
    let home = sign_in(&app, HOME, "ada@example.com", "correct horse").await;
    assert_eq!(told(&home, "signIn")["userErrors"], json!([]));
    app.sql("UPDATE sessions SET last_used_at = now() - interval '91 days'")
        .await;
    let answer = sign_in(&app, HOME, "ada@example.com", "correct horse").await;
    assert!(!passed(&answer), "from where nobody was for long");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_from_where_the_owner_is_must_wait_there_alone() {
    let app = limited(|limits| limits.sign_in = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    assert!(passed(&sign_up(&app, HOME, "grace").await));
    while passed(&sign_in(&app, HOME, "ada@example.com", "wrong horse").await) {}
    let grace = sign_in(&app, HOME, "grace@example.com", "correct horse").await;
    assert_eq!(told(&grace, "signIn")["userErrors"], json!([]));
    let away = sign_in(&app, AWAY, "ada@example.com", "correct horse").await;
    assert_eq!(told(&away, "signIn")["userErrors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_is_limited_as_a_known_one_is_and_costs_no_hash() {
    let app = limited(|limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_account = "3/h".parse().unwrap();
    })
    .await;
    for name in ["ada", "inactive"] {
        assert!(passed(&sign_up(&app, HOME, name).await));
    }
    app.sql("UPDATE users SET is_active = false WHERE name = 'inactive'")
        .await;
    let mut outcomes = HashSet::new();
    for name in ["ada", "inactive", "nobody"] {
        let email = format!("{name}@example.com");
        let mut seen = Vec::new();
        for address in [AWAY, AWAY, AWAY, "198.51.100.8", "198.51.100.9"] {
            let before = app.auth.passwords_hashed();
            let answer = sign_in(&app, address, &email, "wrong horse").await;
            let hashed = app.auth.passwords_hashed() - before;
            assert_eq!(hashed, u64::from(passed(&answer)), "{name}");
            let mut body = answer.json();
            let extensions = body.pointer_mut("/errors/0/extensions");
            if let Some(extensions) = extensions.and_then(Value::as_object_mut) {
                extensions.remove("retryAfterMs");
            }
            seen.push((answer.status, body.to_string()));
        }
        let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 429, 200, 429], "{name}");
        outcomes.insert(seen);
    }
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_an_address_is_written_it_is_one_account() {
    let app = limited(|limits| limits.sign_in = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "idi").await));
    for email in ["idi@example.com", " IDI@Example.COM\t"] {
        let answer = sign_in(&app, HOME, email, "wrong horse").await;
        assert_eq!(code(&answer, "signIn"), "INVALID_CREDENTIALS");
    }
    for email in ["Idi@example.com", "idi@example.com ", "IDI@EXAMPLE.COM"] {
        let answer = sign_in(&app, HOME, email, "correct horse").await;
        assert!(!passed(&answer), "{email:?}");
    }
    // Another address is another account, even where the database's lower() takes it for the same.
    let answer = sign_in(&app, HOME, "\u{130}di@example.com", "correct horse").await;
    assert_eq!(code(&answer, "signIn"), "INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_subscriber_is_one_address() {
    let app = limited(|limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_account = "1/h".parse().unwrap();
    })
    .await;
    assert!(passed(&sign_up(&app, "2001:db8:1:2::1", "ada").await));
    for address in ["2001:db8:1:3::1", "2001:db8:1:3:ffff::2"] {
        let answer = sign_in(&app, address, "ada@example.com", "wrong horse").await;
        // The account's bucket holds one for strangers.
        assert_eq!(passed(&answer), address == "2001:db8:1:3::1");
    }
    for (n, address) in ["2001:db8:1:2::9", "2001:db8:1:2:a:b:c:d", "2001:db8:1:2::7"]
        .into_iter()
        .enumerate()
    {
        let answer = sign_in(&app, address, "ada@example.com", "correct horse").await;
        assert_eq!(passed(&answer), n < 2, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_of_its_address_is_not_believed() {
    let app = TestApp::with(|settings| {
        settings.auth.rate_limits.sign_up = "2/h".parse().unwrap();
    })
    .await;
    for (n, address) in [HOME, AWAY, "192.0.2.3"].into_iter().enumerate() {
        let answer = sign_up(&app, address, &n.to_string()).await;
        assert_eq!(passed(&answer), n < 2, "{address}");
    }
    let elsewhere = "SELECT count(*) FROM sessions WHERE ip_address <> '127.0.0.1'";
    assert_eq!(app.number(elsewhere).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_signs_up_five_an_hour_and_mistakes_do_not_count() {
    let app = limited(|limits| limits.sign_up = "5/h".parse().unwrap()).await;
    for input in [
        json!({ "email": "ada", "password": "correct horse", "name": "Ada" }),
        json!({ "email": "ada@example.com", "password": "short", "name": "Ada" }),
    ] {
        let variables = json!({ "input": input });
        let answer = from(HOME, &app.visitor(), SIGN_UP, variables).await;
        assert_ne!(code(&answer, "signUp"), Value::Null);
    }
    // To judge a password costs, so a weak one counts.
    let weak = json!({ "email": "ada@example.com", "password": "password1", "name": "Ada" });
    let weak = from(HOME, &app.visitor(), SIGN_UP, json!({ "input": weak })).await;
    assert_eq!(code(&weak, "signUp"), "WEAK_PASSWORD");
    for n in 1..6 {
        // Whether the address is taken cannot be tried out faster.
        let name = if n < 3 { "ada" } else { &n.to_string() };
        let answer = sign_up(&app, HOME, name).await;
        assert_eq!(passed(&answer), n < 5, "{n}");
    }
    assert!(passed(&sign_up(&app, AWAY, "edith").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buckets_name_nobody() {
    let one_more = |settings: &mut snapnote::app::AppSettings| {
        settings.auth.rate_limits.sign_in = "5/h".parse().unwrap();
    };
    let app = TestApp::with(one_more).await;
    sign_in(&app, HOME, "ada@example.com", "wrong horse").await;
    sign_in(&app, HOME, "ada@example.com", "wrong horse").await;
    assert_eq!(app.number("SELECT count(*) FROM throttles").await, 1);
    // Whoever has the database alone cannot tell whose a bucket is by trying addresses: it takes the service's secret.
    let other = TestApp::on(app.database.clone(), |settings| {
        one_more(settings);
        settings.auth.secret = b"another secret, which is long enough, too".to_vec();
    })
    .await;
    sign_in(&other, HOME, "ada@example.com", "wrong horse").await;
    assert_eq!(app.number("SELECT count(*) FROM throttles").await, 2);
    let named = "SELECT count(*) FROM throttles WHERE throttles::text ~ 'ada|example|127'";
    assert_eq!(app.number(named).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_counts_nothing() {
    let app = limited(|_| {}).await;
    let sessions = [
        Person::signed_up(&app, "ada").await,
        Person::signed_in(&app, "ada").await,
    ];
    for kind in [
        "sign in",
        "sign up",
        "ask for a reset",
        "try a token",
        "refresh a session",
    ] {
        assert!(passed(&attempt(&app, kind, 1, &sessions).await));
    }
    assert_eq!(app.number("SELECT count(*) FROM throttles").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing_behind() {
    let app = limited(|limits| {
        limits.sign_in = "5/h".parse().unwrap();
        limits.sign_in_address = "1/h".parse().unwrap();
        limits.sign_in_account = "5/h".parse().unwrap();
    })
    .await;
    for n in 0..5 {
        let email = format!("{n}@example.com");
        let answer = sign_in(&app, HOME, &email, "wrong horse").await;
        assert_eq!(passed(&answer), n == 0, "{n}");
    }
    assert_eq!(app.number("SELECT count(*) FROM throttles").await, 3);
}
