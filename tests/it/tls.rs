//! Connecting over TCP, with TLS and passwords: `snapnote::db::connect` against PostgreSQL servers of the tests' own.
//!
//! The servers are in `tls/server.rs`. Certificates and keys are made by `fixtures/tls/make.sh`; the servers' name
//! `localhost`, not `127.0.0.1`.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use diesel::{
    IntoSql, QueryableByName, sql_query,
    sql_types::{Integer, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use snapnote::db::connect::{SessionSettings, Target};

use self::{
    Outcome::{Encrypted, Plain, Refused},
    server::{FIXTURES, Server, free_port},
};

mod server;

/// Ada with her password as a URL spells it.
const ADA: &str = "ada:sesam%20%40%C3%B6ffne%2Fdich%3F";

/// What comes of an attempt to connect.
enum Outcome {
    Encrypted,
    Plain,
    /// Refused with an error that has this in it.
    Refused(&'static str),
}

/// Whom a refusal tells to look for another authority.
const UNKNOWN: Outcome = Refused("UnknownIssuer; give the file of the authority");
const OTHER_NAME: Outcome = Refused("; use a host name that the certificate lists");
const EXPIRED: Outcome = Refused("; renew the server's certificate");
const OLD_FORM: Outcome = Refused("; give the server an X.509 version 3 certificate");
const NO_TLS: Outcome = Refused("server does not support TLS; turn ssl on");
const UNBOUND: Outcome = Refused("server did not use channel binding; ");

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
    // This system's authorities, if it has any, did not sign it.
    for parameters in ["sslmode=verify-full", "sslrootcert=system"] {
        let error = connect(&url(&server, ADA, "localhost", parameters))
            .await
            .err();
        let error = error.expect("the test's authority is nobody's");
        assert!(
            error.contains("UnknownIssuer") || error.contains("no certificate authorities"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn certificates_that_do_not_hold_pass_only_where_none_is_verified() {
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
            Refused("CaUsedAsEndEntity)); give the server's certificate itself"),
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
async fn a_server_without_tls_is_refused_where_tls_is_required() {
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
async fn channel_binding_and_client_certificates_are_honoured() {
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
            Refused("requires a valid client certificate; add sslcert and sslkey"),
        ),
        (
            "visitor",
            "sslmode=disable",
            Refused("no encryption; the server may want TLS"),
        ),
    ] {
        expect(&url(&server, credentials, "localhost", parameters), outcome).await;
    }
}

#[tokio::test]
async fn a_refusal_tells_the_operator_where_why_and_what_to_do() {
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
            "password missing; write the user's password".to_owned(),
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
            "check the host's name".to_owned(),
        ),
        (
            url(&server, "trusted", "localhost", "options=-c%20nonsense%3D1"),
            "unrecognized configuration parameter \"nonsense\"".to_owned(),
        ),
    ] {
        let error = connect(&url).await.err().expect("it is refused");
        assert!(error.contains(&line), "{error}");
        assert!(
            !error.contains("secret") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_no_more_than_the_time_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let target = Target::parse(&format!("postgres://ada@127.0.0.1:{port}/notes"));
    let settings = SessionSettings {
        connect_timeout: Duration::from_millis(300),
        ..SessionSettings::default()
    };
    let begun = Instant::now();
    let outcome = target.expect("it is a URL").with(settings).connect().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    let error = outcome.err().expect("nobody answers").to_string();
    assert!(
        error.contains("no answer within 0.3 s; check the address"),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_of_several_hosts_that_lets_us_in_is_taken() {
    let server = Server::start(Some("server.pem")).await;
    let (port, closed) = (server.port, free_port());
    let url = format!("postgres://{ADA}@127.0.0.1:{closed},localhost:{port}/postgres");
    expect(&url, Encrypted).await;
    let url = format!(
        "postgres://{ADA}@localhost:{port},127.0.0.1:{closed}/postgres?target_session_attrs=read-only"
    );
    let error = connect(&url).await.err().expect("neither is read-only");
    assert!(
        error.contains(&format!(
            "at localhost:{port} or 127.0.0.1:{closed} as `ada`"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn a_session_is_set_up_as_the_settings_say() {
    let server = Server::start(Some("server.pem")).await;
    let target = Target::parse(&url(&server, ADA, "localhost", "")).expect("it is a URL");
    for (prepared_statements, kept) in [(true, "1"), (false, "0")] {
        let settings = SessionSettings {
            statement_timeout: Duration::from_millis(1500),
            prepared_statements,
            ..SessionSettings::default()
        };
        let connected = target.clone().with(settings).connect().await;
        let mut connection = connected.expect("it connects");
        for (name, value) in [
            ("statement_timeout", "1500ms"),
            ("TimeZone", "UTC"),
            ("application_name", "snapnote"),
        ] {
            assert_eq!(
                text(&mut connection, &format!("current_setting('{name}')")).await,
                value
            );
        }
        let one = diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut connection);
        assert_eq!(one.await.expect("it answers"), 1);
        let count =
            "(SELECT count(*)::text FROM pg_prepared_statements WHERE statement = 'SELECT $1')";
        assert_eq!(text(&mut connection, count).await, kept);
    }
}

#[tokio::test]
async fn a_running_statement_is_cancelled_over_tls() {
    let server = Server::start(Some("server.pem")).await;
    let parameters = "sslmode=verify-full&sslrootcert=$/authority.pem";
    let target = Target::parse(&url(&server, ADA, "localhost", parameters)).expect("it is a URL");
    let mut connection = target.connect().await.expect("it connects");
    let token = connection.cancel_token();
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(
        sql_query("SELECT pg_sleep(20)").execute(&mut connection),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            target.cancel(token).await;
        }
    );
    let error = outcome.expect_err("it was cancelled").to_string();
    assert_eq!(error, "canceling statement due to user request");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(text(&mut connection, "'usable'").await, "usable");
}

/// The connection, or the line that the operator reads.
async fn connect(url: &str) -> Result<AsyncPgConnection, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    target.connect().await.map_err(|error| error.to_string())
}

/// Where that server is; `$` in the parameters stands for the folder of the certificates.
fn url(server: &Server, credentials: &str, host: &str, parameters: &str) -> String {
    let (port, parameters) = (server.port, parameters.replace('$', FIXTURES));
    format!("postgres://{credentials}@{host}:{port}/postgres?{parameters}")
}

async fn expect(url: &str, expected: Outcome) {
    let encrypted = "(SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
    match (connect(url).await, expected) {
        (Ok(mut connection), Encrypted) => {
            assert_eq!(text(&mut connection, encrypted).await, "true", "{url}")
        }
        (Ok(mut connection), Plain) => {
            assert_eq!(text(&mut connection, encrypted).await, "false", "{url}")
        }
        (Err(error), Refused(part)) => assert!(error.contains(part), "{url}: {error}"),
        (Ok(_), Refused(part)) => panic!("{url} connected instead of: {part}"),
        (Err(error), _) => panic!("{url}: {error}"),
    }
}

/// The value of an SQL expression.
async fn text(connection: &mut AsyncPgConnection, expression: &str) -> String {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let query = sql_query(format!("SELECT {expression} AS value"));
    let answer = query.get_result::<Answer>(connection).await;
    answer.expect("the expression has a value").value
}
