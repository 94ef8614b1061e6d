//! Claims: a process that dies or stops while it sends leaves its mails to others, and none sends what another does.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::{
    LATER, Outbox,
    server::{Manner, Server},
};
use crate::{
    program::{Serving, program},
    support::{SECRET, url_of},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_is_woken_and_tries_again_by_itself() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
    let worker = outbox.run(&outbox.mailer_to(&server));
    tokio::time::sleep(Duration::from_millis(300)).await;
    outbox.farewell("ada@example.com").await;
    outbox.written.notify_one();
    server.has(1).await;

    server.becomes(LATER);
    outbox.farewell("grace@example.com").await;
    outbox.written.notify_one();
    let refused = async {
        while outbox.waiting().await.iter().all(|mail| mail.attempts == 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .unwrap();
    server.becomes(Manner::Takes);
    server.has(2).await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_a_process_that_was_killed_is_sent_when_its_claim_runs_out() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
    server.becomes(Manner::HangsFor("ada"));
    outbox.farewell("ada@example.com").await;
    let folder = std::env::temp_dir();
    let mut command = program(&folder, &["serve"]);
    command
        .env("DATABASE_URL", url_of(&outbox.name).await)
        .env("SNAPNOTE_JWT_SECRET", std::str::from_utf8(SECRET).unwrap())
        .env(
            "SNAPNOTE_SMTP_URL",
            format!("smtp://127.0.0.1:{}", server.port),
        )
        .env("SNAPNOTE_DATA_DIR", folder.join(&outbox.name));
    let mut serving = Serving::start(&mut command).await;
    server.until(|seen| seen.recipients.len() == 1).await;

    server.becomes(Manner::Takes);
    let other = outbox.mailer_to(&server);
    assert_eq!(other.send_all_due().await.unwrap(), 0, "it is claimed");
    serving.signal(Signal::SIGKILL);
    serving.child.wait().await.unwrap();
    assert_eq!(other.send_all_due().await.unwrap(), 0, "it still is");
    let mail = &outbox.waiting().await[0];
    let claim = mail.next_attempt_at - chrono::Utc::now();
    assert!(
        claim.num_seconds() > 30 && claim.num_seconds() <= 120,
        "{claim}"
    );
    assert_eq!((mail.attempts, mail.died_at), (0, None));
    outbox.make_due().await;
    assert_eq!(other.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 1);
    assert!(outbox.waiting().await.is_empty());
    let _ = std::fs::remove_dir_all(folder.join(&outbox.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_deliveries_and_leaves_the_rest_due() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
async fn a_mail_that_goes_while_it_is_sent_is_no_failure() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
