//! Mail transports: a server with or without TLS, and files.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use super::{Outbox, token_of};
use crate::support::SmtpServer;

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_not_sent_unencrypted_unless_allowed() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::at("127.0.0.2", 0).await);
    outbox.farewell("ada@example.com").await;
    let url = format!("smtp://ada:secret@127.0.0.2:{}", server.port);
    let mailer = outbox.mailer(Some(url), PathBuf::new());
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    let error = outbox.last_error().await;
    assert!(error.contains("STARTTLS"), "{error}");
    assert_eq!(server.seen.lock().unwrap().commands, ["EHLO"]);

    outbox.make_due().await;
    let url = format!("smtp://127.0.0.2:{}?tls=none", server.port);
    let mailer = outbox.mailer(Some(url), PathBuf::new());
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_written_to_files_without_a_server() {
    let outbox = Outbox::new().await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&outbox.name);
    let token = outbox.password_reset().await;
    let id = outbox.waiting().await[0].id;
    let mailer = outbox.mailer(None, folder.clone());
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    let mode = |path: &PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let named = name.ends_with(&format!("Z-password_reset-{id}.eml"));
    assert!(named, "{name}");
    assert_eq!(mode(&files[0]), 0o600);
    let mail = std::fs::read_to_string(&files[0]).unwrap();
    assert!(mail.contains(&token_of(token)), "{mail}");
    std::fs::remove_dir_all(folder).unwrap();
}
