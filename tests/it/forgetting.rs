//! What is long past is deleted in steps, and no longer than there is much of it.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use tokio::time::{sleep, timeout};

use crate::support::{TestApp, migrated_database, superuser};

/// Executes SQL as the superuser.
pub(crate) async fn sql(database: &str, text: &str) {
    let mut conn = superuser(database).await;
    conn.batch_execute(text).await.unwrap();
}

/// Waits until SQL answers that number.
pub(crate) async fn comes_to(app: &TestApp, query: &str, expected: i64) {
    let wait = async {
        while app.number(query).await != expected {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(Duration::from_secs(20), wait).await;
    assert!(waited.is_ok(), "{query} never came to {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_past_is_forgotten_and_nothing_else() {
    let database = migrated_database().await;
    sql(
        &database,
        "INSERT INTO users (id, email, email_key, name)
         VALUES (gen_random_uuid(), 'ada@example.com', 'ada@example.com', 'Ada');
         INSERT INTO revocations (subject_id, revoked_at)
         SELECT gen_random_uuid(), now() - interval '2 hours' FROM generate_series(1, 2500);
         INSERT INTO revocations (subject_id) VALUES (gen_random_uuid());
         INSERT INTO sessions (user_id, id, refresh_token_hash, created_at, expires_at, ended_at, user_agent)
         SELECT users.id, gen_random_uuid(), sha256('token'), now() - began * interval '1 day',
             now() - runs_out * interval '1 day', now() - ended * interval '1 day', program
         FROM users, (VALUES
             (1, -29, NULL, 'open'), (170, 140, NULL, 'ran out'), (181, 91, NULL, 'ran out long ago'),
             (100, 10, 89, 'ended'), (100, 10, 91, 'ended long ago')) AS session (began, runs_out, ended, program);
         INSERT INTO mail_tokens (user_id, id, purpose, email, email_key, token_hash, expires_at)
         SELECT users.id, gen_random_uuid(), purpose, email, email_key, sha256(purpose::bytea), now() - past * interval '1 hour'
         FROM users, (VALUES
             ('password_reset', 25), ('email_verification', 25), ('email_change', 23)) AS token (purpose, past);
         INSERT INTO mails (kind, recipient, token_id, died_at, next_attempt_at)
         SELECT 'email_verification', email, id, NULL, now() + interval '1 hour'
         FROM mail_tokens WHERE purpose = 'email_verification'
         UNION ALL VALUES ('account_deleted', 'dead@example.com', NULL::uuid, now() - interval '29 days', now()),
             ('account_deleted', 'long@example.com', NULL, now() - interval '31 days', now())",
    )
    .await;
    let app = TestApp::on(database, |_| {}).await;
    // Of the revocations the young one, and that of the session that nobody had ended.
    let left = [
        ("revocations", 2),
        ("sessions", 3),
        ("mail_tokens", 2),
        ("mails", 2),
    ];
    for (table, left) in left {
        comes_to(&app, &format!("SELECT count(*) FROM {table}"), left).await;
    }
    for (query, left) in [
        (
            "SELECT string_agg(user_agent, ', ' ORDER BY user_agent) FROM sessions",
            "ended, open, ran out",
        ),
        // While its mail waits, it tells that the link ran out.
        (
            "SELECT string_agg(purpose, ', ' ORDER BY purpose) FROM mail_tokens",
            "email_change, email_verification",
        ),
        (
            "SELECT string_agg(recipient, ', ' ORDER BY recipient) FROM mails",
            "ada@example.com, dead@example.com",
        ),
    ] {
        assert_eq!(app.text(query).await, left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_rests_though_there_is_always_something_to_forget() {
    let database = migrated_database().await;
    let past = "INSERT INTO throttles (key, full_at)
                SELECT gen_random_uuid(), now() - interval '1 hour' FROM generate_series(1, ";
    sql(&database, &format!("{past} 2500)")).await;
    let fed = database.clone();
    let feeding = tokio::spawn(async move {
        let mut conn = superuser(&fed).await;
        loop {
            let trickle =
                "INSERT INTO throttles VALUES (gen_random_uuid(), now() - interval '1 second')";
            conn.batch_execute(trickle).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    });
    let app = TestApp::on(database, |_| {}).await;
    let backlog = "SELECT count(*) FROM throttles WHERE full_at < now() - interval '50 minutes'";
    comes_to(&app, backlog, 0).await;
    sleep(Duration::from_millis(300)).await;
    app.sql(&format!("{past} 1)")).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(app.number(backlog).await, 1, "it goes on without end");
    feeding.abort();
}
