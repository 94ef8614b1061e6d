//! The role that the service connects as: its defaults, which `snapnote migrate up` sets, and the rights that it needs.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::{source, values};
use crate::error::Error;

/// The statement that sets the role's default in this database. No row if it has that default already, or for a superuser, who
/// also does other work in the database.
const SET_TIMEOUT: &str = "
    SELECT format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = %L', session_user, current_database(), '$timeout') AS value
    WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AND NOT EXISTS (
        SELECT FROM pg_db_role_setting
        WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user)
            AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND 'statement_timeout=$timeout' = ANY (setconfig))";

/// Sets the role's default of `statement_timeout` in this database. Poolers in transaction mode
/// need it, because settings of a session leak there (`pooler`). A role that may not alter itself gets a
/// warning.
pub(super) async fn set_defaults(
    conn: &mut AsyncPgConnection,
    statement_timeout: Duration,
) -> QueryResult<()> {
    let timeout = format!("{}ms", statement_timeout.as_millis());
    let statement = SET_TIMEOUT.replace("$timeout", &timeout);
    for alter in values(conn, &statement).await? {
        conn.batch_execute("SAVEPOINT role_defaults").await?;
        if let Err(error) = conn.batch_execute(&alter).await {
            conn.batch_execute("ROLLBACK TO SAVEPOINT role_defaults")
                .await?;
            tracing::warn!(
                %error,
                "setting the role's default statement_timeout failed; it is needed behind a pooler in transaction mode: \
                 have a superuser run: {alter}"
            );
        }
    }
    Ok(())
}

/// Adds what to do to an error, if the role lacks a right or the server only reads. The connection must be outside of a
/// transaction.
pub(super) async fn explain(conn: &mut AsyncPgConnection, error: Error) -> Error {
    let Some(remedy) = remedy(&error.detail) else {
        return error;
    };
    let names = "SELECT quote_ident(current_user) AS value UNION ALL SELECT quote_ident(current_database())";
    let names = values(conn, names).await.unwrap_or_default();
    let [role, database] = names.as_slice() else {
        return error;
    };
    let remedy = remedy.replace("$role", role).replace("$database", database);
    Error {
        detail: format!("{}. {remedy}", error.detail),
        ..error
    }
}

/// What to do about it, by PostgreSQL's message. `$role` and `$database` stand for names.
fn remedy(detail: &str) -> Option<String> {
    if let Some(remedy) = about_extensions(detail) {
        return Some(remedy);
    }
    if let Some((_, rest)) = detail.split_once("permission denied for schema ") {
        let schema = rest.split([' ', ';', '.']).next().unwrap_or("public");
        return Some(format!(
            "Run as the database's owner: GRANT CREATE ON SCHEMA {schema} TO $role"
        ));
    }
    let has = |part: &str| detail.contains(part);
    let remedy = if has("permission denied for table __diesel_schema_migrations") {
        "Run as the table's owner: GRANT SELECT ON __diesel_schema_migrations TO $role"
    } else if has("permission denied for database") {
        "Run as the database's owner: GRANT CREATE ON DATABASE $database TO $role"
    } else if has("in a read-only transaction") || has("during recovery") {
        "The server only reads: connect to the primary, and check default_transaction_read_only"
    } else if has("must be owner of") || has("permission denied for") {
        "The role $role must own the tables: run the command as the role that applied the earlier migrations"
    } else {
        return None;
    };
    Some(remedy.to_owned())
}

/// What to do if an extension cannot be created.
fn about_extensions(detail: &str) -> Option<String> {
    let extensions = source::extensions();
    if detail.contains("permission denied to create extension") {
        let create = |name: &&str| format!("CREATE EXTENSION IF NOT EXISTS {name};");
        let create: Vec<String> = extensions.iter().map(create).collect();
        let create = create.join(" ");
        return Some(format!(
            "The database's owner, or a role with CREATE on the database, must create the extensions. Run GRANT CREATE ON \
             DATABASE $database TO $role, or run as the owner: {create}"
        ));
    }
    let is_missing =
        detail.contains("extension control file") || detail.contains("\" is not available");
    is_missing.then(|| {
        let names = extensions.join(", ");
        format!(
            "The migrations need PostgreSQL's extensions {names}. Install them on the server (Debian: postgresql; RPM systems: \
             postgresql-contrib)."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_are_explained() {
        let denied = |what: &str| format!("migrating: 2026-11-29-000001_x/up.sql: {what}");
        let table = [
            (
                "permission denied for schema public",
                "GRANT CREATE ON SCHEMA public TO $role",
            ),
            (
                "permission denied for schema notes; grant",
                "GRANT CREATE ON SCHEMA notes TO $role",
            ),
            (
                "permission denied to create extension \"pg_trgm\"",
                "CREATE EXTENSION IF NOT EXISTS pg_trgm;",
            ),
            (
                "extension \"pg_trgm\" is not available",
                "postgresql-contrib",
            ),
            (
                "permission denied for table __diesel_schema_migrations",
                "GRANT SELECT",
            ),
            ("must be owner of table users", "must own the tables"),
            ("permission denied for table users", "must own the tables"),
            (
                "cannot execute CREATE TABLE in a read-only transaction",
                "connect to the primary",
            ),
        ];
        for (what, expected) in table {
            let remedy = remedy(&denied(what)).unwrap_or_default();
            assert!(remedy.contains(expected), "{what}: {remedy}");
        }
        assert_eq!(remedy("syntax error at or near \"x\""), None);
    }
}
