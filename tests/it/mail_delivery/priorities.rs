//! Priorities: urgent mails are sent first, and recipients for whom the server hangs delay no others.

use super::Outbox;
use crate::support::{Manner, SmtpServer, eventually};

/// Mails of that kind that are due since so many minutes.
fn mails(kind: &str, count: usize, minutes: usize) -> String {
    format!(
        "INSERT INTO mails (kind, recipient, next_attempt_at)
         SELECT '{kind}', '{kind}' || n || '@example.com', now() - interval '{minutes} minutes'
         FROM generate_series(1, {count}) AS n;"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn password_resets_are_sent_first_then_security_notices_then_the_rest() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.sql(&mails("sign_up_attempted", 60, 30)).await;
    outbox.sql(&mails("password_changed", 20, 20)).await;
    for _ in 0..10 {
        outbox.password_reset().await;
    }
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 90);
    let recipients = server.seen.lock().unwrap().recipients.clone();
    let last = |is_one: fn(&str) -> bool| recipients.iter().rposition(|name| is_one(name)).unwrap();
    let is_reset =
        |name: &str| !name.starts_with("sign_up") && !name.starts_with("password_changed");
    // Four are sent at the same time, so three may overtake the last one.
    assert!(last(is_reset) < 13, "{recipients:?}");
    let notices_are_next = last(|name| name.starts_with("password_changed")) < 33;
    assert!(notices_are_next, "{recipients:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_recipient_delays_no_other_mail() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    server.becomes(Manner::HangsFor("slow"));
    outbox.farewell("slow@example.com").await;
    let worker = outbox.run(&outbox.mailer_to(&server));
    server
        .until(|seen| seen.recipients == ["slow@example.com"])
        .await;
    outbox.sql(&mails("account_linked", 15, 0)).await;
    outbox.written.notify_one();
    server.has(15).await;
    eventually("only the hanging mail is waiting", async || {
        outbox.waiting().await.len() == 1
    })
    .await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn password_resets_are_sent_while_other_mails_hang() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    server.becomes(Manner::HangsFor("new_device"));
    outbox.sql(&mails("new_device", 8, 1)).await;
    let worker = outbox.run(&outbox.mailer_to(&server));
    server.until(|seen| seen.recipients.len() == 3).await;
    for sent in 1..=3 {
        outbox.password_reset().await;
        outbox.written.notify_one();
        server.has(sent).await;
    }
    eventually("no connection is held", async || {
        let status = outbox.pool.status();
        status.open <= status.idle
    })
    .await;
    let recipients = server.seen.lock().unwrap().recipients.clone();
    let hanging = recipients
        .iter()
        .filter(|name| name.starts_with("new_device"));
    assert_eq!(hanging.count(), 3, "the last slot is for resets");
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_mail_is_found_by_an_index() {
    let outbox = Outbox::new().await;
    outbox.sql(&mails("sign_up_attempted", 50_000, 5)).await;
    outbox
        .sql("UPDATE mails SET next_attempt_at = now() + interval '1 hour' WHERE recipient LIKE '%9@example.com'; ANALYZE mails")
        .await;
    let server = SmtpServer::start().await;
    server.becomes(Manner::HangsFor("sign"));
    let before = outbox.rows_read().await;
    let worker = outbox.run(&outbox.mailer_to(&server));
    server.until(|seen| seen.recipients.len() == 3).await;
    worker.abort();
    outbox.pool.close().await;
    let read = outbox.rows_read().await - before;
    assert!(read < 200, "{read} rows were read to claim three mails");
}
