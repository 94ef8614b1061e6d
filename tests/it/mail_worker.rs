//! The outbox against a small SMTP server (`server`): sent once, never lost, and given up where it can be seen.

mod claims;
mod connections;
mod order;
pub(crate) mod server;
mod ways;

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use snapnote::{
    db::{Database, background::JobStates, connect::Target},
    mail::{MailSettings, Mailer, WaitingMail, retry_dead, waiting},
};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

use self::server::{Manner, Server};
use crate::support::{migrated_database, settings, superuser, url_of};

/// Not now, to every recipient.
const LATER: Manner = Manner::Answers("RCPT", "451 4.3.0 come back later");

/// A database of its own, and what the tests put into its outbox.
struct Outbox {
    name: String,
    pool: Database,
    written: Arc<Notify>,
}

impl Outbox {
    async fn new() -> Outbox {
        let name = migrated_database().await;
        let target = Target::parse(&url_of(&name).await).unwrap();
        Outbox {
            pool: Database::new(target, &settings().pool),
            name,
            written: Arc::default(),
        }
    }

    async fn sql(&self, text: &str) {
        let mut conn = superuser(&self.name).await;
        conn.batch_execute(text).await.unwrap();
    }

    /// A mail that needs no token.
    async fn farewell(&self, recipient: &str) {
        self.sql(&format!(
            "INSERT INTO mails (kind, recipient) VALUES ('account_deleted', '{recipient}')"
        ))
        .await;
    }

    /// A mail with a token that is good; answers the token's id.
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

    /// Mails that need no token.
    async fn farewells(&self, count: usize) {
        self.sql(&format!(
            "INSERT INTO mails (kind, recipient)
             SELECT 'account_deleted', 'ada' || n || '@example.com' FROM generate_series(1, {count}) AS n"
        ))
        .await;
    }

    /// Rows of the outbox that were read so far, by an index or not. Sessions report when they end, so close the pool first.
    async fn rows_read(&self) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Read {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let mut conn = superuser(&self.name).await;
        let others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";
        let read = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_user_tables WHERE relname = 'mails'";
        while diesel::sql_query(others)
            .get_result::<Read>(&mut conn)
            .await
            .unwrap()
            .n
            > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        diesel::sql_query(read)
            .get_result::<Read>(&mut conn)
            .await
            .unwrap()
            .n
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
        let token_of = Arc::new(token_of);
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

    fn mailer_to(&self, server: &Server) -> Mailer {
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

    /// As if the time had come.
    async fn make_due(&self) {
        self.sql("UPDATE mails SET next_attempt_at = now()").await;
    }
}

fn token_of(id: Uuid) -> String {
    format!("token-{}", id.simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_once_and_its_row_is_gone() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
        let mail = &outbox.waiting().await[0];
        assert_eq!(mail.attempts, attempts);
        assert!(
            mail.last_error.as_ref().unwrap().contains(error),
            "{mail:?}"
        );
    }
    let port = server.stop().await;
    for _ in 0..12 {
        outbox.make_due().await;
        assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    }
    let mail = &outbox.waiting().await[0];
    assert_eq!((mail.attempts, mail.died_at), (14, None));
    let rest = mail.next_attempt_at - chrono::Utc::now();
    assert!(
        rest.num_minutes() == 14 || rest.num_minutes() == 15,
        "{rest}"
    );

    let server = Server::start("127.0.0.1", port).await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 0, "it is not due");
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 1);
    assert!(outbox.waiting().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_each_mail_once() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
async fn a_token_that_was_used_or_voided_is_not_sent() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
async fn a_mail_whose_link_ran_out_is_given_up_and_seen_with_what_the_server_said() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
    // Another try would mend nothing.
    let mut conn = outbox.pool.connection().await.unwrap();
    assert_eq!(retry_dead(&mut conn).await.unwrap(), 0);
    drop(conn);
    assert_eq!(outbox.waiting().await.len(), 1);
    assert!(server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_server_refuses_for_good_is_given_up_at_once() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
    let mut conn = outbox.pool.connection().await.unwrap();
    assert_eq!(retry_dead(&mut conn).await.unwrap(), 1);
    drop(conn);
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_can_mend_is_tried_again() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
async fn a_mail_that_is_three_days_old_is_given_up_and_seen() {
    let outbox = Outbox::new().await;
    outbox.farewell("ada@example.com").await;
    outbox.farewell("grace@example.com").await;
    outbox
        .sql(
            "UPDATE mails SET created_at = now() - interval '73 hours' WHERE recipient LIKE 'ada%'",
        )
        .await;
    let port = Server::start("127.0.0.1", 0).await.stop().await;
    let mailer = outbox.mailer_to_port(port);
    assert_eq!(mailer.send_all_due().await.unwrap(), 0);
    let mails = outbox.waiting().await;
    let seen: Vec<(&str, bool)> = mails
        .iter()
        .map(|mail| (&*mail.recipient, mail.died_at.is_some()))
        .collect();
    assert_eq!(
        seen,
        [("ada@example.com", true), ("grace@example.com", false)]
    );

    let server = Server::start("127.0.0.1", port).await;
    outbox.make_due().await;
    assert_eq!(mailer.send_all_due().await.unwrap(), 1, "the dead rest");
    let mut conn = outbox.pool.connection().await.unwrap();
    assert_eq!(retry_dead(&mut conn).await.unwrap(), 1);
    drop(conn);
    assert_eq!(mailer.send_all_due().await.unwrap(), 1);
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_recipient_does_not_stop_the_others() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
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
async fn a_token_that_the_server_repeats_is_not_kept() {
    let (outbox, server) = (Outbox::new().await, Server::start("127.0.0.1", 0).await);
    outbox.password_reset().await;
    server.becomes(Manner::RepeatsLinks);
    assert_eq!(outbox.mailer_to(&server).send_all_due().await.unwrap(), 0);
    let error = outbox.waiting().await[0].last_error.clone().unwrap();
    assert!(error.contains("/reset-password#token=…"), "{error}");
    assert!(!error.contains("token-"), "{error}");
}

#[tokio::test]
async fn a_mail_is_sent_once_even_if_its_transaction_is_repeated() {
    let outbox = Outbox::new().await;
    let server = Server::start("127.0.0.1", 0).await;
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
