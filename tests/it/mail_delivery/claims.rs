//! Claims: mails of a process that stops or dies are sent by others, and no mail is sent by two processes.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::{LATER, Outbox};
use crate::support::{Manner, Serving, SmtpServer, at_least, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_is_woken_by_new_mails_and_retries() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let worker = outbox.run(&outbox.mailer_to(&server));
    at_least(Duration::from_millis(300)).await;
    outbox.farewell("ada@example.com").await;
    outbox.written.notify_one();
    server.has(1).await;

    server.becomes(LATER);
    outbox.farewell("grace@example.com").await;
    outbox.written.notify_one();
    eventually("the mail is attempted", async || {
        outbox.waiting().await.iter().any(|mail| mail.attempts > 0)
    })
    .await;
    server.becomes(Manner::Takes);
    server.has(2).await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_a_killed_process_are_sent_when_its_claim_expires() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    server.becomes(Manner::HangsFor("ada"));
    outbox.farewell("ada@example.com").await;
    let folder = std::env::temp_dir().join(&outbox.name);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let folder_name = folder.to_str().unwrap();
    let environment = [
        ("SNAPNOTE_SMTP_URL", &*url),
        ("SNAPNOTE_DATA_DIR", folder_name),
    ];
    let mut serving = Serving::on(&outbox.name, &environment).await;
    server.until(|seen| seen.recipients.len() == 1).await;

    server.becomes(Manner::Takes);
    let other = outbox.mailer_to(&server);
    assert_eq!(other.send_all_due().await.unwrap(), 0, "it is claimed");
    serving.signal(Signal::SIGKILL);
    serving.child.wait().await.unwrap();
    assert_eq!(other.send_all_due().await.unwrap(), 0, "it still is");
    let mail = &outbox.waiting().await[0];
    let claim = mail.next_attempt_at - chrono::Utc::now();
    assert!((31..=120).contains(&claim.num_seconds()), "{claim}");
    assert_eq!((mail.attempts, mail.died_at), (0, None));
    outbox.make_due().await;
    assert_eq!(other.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 1);
    assert!(outbox.waiting().await.is_empty());
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_deliveries_and_leaves_other_mails_due() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    server.becomes(Manner::HangsFor("slow"));
    outbox.farewell("slow@example.com").await;
    let mailer = outbox.mailer_to(&server);
    let worker = outbox.run(&mailer);
    server.until(|seen| seen.recipients.len() == 1).await;
    outbox.farewell("quick@example.com").await;
    outbox.written.notify_one();
    server.until(|seen| seen.recipients.len() == 2).await;
    worker.abort();
    mailer.finish(Instant::now() + Duration::from_secs(2)).await;
    let waiting = outbox.waiting().await;
    assert_eq!(waiting.len(), 1, "the quick one was sent");
    assert_eq!(waiting[0].recipient, "slow@example.com");
    assert!(waiting[0].next_attempt_at <= chrono::Utc::now());
    assert_eq!(waiting[0].attempts, 0);
    server.until(|seen| seen.open == 0).await;

    server.becomes(Manner::Takes);
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_are_deleted_while_they_are_sent_cause_no_error() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox
        .sql(
            "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER gone BEFORE UPDATE ON mails
                 FOR EACH ROW WHEN (NEW.attempts > 0) EXECUTE FUNCTION gone()",
        )
        .await;
    // To the statement that notes the failure, the row seems to be gone.
    outbox.farewell("ada@example.com").await;
    server.becomes(LATER);
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 0);
    assert_eq!(outbox.waiting().await[0].attempts, 0);
}
