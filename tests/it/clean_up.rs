//! Expired rows of all tables are deleted in steps, with pauses.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;

use crate::support::{TestApp, at_least, eventually, execute, migrated_database, superuser};

/// Expired and current rows of all tables.
const ROWS: &str = "
    INSERT INTO users (id, email, email_key, name)
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
        ('account_deleted', 'long@example.com', NULL, now() - interval '31 days', now())";

#[tokio::test(flavor = "multi_thread")]
async fn expired_rows_are_deleted_and_no_others() {
    let database = migrated_database().await;
    execute(&database, ROWS).await;
    let app = TestApp::on(database, |_| {}).await;
    // Of the revocations, the new one, and that of the session that expired without being ended.
    for (table, left) in [
        ("revocations", 2),
        ("sessions", 3),
        ("mail_tokens", 2),
        ("mails", 2),
    ] {
        app.eventually_count(table, left).await;
    }
    for (query, left) in [
        (
            "SELECT string_agg(user_agent, ', ' ORDER BY user_agent) FROM sessions",
            "ended, open, ran out",
        ),
        // While its mail waits, the token shows that the link has expired.
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
async fn the_clean_up_pauses_although_there_is_always_more_to_delete() {
    let database = migrated_database().await;
    let past = |hours: u32, count: u32| {
        format!(
            "INSERT INTO rate_limits (key, full_at)
             SELECT gen_random_uuid(), now() - interval '{hours} hours' FROM generate_series(1, {count})"
        )
    };
    execute(&database, &past(1, 2500)).await;
    let fed = database.clone();
    let feeding = tokio::spawn(async move {
        let mut conn = superuser(&fed).await;
        loop {
            let trickle =
                "INSERT INTO rate_limits VALUES (gen_random_uuid(), now() - interval '1 second')";
            conn.batch_execute(trickle).await.unwrap();
            at_least(Duration::from_millis(5)).await;
        }
    });
    let app = TestApp::on(database, |_| {}).await;
    app.eventually_count(
        "rate_limits WHERE full_at < now() - interval '50 minutes'",
        0,
    )
    .await;
    // Without a pause, the clean-up would delete each new row at once.
    let fed = "rate_limits WHERE full_at > now() - interval '50 minutes'";
    let fed_more = async || {
        let before = app.count(fed).await;
        eventually("rows accumulate", async || {
            app.count(fed).await > before + 20
        })
        .await;
    };
    fed_more().await;
    app.sql(&past(2, 1)).await;
    fed_more().await;
    let old = "rate_limits WHERE full_at < now() - interval '90 minutes'";
    assert_eq!(app.count(old).await, 1, "it is deleted after the pause");
    feeding.abort();
}
