//! Delivery of the outbox to a small SMTP server: mails are sent once, never lost, and dead mails are visible.

mod claims;
mod connections;
mod priorities;
mod transports;

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use snapnote::{
    db::{Database, background::JobStates},
    mail::{MailSettings, Mailer, WaitingMail, retry_dead, waiting},
};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

use crate::support::{
    CONNECTIONS, Manner, SmtpServer, eventually_eq, execute, migrated_database, number, settings,
    superuser, target_of,
};

/// A temporary failure for every recipient.
const LATER: Manner = Manner::Answers("RCPT", "451 4.3.0 come back later");

/// The outbox of a database, without a service.
struct Outbox {
    name: String,
    pool: Database,
    written: Arc<Notify>,
}

impl Outbox {
    async fn new() -> Outbox {
        let name = migrated_database().await;
        let target = target_of(&name).await;
        Outbox {
            pool: Database::new(target, &settings().pool),
            name,
            written: Arc::default(),
        }
    }

    async fn sql(&self, text: &str) {
        execute(&self.name, text).await;
    }

    /// Adds a mail without a token.
    async fn farewell(&self, recipient: &str) {
        self.sql(&format!(
            "INSERT INTO mails (kind, recipient) VALUES ('account_deleted', '{recipient}')"
        ))
        .await;
    }

    /// Adds a mail with a valid token. Returns the token's id.
    async fn password_reset(&self) -> Uuid {
        let (user, token) = (Uuid::new_v4(), Uuid::new_v4());
        self.sql(&format!(
            "INSERT INTO users (id, email, email_key, name)
                VALUES ('{user}', '{user}@example.com', '{user}@example.com', 'Ada');
             INSERT INTO mail_tokens (user_id, id, purpose, email, email_key, token_hash, expires_at) VALUES ('{user}',
                '{token}', 'password_reset', '{user}@example.com', '{user}@example.com', sha256('{token}'), now() + interval '30 minutes');
             INSERT INTO mails (kind, user_id, recipient, token_id)
                VALUES ('password_reset', '{user}', '{user}@example.com', '{token}')"
        ))
        .await;
        token
    }

    /// Adds mails without tokens.
    async fn farewells(&self, count: usize) {
        self.sql(&format!(
            "INSERT INTO mails (kind, recipient)
             SELECT 'account_deleted', 'ada' || n || '@example.com' FROM generate_series(1, {count}) AS n"
        ))
        .await;
    }

    /// Rows of the outbox that were read so far, with or without an index. Sessions report when they end, so close the pool
    /// first.
    async fn rows_read(&self) -> i64 {
        let mut conn = superuser(&self.name).await;
        let connections = format!("SELECT count(*) FROM {CONNECTIONS}");
        eventually_eq("connections", 0, async || {
            number(&mut conn, &connections).await
        })
        .await;
        let read = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'mails'";
        number(&mut conn, read).await
    }

    fn mailer(&self, smtp_url: Option<String>, folder: PathBuf) -> Mailer {
        self.mailer_that_keeps(smtp_url, folder, MailSettings::IDLE)
    }

    fn mailer_that_keeps(
        &self,
        smtp_url: Option<String>,
        folder: PathBuf,
        idle: Duration,
    ) -> Mailer {
        let settings = MailSettings {
            smtp_url,
            idle,
            from: "SnapNote <no-reply@example.com>".to_owned(),
            app_url: "https://app.example.com".parse().unwrap(),
            folder,
        };
        let token_of = Arc::new(|id, _: &[u8]| Some(token_of(id)));
        Mailer::new(self.pool.clone(), &settings, token_of, self.written.clone()).unwrap()
    }

    /// Runs the worker, as the service does.
    fn run(&self, mailer: &Mailer) -> JoinHandle<()> {
        let states = JobStates::default();
        tokio::spawn(
            mailer
                .clone()
                .run(states.job("mail"), states.job("mail-delivery")),
        )
    }

    fn mailer_to(&self, server: &SmtpServer) -> Mailer {
        self.mailer_to_port(server.port)
    }

    fn mailer_to_port(&self, port: u16) -> Mailer {
        self.mailer(Some(format!("smtp://127.0.0.1:{port}")), PathBuf::new())
    }

    async fn waiting(&self) -> Vec<WaitingMail> {
        waiting(&mut self.pool.connection().await.unwrap())
            .await
            .unwrap()
    }

    /// Makes dead mails due again. Returns how many there were.
    async fn retry_dead(&self) -> u64 {
        let mut conn = self.pool.connection().await.unwrap();
        retry_dead(&mut conn).await.unwrap().try_into().unwrap()
    }

    /// The error of the first waiting mail.
    async fn last_error(&self) -> String {
        self.waiting().await[0].last_error.clone().unwrap()
    }

    /// Makes all mails due.
    async fn make_due(&self) {
        self.sql("UPDATE mails SET next_attempt_at = now()").await;
    }
}

fn token_of(id: Uuid) -> String {
    format!("token-{}", id.simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_once_and_its_row_is_deleted() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let token = outbox.password_reset().await;
    let id = outbox.waiting().await[0].id;
    let mailer = outbox.mailer_to(&server);
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    assert!(outbox.waiting().await.is_empty());
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let link = format!(
        "https://app.example.com/reset-password#token={}\n",
        token_of(token)
    );
    assert!(mails[0].contains(&link), "{}", mails[0]);
    assert!(mails[0].contains(&format!("Message-ID: <{id}@example.com>\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_is_lost_while_the_server_fails() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.farewell("ada@example.com").await;
    let mailer = outbox.mailer_to(&server);
    let mut attempts = 0;
    for (manner, error) in [
        (LATER, "come back later"),
        (Manner::HangsUp, "incomplete response"),
    ] {
        server.becomes(manner);
        outbox.make_due().await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 0);
        attempts += 1;
        assert_eq!(outbox.waiting().await[0].attempts, attempts);
        assert!(outbox.last_error().await.contains(error));
    }
    let port = server.stop().await;
    for _ in 0..12 {
        outbox.make_due().await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    }
    let mail = &outbox.waiting().await[0];
    assert_eq!((mail.attempts, mail.died_at), (14, None));
    let rest = mail.next_attempt_at - chrono::Utc::now();
    assert!([14, 15].contains(&rest.num_minutes()), "{rest}");

    let server = SmtpServer::at("127.0.0.1", port).await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 0, "it is not due");
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 1);
    assert!(outbox.waiting().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_each_mail_once() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.farewells(40).await;
    let (one, other) = (outbox.mailer_to(&server), outbox.mailer_to(&server));
    let (one, other) = tokio::join!(one.send_all_due(), other.send_all_due());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one + other, 40);
    assert!(one > 0 && other > 0, "{one} and {other}");
    let mails = server.mails();
    let ids: HashSet<&str> = mails
        .iter()
        .flat_map(|mail| mail.lines())
        .filter(|line| line.starts_with("Message-ID"))
        .collect();
    assert_eq!((mails.len(), ids.len()), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_with_used_or_void_tokens_are_not_sent() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let voided = outbox.password_reset().await;
    outbox
        .sql(&format!(
            "DELETE FROM mail_tokens WHERE id = '{voided}';
             INSERT INTO mails (kind, recipient) VALUES ('email_verification', 'ada@example.com')"
        ))
        .await;
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 0);
    assert!(outbox.waiting().await.is_empty());
    assert!(server.seen.lock().unwrap().commands.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_with_expired_links_are_dead_and_show_the_servers_error() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.password_reset().await;
    server.becomes(LATER);
    let mailer = outbox.mailer_to(&server);
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    outbox
        .sql("UPDATE mail_tokens SET expires_at = now() - interval '1 second'")
        .await;
    outbox.make_due().await;
    server.becomes(Manner::Takes);
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    let mail = &outbox.waiting().await[0];
    assert!(mail.died_at.is_some() && mail.attempts == 1, "{mail:?}");
    let error = mail.last_error.as_ref().unwrap();
    assert!(error.contains("its link expired"), "{error}");
    assert!(error.contains("come back later"), "{error}");
    // A retry would fail again.
    assert_eq!(outbox.retry_dead().await, 0);
    assert_eq!(outbox.waiting().await.len(), 1);
    assert!(server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn permanently_rejected_mails_are_dead_at_once() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    let mailer = outbox.mailer_to(&server);
    for (command, answer) in [
        ("MAIL", "553 5.1.8 no such sender"),
        ("RCPT", "550 5.1.1 no such user"),
        ("DATA", "554 5.7.1 none of these"),
    ] {
        outbox.sql("DELETE FROM mails").await;
        outbox.farewell("ada@example.com").await;
        server.becomes(Manner::Answers(command, answer));
        assert_eq!(mailer.send_all_due().await.unwrap(), 0);
        let mail = &outbox.waiting().await[0];
        assert!(mail.died_at.is_some(), "{mail:?}");
        assert!(mail.last_error.as_ref().unwrap().contains(&answer[4..]));
    }
    server.becomes(Manner::Takes);
    assert_eq!(outbox.retry_dead().await, 1);
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_the_operator_can_fix_are_retried() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.farewell("ada@example.com").await;
    let url = format!("smtp://ada:secret@127.0.0.1:{}", server.port);
    let mailer = outbox.mailer(Some(url), PathBuf::new());
    for (command, answer) in [
        ("", "554 5.3.2 not for you"),
        ("AUTH", "535 5.7.8 wrong password"),
        ("MAIL", "530 5.7.0 authentication required"),
    ] {
        server.becomes(Manner::Answers(command, answer));
        outbox.make_due().await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 0);
        let mail = &outbox.waiting().await[0];
        let error = mail.last_error.as_ref().unwrap();
        assert!(error.contains(&answer[4..]), "{error}");
        assert_eq!(mail.died_at, None, "{error}");
    }
    server.becomes(Manner::Takes);
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_dead_after_three_days() {
    let outbox = Outbox::new().await;
    outbox.farewell("ada@example.com").await;
    outbox.farewell("grace@example.com").await;
    outbox
        .sql(
            "UPDATE mails SET created_at = now() - interval '73 hours' WHERE recipient LIKE 'ada%'",
        )
        .await;
    let port = SmtpServer::start().await.stop().await;
    let mailer = outbox.mailer_to_port(port);
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    let mails = outbox.waiting().await;
    let seen: Vec<(&str, bool)> = mails
        .iter()
        .map(|mail| (&*mail.recipient, mail.died_at.is_some()))
        .collect();
    let expected = [("ada@example.com", true), ("grace@example.com", false)];
    assert_eq!(seen, expected);

    let server = SmtpServer::at("127.0.0.1", port).await;
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1, "the dead rest");
    assert_eq!(outbox.retry_dead().await, 1);
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_recipient_does_not_block_others() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    for recipient in ["a,b@example.com", "ädä@example.com", "ada@bücher.example"] {
        outbox.farewell(recipient).await;
    }
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 2);
    let mails = outbox.waiting().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].recipient, "a,b@example.com");
    assert!(mails[0].died_at.is_some() && mails[0].last_error.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_the_servers_errors_are_not_stored() {
    let (outbox, server) = (Outbox::new().await, SmtpServer::start().await);
    outbox.password_reset().await;
    server.becomes(Manner::RepeatsLinks);
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 0);
    let error = outbox.last_error().await;
    assert!(error.contains("/reset-password#token=…"), "{error}");
    assert!(!error.contains("token-"), "{error}");
}

#[tokio::test]
async fn a_mail_is_sent_once_even_if_its_transaction_is_repeated() {
    let outbox = Outbox::new().await;
    let server = SmtpServer::start().await;
    outbox.farewell("ada@example.com").await;
    outbox
        .sql(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION fails_twice() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF nextval('tries') <= 2 THEN RAISE 'deadlock detected' USING ERRCODE = '40P01'; END IF;
                 RETURN OLD;
             END $$;
             CREATE TRIGGER fails BEFORE DELETE ON mails FOR EACH ROW EXECUTE FUNCTION fails_twice();
             GRANT ALL ON SEQUENCE tries TO snapnote",
        )
        .await;
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 1);
}
