//! Connection strings: what they mean, and which are rejected.

use tokio_postgres::config::SslMode;

use super::*;

#[test]
fn a_target_shows_its_address_but_no_password() {
    for (text, shown) in [
        (
            "postgres://ada:geheim@db.example/notes",
            "database `notes` at db.example:5432 as `ada`",
        ),
        (
            "postgresql://ada@[::1]:6000",
            "database `ada` at [::1]:6000 as `ada`",
        ),
        (
            "postgres://a,b:5433/notes?user=ada&password=geheim",
            "database `notes` at a:5432 or b:5433 as `ada`",
        ),
        (
            "postgres://ada@%2Frun%2Fpg:5433/notes",
            "database `notes` at /run/pg/.s.PGSQL.5433 as `ada`",
        ),
        (
            "postgres:///notes?host=/run/pg&port=5433",
            "database `notes` at /run/pg/.s.PGSQL.5433 as the operating system's user",
        ),
        (
            " host=/run/pg user=ada password='ge heim\\'' dbname = 'my notes' \n",
            "database `my notes` at /run/pg/.s.PGSQL.5432 as `ada`",
        ),
        (
            "hostaddr=10.0.0.7 user=ada",
            "database `ada` at 10.0.0.7:5432 as `ada`",
        ),
        (
            "host=h",
            "the database named after the user at h:5432 as the operating system's user",
        ),
        (
            "postgres://ada:ge%40heim@ep-cool-pooler.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
            "database `neondb` at ep-cool-pooler.aws.neon.tech:5432 as `ada`",
        ),
    ] {
        let target = Target::parse(text).expect(text);
        assert_eq!(target.to_string(), shown);
        assert_eq!(format!("{target:?}"), format!("Target({shown})"));
    }
}

#[test]
fn parameters_have_libpqs_meaning() {
    let config = |text: &str| Target::parse(text).expect(text).config;
    assert_eq!(config("host=h").get_application_name(), None);
    assert_eq!(
        config("postgres://h?application_name=&fallback_application_name=a+b%20c")
            .get_application_name(),
        Some("a+b c")
    );
    assert_eq!(
        config("host=h fallback_application_name=b application_name=a").get_application_name(),
        Some("a")
    );
    assert_eq!(
        config("postgres://h?options=endpoint%3Dep-1").get_options(),
        Some("endpoint=ep-1")
    );
    assert_eq!(
        config("host=h tcp_user_timeout=1500").get_tcp_user_timeout(),
        Some(&Duration::from_millis(1500))
    );
    let keepalive = |text: &str| {
        let config = config(text);
        (
            config.get_keepalives_idle().as_secs(),
            config
                .get_keepalives_interval()
                .map(|interval| interval.as_secs()),
            config.get_keepalives_retries(),
        )
    };
    assert_eq!(keepalive("host=h"), (60, Some(10), Some(3)));
    assert_eq!(
        keepalive("host=h keepalives_count=7 keepalives_idle=9"),
        (9, Some(10), Some(7))
    );
    assert_eq!(
        keepalive("postgres://h?keepalives_retries=5&keepalives_interval=2&keepalives_idle=0"),
        (60, Some(2), Some(5))
    );
    assert_eq!(
        config("postgres://u:ge%40+heim@h").get_password(),
        Some("ge@+heim".as_bytes())
    );
    assert_eq!(config("host=h").get_ssl_mode(), SslMode::Prefer);
    assert_eq!(
        config("host=h sslmode=allow").get_ssl_mode(),
        SslMode::Prefer
    );
    assert_eq!(
        config("postgres://h?ssl=true").get_ssl_mode(),
        SslMode::Require
    );
    assert_eq!(
        config("host=/run/pg sslmode=verify-full").get_ssl_mode(),
        SslMode::Disable
    );
    assert_eq!(
        config("host=/run/pg,h sslmode=require").get_ssl_mode(),
        SslMode::Require
    );
    let harmless = "postgres://h/?gssencmode=prefer&client_encoding=UTF8&sslcrl=&pgbouncer=true&schema=public&";
    assert_eq!(config(harmless), config("postgres://h/"));
}

#[test]
fn invalid_and_unenforceable_parameters_are_rejected_by_name() {
    for (text, error) in [
        ("", "`host`: is missing"),
        ("postgres:///notes", "`host`: is missing"),
        (
            "mysql://u:geheim@h/d",
            "must be a URL that starts with postgres://",
        ),
        ("postgres://u@:5433/notes", "`host`: must be a name"),
        ("host=a,b port=1,2,3", "`host`: the number of ports"),
        ("host=a hostaddr=::1,::2", "`host`: the number of ports"),
        ("postgres://h:geheim", "invalid value for option `port`"),
        ("postgres://u:ge@heim@h/d", "`password`: percent-encode"),
        ("postgres://u:ge/heim@h/d", "`password`: percent-encode"),
        (
            "postgres://h/d?user=u&password=ge@heim",
            "`password`: percent-encode",
        ),
        (
            "host=h password=ge heim",
            "`password`: is followed by text that is not a parameter",
        ),
        (
            "host=h password=ge heim=x",
            "`password`: is followed by text that is not a parameter",
        ),
        ("host=h password='geheim", "`password`: starts with a quote"),
        ("postgres://h?sslmode", "`sslmode`: has no value"),
        (
            "postgres://h?ssl_mode=require",
            "`ssl_mode`: unknown parameter",
        ),
        ("host=h sslmode=verify", "`sslmode`: `verify` is invalid"),
        (
            "host=h sslmode=verify-ca",
            "`sslmode`: verify-ca requires sslrootcert=<file>",
        ),
        (
            "host=h sslrootcert=ca.pem",
            "`sslrootcert`: has no effect without",
        ),
        (
            "host=h sslmode=require sslrootcert=system",
            "`sslrootcert`: system requires sslmode=verify-full",
        ),
        (
            "host=h sslmode=require sslrootcert=/no/ca.pem",
            "`sslrootcert`: /no/ca.pem: ",
        ),
        ("host=h sslcert=c.pem", "`sslcert`: requires sslkey"),
        (
            "host=h sslcert=/no/c.pem sslkey=/no/c.key",
            "`sslcert`: /no/c.pem: ",
        ),
        ("host=h sslsni=yes", "`sslsni`: must be 0 or 1"),
        (
            "host=h ssl_min_protocol_version=TLSv1.4",
            "`ssl_min_protocol_version`: must be",
        ),
        (
            "host=h sslnegotiation=direct",
            "`sslnegotiation`: direct requires",
        ),
        (
            "host=h sslmode=disable channel_binding=require",
            "`channel_binding`: require needs TLS",
        ),
        (
            "host=/run/pg channel_binding=require",
            "`channel_binding`: require needs TLS",
        ),
        (
            "host=h channel_binding=always",
            "invalid value for option `channel_binding`",
        ),
        (
            "host=h tcp_user_timeout=1s",
            "`tcp_user_timeout`: must be an integer",
        ),
        ("host=h gssencmode=require", "`gssencmode`: "),
        ("host=h require_auth=scram-sha-256", "`require_auth`: "),
        ("host=h sslcrl=revoked.pem", "`sslcrl`: "),
        ("service=notes", "`service`: "),
    ] {
        let rejection = Target::parse(text).expect_err(text).to_string();
        assert!(rejection.starts_with(error), "{text}: {rejection}");
        assert!(!rejection.contains("heim"), "{rejection}");
    }
}

#[test]
fn a_longer_timeout_in_the_string_takes_precedence() {
    let limit = |text: &str| Target::parse(text).expect(text).time_limit().as_secs();
    assert_eq!(limit("host=h"), 10);
    assert_eq!(limit("host=h connect_timeout=3"), 10);
    assert_eq!(limit("host=h connect_timeout=15"), 15);
    assert_eq!(limit("host=a,b connect_timeout=15"), 30);
    assert_eq!(limit("host=h connect_timeout=0"), 10);
}

#[test]
fn the_programs_application_name_is_a_default() {
    let name = |text: &str| {
        let target = Target::parse(text).expect(text).with_application_name("p");
        target.config.get_application_name().map(str::to_owned)
    };
    assert_eq!(name("host=h").as_deref(), Some("p"));
    assert_eq!(name("host=h application_name=a").as_deref(), Some("a"));
    assert_eq!(
        name("host=h fallback_application_name=b").as_deref(),
        Some("b")
    );
}
