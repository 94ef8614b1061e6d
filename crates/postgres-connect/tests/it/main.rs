//! Connections over TCP with TLS and passwords, to PostgreSQL servers that the tests start.
//!
//! `server` starts the servers. `fixtures/make.sh` creates the certificates and keys. The servers' certificates name
//! `localhost` but not `127.0.0.1`.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use postgres_connect::Target;
use tokio_postgres::Client;

use self::{
    Outcome::{Encrypted, Plain, Rejected},
    server::{FIXTURES, Server, free_port},
};

mod server;

/// Ada and her password, percent-encoded.
const ADA: &str = "ada:sesam%20%40%C3%B6ffne%2Fdich%3F";

/// The result of a connection attempt.
enum Outcome {
    Encrypted,
    Plain,
    /// Rejected with an error that contains this text.
    Rejected(&'static str),
}

const UNKNOWN: Outcome =
    Rejected("UnknownIssuer; set sslrootcert to the certificate of the authority");
const OTHER_NAME: Outcome = Rejected("; use a host name that the certificate lists");
const EXPIRED: Outcome = Rejected("; renew the server's certificate");
const OLD_FORM: Outcome = Rejected("; use an X.509 version 3 certificate");
const NO_TLS: Outcome = Rejected("server does not support TLS; enable ssl");
const UNBOUND: Outcome = Rejected("server did not use channel binding; ");

#[tokio::test]
async fn every_sslmode_verifies_what_it_promises() {
    let server = Server::start(Some("server.pem")).await;
    for (host, parameters, outcome) in [
        ("localhost", "", Encrypted),
        ("localhost", "sslmode=disable", Plain),
        ("localhost", "sslmode=allow", Encrypted),
        ("localhost", "ssl=true", Encrypted),
        (
            "localhost",
            "sslmode=require&sslsni=0&ssl_min_protocol_version=TLSv1.3",
            Encrypted,
        ),
        ("127.0.0.1", "sslmode=require", Encrypted),
        (
            "127.0.0.1",
            "sslmode=require&sslrootcert=$/authority.pem",
            Encrypted,
        ),
        (
            "localhost",
            "sslmode=require&sslrootcert=$/self-signed.pem",
            UNKNOWN,
        ),
        (
            "127.0.0.1",
            "sslmode=verify-ca&sslrootcert=$/authority.pem",
            Encrypted,
        ),
        (
            "localhost",
            "sslmode=verify-ca&sslrootcert=$/self-signed.pem",
            UNKNOWN,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=$/authority.pem",
            Encrypted,
        ),
        (
            "127.0.0.1",
            "sslmode=verify-full&sslrootcert=$/authority.pem",
            OTHER_NAME,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=$/self-signed.pem",
            UNKNOWN,
        ),
        (
            "localhost",
            "hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=$/authority.pem",
            Encrypted,
        ),
        (
            "db.example",
            "hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=$/authority.pem",
            OTHER_NAME,
        ),
    ] {
        expect(&url(&server, ADA, host, parameters), outcome).await;
    }
    // None of this system's authorities signed the certificate.
    for parameters in ["sslmode=verify-full", "sslrootcert=system"] {
        let error = connect(&url(&server, ADA, "localhost", parameters))
            .await
            .err();
        let error = error.expect("no system trusts the test's authority");
        assert!(
            error.contains("UnknownIssuer") || error.contains("no certificate authorities"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn invalid_certificates_are_accepted_only_without_verification() {
    let server = Server::start(Some("self-signed.pem")).await;
    for (host, parameters, outcome) in [
        ("localhost", "", Encrypted),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=$/self-signed.pem",
            Encrypted,
        ),
        (
            "127.0.0.1",
            "sslmode=verify-ca&sslrootcert=$/self-signed.pem",
            Encrypted,
        ),
        (
            "127.0.0.1",
            "sslmode=verify-full&sslrootcert=$/self-signed.pem",
            OTHER_NAME,
        ),
        (
            "localhost",
            "sslmode=verify-ca&sslrootcert=$/authority.pem",
            Rejected("CaUsedAsEndEntity)); set sslrootcert to the server's own certificate"),
        ),
    ] {
        expect(&url(&server, ADA, host, parameters), outcome).await;
    }
    let server = Server::start(Some("expired.pem")).await;
    for (parameters, outcome) in [
        ("sslmode=require", Encrypted),
        ("sslmode=verify-ca&sslrootcert=$/authority.pem", EXPIRED),
        ("sslmode=verify-ca&sslrootcert=$/expired.pem", EXPIRED),
    ] {
        expect(&url(&server, ADA, "localhost", parameters), outcome).await;
    }
    let server = Server::start(Some("version-1.pem")).await;
    for (parameters, outcome) in [
        ("", Encrypted),
        ("sslmode=require", Encrypted),
        ("sslmode=require&channel_binding=require", OLD_FORM),
        ("sslmode=verify-ca&sslrootcert=$/authority.pem", OLD_FORM),
    ] {
        expect(&url(&server, ADA, "localhost", parameters), outcome).await;
    }
}

#[tokio::test]
async fn a_server_without_tls_is_rejected_if_tls_is_required() {
    let server = Server::start(None).await;
    for (parameters, outcome) in [
        ("", Plain),
        ("sslmode=require", NO_TLS),
        ("sslmode=verify-full&sslrootcert=$/authority.pem", NO_TLS),
        ("channel_binding=require", UNBOUND),
    ] {
        expect(&url(&server, ADA, "localhost", parameters), outcome).await;
    }
}

#[tokio::test]
async fn channel_binding_and_client_certificates_work() {
    let server = Server::start(Some("server.pem")).await;
    for (credentials, parameters, outcome) in [
        (ADA, "sslmode=require&channel_binding=require", Encrypted),
        (ADA, "sslmode=require&channel_binding=disable", Encrypted),
        ("trusted", "sslmode=require", Encrypted),
        (
            "trusted",
            "sslmode=require&channel_binding=require",
            UNBOUND,
        ),
        (
            "visitor",
            "sslcert=$/client.pem&sslkey=$/client.key",
            Encrypted,
        ),
        (
            "visitor",
            "",
            Rejected("requires a valid client certificate; add sslcert and sslkey"),
        ),
        (
            "visitor",
            "sslmode=disable",
            Rejected("no encryption; the server may require TLS"),
        ),
    ] {
        expect(&url(&server, credentials, "localhost", parameters), outcome).await;
    }
}

#[tokio::test]
async fn an_error_tells_the_operator_where_why_and_what_to_do() {
    let server = Server::start(Some("server.pem")).await;
    let (port, folder) = (server.port, server.folder.display());
    let closed = free_port();
    for (url, line) in [
        (
            url(&server, "ada:wrong-secret", "localhost", ""),
            format!(
                "database `postgres` at localhost:{port} as `ada`: password authentication failed for user \"ada\"; \
                 check user and password; "
            ),
        ),
        (
            url(&server, "ada", "localhost", ""),
            "password missing; add the user's password".to_owned(),
        ),
        (
            format!("postgres://trusted@localhost:{port}/notes"),
            "database `notes` at".to_owned(),
        ),
        (
            format!("postgres://trusted@localhost:{port}/notes"),
            "database \"notes\" does not exist; create the database".to_owned(),
        ),
        (
            format!("postgres://ada@127.0.0.1:{closed}"),
            format!("database `ada` at 127.0.0.1:{closed} as `ada`: Connection refused"),
        ),
        (
            format!("host={folder}/nowhere port={port} user=ada"),
            format!("database `ada` at {folder}/nowhere/.s.PGSQL.{port} as `ada`: No such file"),
        ),
        (
            "postgres://ada@db.invalid/notes".to_owned(),
            "check the host name".to_owned(),
        ),
        (
            url(&server, "trusted", "localhost", "options=-c%20nonsense%3D1"),
            "unrecognized configuration parameter \"nonsense\"".to_owned(),
        ),
    ] {
        let error = connect(&url).await.expect_err("it is rejected");
        assert!(error.contains(&line), "{error}");
        assert!(
            !error.contains("secret") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_responds_costs_at_most_the_time_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let target = Target::parse(&format!("postgres://ada@127.0.0.1:{port}/notes"))
        .expect("it is a URL")
        .with_connect_timeout(Duration::from_millis(300));
    let begun = Instant::now();
    let outcome = target.connect().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    let error = outcome
        .err()
        .expect("the server never responds")
        .to_string();
    assert!(
        error.contains("no response within 0.3 s; check the address"),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_of_several_hosts_that_accepts_is_used() {
    let server = Server::start(Some("server.pem")).await;
    let (port, closed) = (server.port, free_port());
    let url = format!("postgres://{ADA}@127.0.0.1:{closed},localhost:{port}/postgres");
    expect(&url, Encrypted).await;
    let url = format!(
        "postgres://{ADA}@localhost:{port},127.0.0.1:{closed}/postgres?target_session_attrs=read-only"
    );
    let error = connect(&url).await.expect_err("neither is read-only");
    assert!(
        error.contains(&format!(
            "at localhost:{port} or 127.0.0.1:{closed} as `ada`"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn set_up_runs_within_the_time_limit_and_its_error_is_explained() {
    let server = Server::start(Some("server.pem")).await;
    let target = Target::parse(&url(&server, ADA, "localhost", ""))
        .expect("it is a URL")
        .with_application_name("tests");
    let name = target
        .connect_and(async |client, connection| {
            tokio::spawn(connection);
            Ok(text(&client, "current_setting('application_name')").await)
        })
        .await;
    assert_eq!(name, Ok("tests".to_owned()));
    let failed = target.connect_and(async |_, _| Err::<(), _>("wrong schema".to_owned()));
    let error = failed.await.expect_err("it failed").to_string();
    assert!(error.ends_with("as `ada`: wrong schema"), "{error}");

    let target = target.with_connect_timeout(Duration::from_millis(500));
    let error = target
        .connect_and(async |_, _| std::future::pending::<Result<(), String>>().await)
        .await
        .expect_err("it never ends");
    assert!(
        error.to_string().contains("no response within 0.5 s"),
        "{error}"
    );
}

#[tokio::test]
async fn a_running_statement_is_cancelled_over_tls() {
    let server = Server::start(Some("server.pem")).await;
    let parameters = "sslmode=verify-full&sslrootcert=$/authority.pem";
    let target = Target::parse(&url(&server, ADA, "localhost", parameters)).expect("it is a URL");
    let (client, connection) = target.connect().await.expect("it connects");
    tokio::spawn(connection);
    let token = client.cancel_token();
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(client.batch_execute("SELECT pg_sleep(20)"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        target.cancel(token).await.expect("the request is sent");
    });
    let error = outcome.expect_err("it was cancelled");
    let error = error.as_db_error().expect("the server reports it");
    assert_eq!(error.message(), "canceling statement due to user request");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(text(&client, "'usable'").await, "usable");
}

/// The connection, or the error for the operator.
async fn connect(url: &str) -> Result<Client, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    let (client, connection) = target.connect().await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(client)
}

/// The server's URL. `$` in the parameters is the folder of the certificates.
fn url(server: &Server, credentials: &str, host: &str, parameters: &str) -> String {
    let (port, parameters) = (server.port, parameters.replace('$', FIXTURES));
    format!("postgres://{credentials}@{host}:{port}/postgres?{parameters}")
}

async fn expect(url: &str, expected: Outcome) {
    let encrypted = "(SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
    match (connect(url).await, expected) {
        (Ok(client), Encrypted) => {
            assert_eq!(text(&client, encrypted).await, "true", "{url}")
        }
        (Ok(client), Plain) => {
            assert_eq!(text(&client, encrypted).await, "false", "{url}")
        }
        (Err(error), Rejected(part)) => assert!(error.contains(part), "{url}: {error}"),
        (Ok(_), Rejected(part)) => panic!("{url} connected instead of: {part}"),
        (Err(error), _) => panic!("{url}: {error}"),
    }
}

/// The value of an SQL expression.
async fn text(client: &Client, expression: &str) -> String {
    let messages = client.simple_query(&format!("SELECT {expression}")).await;
    let messages = messages.expect("the expression is valid");
    let value = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    value.expect("the expression has a value")
}
