//! The schema's versions: embedded in the binary, applied under a lock, safe to run twice and from two processes.
//!
//! Every run is one transaction, all migrations or none, which also passes a transaction pooler. `docs/operations.md`
//! tells an operator how to use this; `cli` calls it.

use diesel::migration::Migration;
use diesel_async::{
    AnsiTransactionManager, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection,
    TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Database, Row, Statement, connect::Target};
use crate::error::Error;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// "snapnote" as a number: the lock that one migrating process holds.
const LOCK: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(8315168184020661349)";

/// A migration that the binary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name, e.g. `2026-11-21-000001_change_log`.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies what is not applied yet; answers the names, oldest first.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; INTERNAL with PostgreSQL's words if a migration fails: then none is applied.
pub async fn up(target: &Target) -> Result<Vec<String>, Error> {
    in_one_transaction(target, |harness| {
        let applied = harness.run_pending_migrations(MIGRATIONS).map_err(failed)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Takes back the newest `count` migrations, **with the data in their tables**; answers the names, newest first.
///
/// # Errors
/// As [`up`].
pub async fn down(target: &Target, count: usize) -> Result<Vec<String>, Error> {
    in_one_transaction(target, move |harness| {
        let applied = harness.applied_migrations().map_err(failed)?.len();
        let reverted = (0..count.min(applied))
            .map(|_| harness.revert_last_migration(MIGRATIONS).map_err(failed));
        reverted.map(|version| Ok(version?.to_string())).collect()
    })
    .await
}

/// All migrations that the binary knows, oldest first. Changes nothing but for diesel's own table of versions.
///
/// # Errors
/// As [`up`].
pub async fn status(target: &Target) -> Result<Vec<MigrationState>, Error> {
    in_one_transaction(target, |harness| {
        let pending = harness.pending_migrations(MIGRATIONS).map_err(failed)?;
        let pending: Vec<String> = pending
            .iter()
            .map(|migration| migration.name().to_string())
            .collect();
        let all: Vec<Box<dyn Migration<diesel::pg::Pg>>> =
            diesel::migration::MigrationSource::migrations(&MIGRATIONS).map_err(failed)?;
        let mut states: Vec<MigrationState> = all
            .iter()
            .map(|migration| migration.name().to_string())
            .map(|name| MigrationState {
                applied: !pending.contains(&name),
                name,
            })
            .collect();
        states.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(states)
    })
    .await
}

/// The names of the migrations that the database has not, by one short statement over the pool: for health checks.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; INTERNAL if it was never migrated.
pub async fn pending(database: &Database) -> Result<Vec<String>, Error> {
    let applied = Statement::<Version>::new("SELECT version FROM __diesel_schema_migrations");
    let applied = database.connection().await?.rows(applied).await?;
    let all: Vec<Box<dyn Migration<diesel::pg::Pg>>> =
        diesel::migration::MigrationSource::migrations(&MIGRATIONS).map_err(failed)?;
    let pending = all.iter().map(|migration| migration.name()).filter(|name| {
        let version = name.version().to_string();
        !applied.iter().any(|applied| applied.version == version)
    });
    Ok(pending.map(ToString::to_string).collect())
}

#[derive(diesel::Queryable)]
struct Version {
    version: String,
}

impl Row for Version {
    type Sql = (diesel::sql_types::Text,);
}

type Harness = AsyncMigrationHarness<AsyncPgConnection>;

/// Diesel's harness blocks, so it has a thread of its own; the lock is let go with the transaction's end.
async fn in_one_transaction<T: Send + 'static>(
    target: &Target,
    work: impl FnOnce(&mut Harness) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let mut connection = target.connect().await.map_err(Error::unavailable)?;
    // By way of diesel, which then makes each migration's own transaction a savepoint of this one.
    AnsiTransactionManager::begin_transaction(&mut connection)
        .await
        .map_err(Error::internal)?;
    connection
        .batch_execute(LOCK)
        .await
        .map_err(Error::internal)?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let (outcome, harness) = tokio::task::spawn_blocking(move || (work(&mut harness), harness))
        .await
        .map_err(|panic| Error::internal(format!("migrating: {panic}")))?;
    let mut connection = harness.into_inner();
    let ended = match outcome {
        Ok(_) => AnsiTransactionManager::commit_transaction(&mut connection).await,
        Err(_) => AnsiTransactionManager::rollback_transaction(&mut connection).await,
    };
    ended.map_err(Error::internal)?;
    outcome
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("migrating: {error}"))
}
