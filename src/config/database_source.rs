//! When the embedded database may be used.
//!
//! A forgotten or misspelled DATABASE_URL must not start an empty private database in production. Without DATABASE_URL, the
//! embedded database therefore needs a wish (`--embedded`), a terminal, or `cargo run`.

use super::{DatabaseConfig, Secret, environment::Variables};
use crate::db::connect::Target;

/// Names that other programs use for the same purpose.
const OTHER_NAMES: [&str; 11] = [
    "DATABASE_DSN",
    "DATABASE_URI",
    "DB_URI",
    "DB_URL",
    "PGURL",
    "PG_URI",
    "PG_URL",
    "POSTGRESQL_URL",
    "POSTGRES_DSN",
    "POSTGRES_URI",
    "POSTGRES_URL",
];
/// Maximum single-letter mistakes in a name that is still taken for DATABASE_URL.
const MAX_MISTAKES: usize = 2;

/// What the program was started from.
pub(super) struct Situation<'a> {
    pub(super) variables: &'a Variables,
    /// Whether messages appear on a terminal.
    pub(super) on_terminal: bool,
}

/// Why no database can be used, if so.
pub(super) fn problem(config: &DatabaseConfig, situation: &Situation<'_>) -> Option<String> {
    match (&config.database_url, config.embedded) {
        (Some(_), Some(true)) => Some(
            "DATABASE_URL and SNAPNOTE_EMBEDDED=true (or --embedded) cannot be used together. Remove one of them."
                .to_owned(),
        ),
        (Some(_), _) | (None, Some(true)) => None,
        (None, embedded) => {
            let similar = similar_name(config, situation.variables);
            let is_used = situation.on_terminal || in_checkout(situation.variables);
            let is_used = is_used && embedded.is_none() && similar.is_none();
            (!is_used).then(|| missing(similar))
        }
    }
}

/// Why the addresses cannot be used, without connecting to them.
pub(super) fn invalid_addresses(config: &DatabaseConfig) -> Vec<String> {
    let addresses = [
        ("DATABASE_URL", &config.database_url),
        ("DATABASE_DIRECT_URL", &config.database_direct_url),
        ("DATABASE_READ_URL", &config.database_read_url),
    ];
    let problem = |(name, url): (&str, &Option<Secret>)| {
        let error = Target::parse(url.as_ref()?.reveal()).err()?;
        Some(format!("{name}: {error}"))
    };
    addresses.into_iter().filter_map(problem).collect()
}

fn missing(similar: Option<&str>) -> String {
    let remedy = "To use the embedded database, pass --embedded or set SNAPNOTE_EMBEDDED=true.";
    match similar {
        Some(name) => format!(
            "DATABASE_URL is not set, but {name} is. Set DATABASE_URL to the address of the database. {remedy}"
        ),
        None => format!(
            "DATABASE_URL is not set. Set it to the address of a PostgreSQL database, e.g. \
             postgres://user:password@host/database?sslmode=verify-full. {remedy}"
        ),
    }
}

/// A variable that was probably meant to be DATABASE_URL.
fn similar_name<'a>(config: &DatabaseConfig, variables: &'a Variables) -> Option<&'a str> {
    if config.database_direct_url.is_some() {
        return Some("DATABASE_DIRECT_URL");
    }
    variables.names().find(|name| {
        let name = name.to_ascii_uppercase();
        OTHER_NAMES.contains(&name.as_str())
            || strsim::damerau_levenshtein(&name, "DATABASE_URL") <= MAX_MISTAKES
    })
}

/// Whether `cargo run` started the program. It names the package in its variables.
fn in_checkout(variables: &Variables) -> bool {
    variables.get("CARGO_MANIFEST_DIR").is_some()
        && variables.get("CARGO_PKG_NAME") == Some(env!("CARGO_PKG_NAME").as_ref())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::tests::read;

    /// The message for these flags and variables.
    fn found(flags: &[&str], names: &[&str], on_terminal: bool) -> Option<String> {
        let config = read(flags).expect("good flags").database;
        let pair = |name: &&str| {
            let (name, value) = name
                .split_once('=')
                .unwrap_or((name, "postgres://ada:hush@db/notes"));
            (OsString::from(name), OsString::from(value))
        };
        let variables: Variables = names.iter().map(pair).collect();
        let situation = Situation {
            variables: &variables,
            on_terminal,
        };
        problem(&config, &situation)
    }

    const CARGO: [&str; 2] = ["CARGO_MANIFEST_DIR=/src", "CARGO_PKG_NAME=snapnote"];

    #[test]
    fn without_an_address_the_embedded_database_needs_a_reason() {
        let message = found(&[], &[], false).expect("no reason");
        for part in ["DATABASE_URL", "--embedded", "SNAPNOTE_EMBEDDED=true"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(found(&[], &[], true), None);
        assert_eq!(found(&[], &CARGO, false), None);
        assert_eq!(found(&["--embedded"], &[], false), None);
        assert_eq!(found(&["--embedded", "serve"], &[], false), None);
        assert_eq!(
            found(&["--database-url", "postgres://h/d"], &[], false),
            None
        );
        assert!(
            found(
                &[],
                &["CARGO_MANIFEST_DIR=/src", "CARGO_PKG_NAME=xtask"],
                false
            )
            .is_some()
        );
        assert!(found(&["--embedded=false"], &[], true).is_some());
        assert!(
            found(
                &["--embedded", "--database-url", "postgres://h/d"],
                &[],
                true
            )
            .is_some()
        );
    }

    #[test]
    fn misspelled_names_are_reported_even_on_a_terminal() {
        for name in [
            "DATABSE_URL",
            "DATABASE_URI",
            "DATABASE_ULR",
            "DATABASEURL",
            "database_url",
            "PG_URL",
            "POSTGRES_URL",
        ] {
            for on_terminal in [false, true] {
                let message = found(&[], &[name], on_terminal).expect(name);
                assert!(message.contains(&format!("but {name} is")), "{message}");
                assert!(!message.contains("hush"), "{message}");
            }
            assert_eq!(found(&["--embedded"], &[name], false), None);
        }
        let direct = ["--database-direct-url", "postgres://h/d"];
        let message = found(&direct, &[], true).expect("it needs DATABASE_URL");
        assert!(message.contains("but DATABASE_DIRECT_URL is"), "{message}");
        assert_eq!(
            found(&[], &["DATABASE_POOL=3", "TEST_DATABASE_URL"], true),
            None
        );
    }
}
