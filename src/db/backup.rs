//! The SQL of backups and restores: what they must know of a database, and what surrounds the restored script.

use super::{Database, Statement, row};
use crate::error::Error;

row! {
    /// A database before it is backed up or replaced.
    #[derive(Debug, Clone)]
    pub(crate) struct State {
        /// The server's version as text, e.g. `15.13`.
        pub(crate) version: String,
        /// The server's major version.
        pub(crate) major: i32,
        /// The name of the database.
        pub(crate) database: String,
        /// The schema of the service's tables, quoted if necessary.
        pub(crate) schema: Option<String>,
        /// The number of tables, views and sequences in that schema, without those of extensions.
        pub(crate) relations: i64,
        /// Other sessions of the service in the database.
        pub(crate) sessions: i64,
    }
}

const STATE: &str = "
    SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, current_database()::text,
        quote_ident(current_schema()),
        (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
            AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (
                SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')),
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'snapnote'
            AND pid <> pg_backend_pid())";

/// Reads the state of the database.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn state(database: &Database) -> Result<State, Error> {
    let mut conn = database.connection().await?;
    conn.only_row(Statement::new(STATE)).await
}

/// Begins the transaction of a restore. If `replaces`, it first drops everything in the schema except extensions. Tables come before
/// sequences, because only a table can drop the sequence of its identity column.
pub(crate) fn before_restore(replaces: bool) -> &'static str {
    if replaces {
        concat!(
            "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s';\n",
            "DO $drop$
            DECLARE commands text[]; command text;
            BEGIN
                SELECT array_agg(format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW'
                    WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
                    oid::regclass) ORDER BY relkind = 'S')
                INTO commands FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                    AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (SELECT FROM pg_depend
                        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e');
                FOREACH command IN ARRAY coalesce(commands, '{}') LOOP EXECUTE command; END LOOP;
                SELECT array_agg(format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure))
                INTO commands FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND NOT EXISTS (SELECT FROM pg_depend
                    WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e');
                FOREACH command IN ARRAY coalesce(commands, '{}') LOOP EXECUTE command; END LOOP;
            END $drop$;\n"
        )
    } else {
        "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL statement_timeout = 0;\n"
    }
}

/// Ends the transaction of a restore. Cursors of the change feed that were made before must expire, also if the database is the same
/// one (`changes::epoch`).
pub(crate) fn after_restore(schema: &str) -> String {
    format!(
        "\nDELETE FROM {schema}.change_epochs;\nCOMMIT;\nSET client_min_messages = error;\nANALYZE;\n"
    )
}
