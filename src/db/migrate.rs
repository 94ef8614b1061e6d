//! Applies and reverts the migrations that the binary contains (`source`). `cli` calls it; `docs/operations.md` explains it
//! to operators, `migrations/README.md` to authors of migrations.
//!
//! A run holds a lock. It is safe to repeat, and to start from several processes at the same time. Every run is one
//! transaction: it applies all migrations or none, and works through a transaction pooler.

mod source;

use diesel::{
    migration::{Migration, MigrationSource},
    pg::Pg,
};
use diesel_async::{
    AnsiTransactionManager, AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection,
    TransactionManager,
};
use diesel_migrations::MigrationHarness;
use source::Embedded;

use super::{Database, Statement, connect::Target};
use crate::error::Error;

/// The number is the word "snapnote". One migrating process at a time holds this lock.
const LOCK: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(8315168184020661349)";

/// A migration that the binary contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name, e.g. `2026-11-29-000001_change_log`.
    pub name: String,
    /// Whether the database has applied it.
    pub applied: bool,
}

/// Applies the pending migrations. Returns their versions, oldest first.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL with PostgreSQL's message if a migration fails; then none is applied.
pub async fn up(target: &Target) -> Result<Vec<String>, Error> {
    in_one_transaction(target, |harness| {
        let applied = harness.run_pending_migrations(Embedded).map_err(failed)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Reverts the newest `count` migrations and **deletes the data in their tables**. Returns their versions, newest first.
///
/// # Errors
/// As [`up`].
pub async fn down(target: &Target, count: usize) -> Result<Vec<String>, Error> {
    in_one_transaction(target, move |harness| {
        let applied = harness.applied_migrations().map_err(failed)?.len();
        let reverted = (0..count.min(applied))
            .map(|_| harness.revert_last_migration(Embedded).map_err(failed));
        reverted.map(|version| Ok(version?.to_string())).collect()
    })
    .await
}

/// Returns all migrations that the binary contains, oldest first. Changes nothing, except that it creates diesel's table of
/// versions if that is missing.
///
/// # Errors
/// As [`up`].
pub async fn status(target: &Target) -> Result<Vec<MigrationState>, Error> {
    in_one_transaction(target, |harness| {
        let pending = harness.pending_migrations(Embedded).map_err(failed)?;
        let pending: Vec<String> = pending
            .iter()
            .map(|migration| migration.name().to_string())
            .collect();
        let states = all()?.into_iter().map(|migration| {
            let name = migration.name().to_string();
            let applied = !pending.contains(&name);
            MigrationState { name, applied }
        });
        Ok(states.collect())
    })
    .await
}

/// Returns the names of the pending migrations, by one short statement on a pooled connection. Health checks use it.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL if it was never migrated.
pub async fn pending(database: &Database) -> Result<Vec<String>, Error> {
    let applied = Statement::<(String,)>::new("SELECT version FROM __diesel_schema_migrations");
    let applied = database.connection().await?.rows(applied).await?;
    let all = all()?;
    let pending = all.iter().map(|migration| migration.name()).filter(|name| {
        let version = (name.version().to_string(),);
        !applied.contains(&version)
    });
    Ok(pending.map(ToString::to_string).collect())
}

fn all() -> Result<Vec<Box<dyn Migration<Pg>>>, Error> {
    Embedded.migrations().map_err(failed)
}

type Harness = AsyncMigrationHarness<AsyncPgConnection>;

/// Diesel's harness blocks, so it runs on a thread of its own. The end of the transaction releases the lock.
async fn in_one_transaction<T: Send + 'static>(
    target: &Target,
    work: impl FnOnce(&mut Harness) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let mut connection = target.connect().await.map_err(Error::unavailable)?;
    // Through diesel, which then makes each migration's transaction a savepoint of this one.
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
