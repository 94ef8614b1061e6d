//! Connections to the SMTP server are kept for the next mail, for a while, and as long as the server wants.

use std::{path::PathBuf, time::Duration};

use super::Outbox;
use crate::support::{Manner, SmtpServer};

#[tokio::test(flavor = "multi_thread")]
async fn many_mails_share_a_few_connections() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let mailer = outbox.mailer_to(&server);
    for round in 1..=2 {
        outbox.farewells(30).await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 30);
        let opened = server.seen.lock().unwrap().connections;
        assert!(opened <= 4, "{opened} in round {round}");
    }
    let seen = server.seen.lock().unwrap();
    let hellos = seen.commands.iter().filter(|command| *command == "EHLO");
    assert_eq!(hellos.count(), seen.connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_is_sent_once_if_the_server_closes_idle_connections() {
    for manner in [Manner::TakesOne, Manner::ClosesAfterOne] {
        let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
        server.becomes(manner);
        let mailer = outbox.mailer_to(&server);
        outbox.farewells(12).await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 12);
        assert_eq!(server.mails().len(), 12);
        assert_eq!(server.seen.lock().unwrap().connections, 12);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_not_reused_after_a_failed_mail() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let mailer = outbox.mailer_to(&server);
    outbox.farewells(1).await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    server.becomes(Manner::Answers("RCPT", "450 4.2.0 busy"));
    outbox.farewells(1).await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    let opened = server.seen.lock().unwrap().connections;
    assert_eq!(opened, 1, "the mail was refused, not the connection");
    server.becomes(Manner::Takes);
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(server.seen.lock().unwrap().connections, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let mailer = outbox.mailer_that_keeps(Some(url), PathBuf::new(), Duration::from_millis(50));
    for round in 1..=2 {
        outbox.farewells(9).await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 9);
        server.until(|seen| seen.open == 0).await;
        let seen = server.seen.lock().unwrap();
        let farewells = seen.commands.iter().filter(|command| *command == "QUIT");
        assert_eq!(farewells.count(), seen.connections, "round {round}");
    }
}
