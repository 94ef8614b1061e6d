//! What the first event of the log and `snapnote check` say about the database.

use chrono::{DateTime, Utc};

use super::{Database, Statement, connect::Target, migrate, row, sharding};
use crate::error::Error;

row! {
    /// The server, the session and its role.
    #[derive(Debug, Clone)]
    pub(crate) struct Facts {
        /// The version as a number, e.g. 150013.
        pub(crate) version_number: i32,
        /// The version as text, e.g. `15.13`.
        pub(crate) version: String,
        /// Whether the connection is encrypted. Behind a pooler, this is the connection between the pooler and the server.
        pub(crate) encrypted: bool,
        /// Whether the server is a standby.
        pub(crate) is_standby: bool,
        /// Whether transactions only read by default.
        pub(crate) is_read_only: bool,
        /// Connections that the server allows to ordinary roles.
        pub(crate) max_connections: i32,
        /// The server's clock.
        pub(crate) clock: DateTime<Utc>,
        /// The role's name, quoted if necessary.
        pub(crate) role: String,
        /// The language of messages.
        pub(crate) language: String,
    }
}

const FACTS: &str = "
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
        coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
        pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        clock_timestamp(), quote_ident(current_user), current_setting('lc_messages')";

/// Reads the facts.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn facts(database: &Database) -> Result<Facts, Error> {
    let mut conn = database.connection().await?;
    conn.only_row(Statement::new(FACTS)).await
}

/// The servers of a sharded database, and the version of Citus.
const SERVERS: &str = "
    SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus'), count(*) FROM pg_dist_node
    WHERE noderole = 'primary' AND isactive AND shouldhaveshards";

/// The version of Citus, and the number of servers over which it distributes the tables. `None` if the database is not sharded.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn sharding(database: &Database) -> Result<Option<(String, i64)>, Error> {
    if !sharding::detect(database.target()).await? {
        return Ok(None);
    }
    let mut conn = database.connection().await?;
    Ok(Some(conn.only_row(Statement::new(SERVERS)).await?))
}

/// The rights that the service needs and the role lacks, each as the statement that grants it. Tables of other programs in the
/// same schema do not count: the service's tables have the owner of the table of migrations.
const MISSING_RIGHTS: &str = "
    WITH own AS (
        SELECT oid, relkind, relname FROM pg_class WHERE (relnamespace, relowner) =
            (SELECT relnamespace, relowner FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations'))
    ), missing AS (
        SELECT 'SELECT ON ' || oid::regclass AS granted FROM own
        WHERE relkind IN ('r', 'v') AND NOT has_table_privilege(oid, 'SELECT')
        UNION ALL
        SELECT 'INSERT, UPDATE, DELETE ON ' || oid::regclass FROM own
        WHERE relkind = 'r' AND relname <> '__diesel_schema_migrations' AND NOT (has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        UNION ALL
        SELECT 'INSERT ON ' || oid::regclass FROM own WHERE relname = 'people_log' AND NOT has_table_privilege(oid, 'INSERT')
        UNION ALL
        SELECT 'USAGE ON SEQUENCE ' || oid::regclass FROM own
        WHERE CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(oid, 'USAGE') END
    )
    SELECT format('GRANT %s TO %I', granted, current_user) FROM missing ORDER BY granted";

/// The GRANT statements that the role needs before it can serve. Empty if it has all rights.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn missing_rights(database: &Database) -> Result<Vec<String>, Error> {
    let statement = Statement::<(String,)>::new(MISSING_RIGHTS);
    let rows = database.connection().await?.rows(statement).await?;
    Ok(rows.into_iter().map(|(grant,)| grant).collect())
}

/// The rights that `migrate up` needs and the role lacks. The embedded queries return no row if the role has the right. `$1`: the names of
/// the extensions that the migrations create.
const MISSING_MIGRATION_RIGHTS: &str = "
    WITH history AS (SELECT relowner FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations'))
    SELECT CASE
        WHEN current_schema() IS NULL THEN
            format('CREATE SCHEMA IF NOT EXISTS public; GRANT CREATE, USAGE ON SCHEMA public TO %I', current_user)
        ELSE format('GRANT CREATE ON SCHEMA %I TO %I', current_schema(), current_user)
    END
    WHERE current_schema() IS NULL OR NOT has_schema_privilege(current_schema(), 'CREATE')
    UNION ALL
    SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
    WHERE NOT has_database_privilege(current_database(), 'CREATE')
        AND EXISTS (SELECT FROM unnest($1) AS needed WHERE needed NOT IN (SELECT extname FROM pg_extension))
    UNION ALL
    SELECT format('GRANT %I TO %I', pg_get_userbyid(relowner), current_user) FROM history
    WHERE NOT pg_has_role(relowner, 'USAGE')";

/// The GRANT statements that the role needs before it can apply migrations. Empty if it has all rights.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn missing_migration_rights(database: &Database) -> Result<Vec<String>, Error> {
    let extensions = migrate::extensions();
    let extensions = extensions.into_iter().map(str::to_owned);
    let statement = Statement::<(String,)>::new(MISSING_MIGRATION_RIGHTS);
    let statement = statement.bind(extensions.collect::<Vec<String>>());
    let rows = database.connection().await?.rows(statement).await?;
    Ok(rows.into_iter().map(|(grant,)| grant).collect())
}

/// Whether two targets lead to the same database: an advisory lock that one holds is visible to the other.
///
/// # Errors
/// UNAVAILABLE if one of them cannot be reached.
pub(crate) async fn are_same_database(one: &Target, other: &Target) -> Result<bool, Error> {
    // No other program chooses this number by chance.
    let key = uuid::Uuid::new_v4().as_u64_pair().0.cast_signed();
    let (first, second) = tokio::try_join!(one.open(), other.open()).map_err(Error::unavailable)?;
    let failed = |error: tokio_postgres::Error| Error::unavailable(error.to_string());
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({key})");
    first.batch_execute(&hold).await.map_err(failed)?;
    let take = format!("SELECT pg_try_advisory_xact_lock({key})");
    let rows = second.simple_query(&take).await.map_err(failed)?;
    first.batch_execute("ROLLBACK").await.map_err(failed)?;
    let taken = rows.iter().any(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some("t"),
        _ => false,
    });
    Ok(!taken)
}
