//! Applies and reverts the migrations that the binary contains (`source`). `cli` calls it; `docs/operations.md`
//! explains it to operators, `migrations/README.md` to authors of migrations.
//!
//! A run that writes holds a lock. It is safe to repeat, and to start from several processes at the same time. Every
//! run is one transaction: it applies all migrations or none, and works through a pooler in transaction mode. [`status`] and
//! [`schema`] only read. `role` sets the defaults of the database's role, and explains missing rights.
//! `shard` distributes the tables over several servers.
//!
//! A database may have migrations that this program does not know: a newer program applied them. Programs keep working
//! on such a schema, unless the migration's version ends with `INCOMPATIBLE`.

mod role;
mod shard;
mod source;

pub use self::shard::{ShardPlan, plan_shard, shard};
pub(super) use source::extensions;

use diesel::{
    OptionalExtension, QueryableByName,
    migration::{Migration, MigrationSource},
    pg::Pg,
    result::Error as DieselError,
    sql_query,
    sql_types::Text,
};
use diesel_async::{
    AnsiTransactionManager, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl,
    SimpleAsyncConnection, TransactionManager,
};
use diesel_migrations::MigrationHarness;
use source::Embedded;

use super::{Database, Statement, connect::Target, failure::from_database};
use crate::error::Error;

/// The end of the version of a migration with which older programs cannot work. Its folder is named
/// `YYYY-MM-DD-NNNNNN-incompatible_subject`.
const INCOMPATIBLE: &str = "incompatible";

/// The number is the word "snapnote". One process at a time migrates. Processes that read the versions wait for it.
const LOCK: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(8315168184020661349)";
const READ_LOCK: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 0;
    SELECT pg_advisory_xact_lock_shared(8315168184020661349)";

const VERSIONS: &str = "SELECT version FROM __diesel_schema_migrations ORDER BY version";

/// A migration that the binary contains or the database has applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name, e.g. `2026-11-29-000001_change_log`. Only its version if the binary does not contain it.
    pub name: String,
    /// Whether it is applied.
    pub phase: Phase,
}

/// Whether a migration is applied, and whether the binary contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The database has applied it.
    Applied,
    /// The binary contains it, and the database has not applied it.
    Pending,
    /// A newer program applied it. This program works on the schema.
    Unknown,
    /// A newer program applied it. This program cannot work on the schema.
    Incompatible,
}

/// What reverting migrations changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The names of the migrations that are reverted, newest first.
    pub migrations: Vec<String>,
    /// The tables and columns that are dropped, with estimates of their rows.
    pub drops: Vec<String>,
}

/// The names of the migrations in a phase.
pub fn names(states: &[MigrationState], phase: Phase) -> Vec<String> {
    let these = states.iter().filter(|state| state.phase == phase);
    these.map(|state| state.name.clone()).collect()
}

/// Applies the pending migrations, and sets the role's defaults. Returns the migrations' names, oldest first.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL with PostgreSQL's message if a migration fails; then none is
/// applied.
pub async fn up(target: &Target) -> Result<Vec<String>, Error> {
    let mut conn = begin(target).await?;
    let is_sharded = shard::is_sharded(&mut conn).await?;
    if is_sharded {
        shard::prepare(&mut conn).await?;
    }
    let (mut outcome, mut conn) = blocking(conn, move |harness| {
        let applied = harness.run_pending_migrations(Embedded { is_sharded });
        let applied = applied.map_err(failed)?;
        let versions = applied.iter().map(ToString::to_string).collect();
        Ok(names(&states(versions)?, Phase::Applied))
    })
    .await?;
    if is_sharded && matches!(&outcome, Ok(applied) if !Vec::<String>::is_empty(applied)) {
        outcome = shard::distribute(&mut conn).await.and(outcome);
    }
    if outcome.is_ok() {
        let timeout = target.settings().statement_timeout;
        role::set_defaults(&mut conn, timeout)
            .await
            .map_err(from_database)?;
    }
    end(conn, outcome).await
}

/// What [`down`] would change: it reverts all migrations after `to`, which is a name, a version, or `0` for all.
/// Without `to`, it reverts the newest one. Only reads.
///
/// # Errors
/// BAD_USER_INPUT if `to` is not applied. Otherwise as [`status`].
pub async fn plan_down(target: &Target, to: Option<&str>) -> Result<Reversal, Error> {
    let mut conn = begin_reading(target).await?;
    let mut states = read_states(&mut conn).await?;
    if shard::is_sharded(&mut conn).await? {
        end_reading(&mut conn).await?;
        let message =
            "The database is sharded, and `snapnote migrate down` only works on one that is not.";
        return Err(Error::bad_input(message));
    }
    states.retain(|state| state.phase != Phase::Pending);
    let kept = match to {
        None => states.len().saturating_sub(1),
        Some("0") => 0,
        Some(to) => {
            let is_it =
                |state: &MigrationState| state.name == to || source::version(&state.name) == to;
            let at = states.iter().position(is_it);
            1 + at.ok_or_else(|| not_applied(to))?
        }
    };
    let reverted = states.split_off(kept);
    if let Some(unknown) = reverted.iter().find(|state| state.phase != Phase::Applied) {
        let message = format!(
            "A newer snapnote applied the migration {}, and only that program can revert it.",
            unknown.name
        );
        return Err(Error::bad_input(message));
    }
    let migrations: Vec<String> = reverted.into_iter().rev().map(|state| state.name).collect();
    let drops = drops(&mut conn, &migrations).await?;
    end_reading(&mut conn).await?;
    Ok(Reversal { migrations, drops })
}

fn not_applied(to: &str) -> Error {
    Error::bad_input(format!(
        "No migration `{to}` is applied. `snapnote migrate status` lists the migrations; 0 reverts all."
    ))
}

/// Reverts migrations and **deletes the data in their tables**. Returns their versions, newest first. Migrations that
/// another process has reverted meanwhile are skipped.
///
/// # Errors
/// As [`up`]. BAD_USER_INPUT if another process has applied a migration meanwhile.
pub async fn down(target: &Target, reversal: &Reversal) -> Result<Vec<String>, Error> {
    let versions: Vec<String> = reversal
        .migrations
        .iter()
        .map(|name| source::version(name))
        .collect();
    let conn = begin(target).await?;
    let (outcome, conn) = blocking(conn, move |harness| {
        let applied = harness.applied_migrations().map_err(failed)?;
        let applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
        let here = versions.iter().filter(|version| applied.contains(version));
        let here = here.count();
        if applied
            .iter()
            .take(here)
            .any(|version| !versions.contains(version))
        {
            let message =
                "Another process has applied a migration meanwhile. Run the command again.";
            return Err(Error::bad_input(message));
        }
        let reverted = (0..here).map(|_| harness.revert_last_migration(PLAIN).map_err(failed));
        reverted.map(|version| Ok(version?.to_string())).collect()
    })
    .await?;
    end(conn, outcome).await
}

/// Returns all migrations that the binary contains or the database has applied, oldest first. Only reads, so it works
/// on a standby and as a role without other rights. Waits for a process that migrates.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL if the role cannot read the versions.
pub async fn status(target: &Target) -> Result<Vec<MigrationState>, Error> {
    let mut conn = begin_reading(target).await?;
    let states = read_states(&mut conn).await?;
    end_reading(&mut conn).await?;
    Ok(states)
}

/// As [`status`], by one short statement on a pooled connection. Health checks use it.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. INTERNAL if it was never migrated.
pub async fn schema(database: &Database) -> Result<Vec<MigrationState>, Error> {
    let versions = Statement::<(String,)>::new(VERSIONS);
    let applied = database.connection().await?.rows(versions).await?;
    states(applied.into_iter().map(|(version,)| version).collect())
}

/// Compares the versions that the database has applied with the migrations that the binary contains.
fn states(mut applied: Vec<String>) -> Result<Vec<MigrationState>, Error> {
    let mut states = Vec::new();
    for migration in all()? {
        let version = migration.name().version().to_string();
        let before = applied.len();
        applied.retain(|other| *other != version);
        let phase = match applied.len() == before {
            true => Phase::Pending,
            false => Phase::Applied,
        };
        let name = migration.name().to_string();
        states.push((version, MigrationState { name, phase }));
    }
    states.extend(applied.into_iter().map(|version| {
        let phase = match version.ends_with(INCOMPATIBLE) {
            true => Phase::Incompatible,
            false => Phase::Unknown,
        };
        let name = version.clone();
        (version, MigrationState { name, phase })
    }));
    states.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(states.into_iter().map(|(_, state)| state).collect())
}

/// The migrations for a database that is not sharded.
const PLAIN: Embedded = Embedded { is_sharded: false };

fn all() -> Result<Vec<Box<dyn Migration<Pg>>>, Error> {
    PLAIN.migrations().map_err(failed)
}

/// A text that a statement returns, in the column `value`.
#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

async fn values(conn: &mut AsyncPgConnection, text: &str) -> Result<Vec<String>, DieselError> {
    let rows = sql_query(text).load::<Value>(conn).await?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// Opens a connection with a transaction that only reads.
async fn begin_reading(target: &Target) -> Result<AsyncPgConnection, Error> {
    let opened = target.connect_without_timeout().await;
    let mut conn = opened.map_err(Error::unavailable)?;
    conn.batch_execute(READ_LOCK).await.map_err(from_database)?;
    Ok(conn)
}

/// Ends the transaction. A pooler closes its server connection if a client disconnects during a transaction.
async fn end_reading(conn: &mut AsyncPgConnection) -> Result<(), Error> {
    conn.batch_execute("ROLLBACK").await.map_err(from_database)
}

async fn read_states(conn: &mut AsyncPgConnection) -> Result<Vec<MigrationState>, Error> {
    let outcome = read_versions(conn).await;
    let versions = match outcome {
        Ok(versions) => versions,
        Err(error) => {
            end_reading(conn).await?;
            return Err(role::explain(conn, from_database(error)).await);
        }
    };
    states(versions)
}

async fn read_versions(conn: &mut AsyncPgConnection) -> Result<Vec<String>, DieselError> {
    let table = "SELECT '' AS value WHERE to_regclass('__diesel_schema_migrations') IS NOT NULL";
    let table = sql_query(table).get_result::<Value>(conn).await;
    if table.optional()?.is_none() {
        return Ok(Vec::new());
    }
    let versions = format!("SELECT version::text AS value FROM ({VERSIONS}) AS versions");
    values(conn, &versions).await
}

/// The tables and columns that reverting these migrations drops.
async fn drops(conn: &mut AsyncPgConnection, names: &[String]) -> Result<Vec<String>, Error> {
    let tables = "SELECT format('table %s (about %s rows)', relname, n_live_tup) AS value FROM pg_stat_user_tables";
    let tables = values(conn, tables).await.map_err(from_database)?;
    let mut drops = Vec::new();
    for name in names {
        for dropped in source::drops(name).map_err(failed)? {
            let sized = tables
                .iter()
                .find(|table| table.starts_with(&format!("{dropped} (")));
            drops.push(sized.cloned().unwrap_or(dropped));
        }
    }
    Ok(drops)
}

type Harness = AsyncMigrationHarness<AsyncPgConnection>;

/// Opens a connection with a transaction that holds the lock.
async fn begin(target: &Target) -> Result<AsyncPgConnection, Error> {
    let opened = target.connect_without_timeout().await;
    let mut conn = opened.map_err(Error::unavailable)?;
    // Through diesel, which then makes each migration's transaction a savepoint of this one.
    AnsiTransactionManager::begin_transaction(&mut conn)
        .await
        .map_err(from_database)?;
    conn.batch_execute(LOCK).await.map_err(from_database)?;
    Ok(conn)
}

/// Diesel's harness blocks, so it runs on a thread of its own.
async fn blocking<T: Send + 'static>(
    conn: AsyncPgConnection,
    work: impl FnOnce(&mut Harness) -> Result<T, Error> + Send + 'static,
) -> Result<(Result<T, Error>, AsyncPgConnection), Error> {
    let mut harness = AsyncMigrationHarness::new(conn);
    let (outcome, harness) = tokio::task::spawn_blocking(move || (work(&mut harness), harness))
        .await
        .map_err(Error::of_task)?;
    Ok((outcome, harness.into_inner()))
}

/// Ends the transaction, which releases the lock.
async fn end<T>(mut conn: AsyncPgConnection, outcome: Result<T, Error>) -> Result<T, Error> {
    let ended = match outcome {
        Ok(_) => AnsiTransactionManager::commit_transaction(&mut conn).await,
        Err(_) => AnsiTransactionManager::rollback_transaction(&mut conn).await,
    };
    ended.map_err(from_database)?;
    match outcome {
        Err(error) => Err(role::explain(&mut conn, error).await),
        done => done,
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("migrating: {error}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic fails the test")]

    use super::*;

    #[test]
    fn migrations_of_newer_programs_are_listed_and_incompatible_ones_are_marked() {
        let versions = [
            "20261129000001",
            "20990101000002-no",
            "20990101000001",
            "20990101000003incompatible",
        ];
        let states = states(versions.map(str::to_owned).into()).unwrap();
        assert_eq!(
            names(&states, Phase::Applied),
            ["2026-11-29-000001_change_log"]
        );
        assert_eq!(states[0].phase, Phase::Applied);
        assert_eq!(
            names(&states, Phase::Pending).len(),
            all().unwrap().len() - 1
        );
        let unknown = ["20990101000001", "20990101000002-no"];
        assert_eq!(names(&states, Phase::Unknown), unknown);
        let incompatible = ["20990101000003incompatible"];
        assert_eq!(names(&states, Phase::Incompatible), incompatible);
        assert_eq!(states.last().unwrap().phase, Phase::Incompatible);
    }

    #[test]
    fn the_mark_is_part_of_the_version() {
        let version = source::version("2027-01-05-000001-incompatible_rename");
        assert_eq!(version, "20270105000001incompatible");
        assert!(version.ends_with(INCOMPATIBLE));
    }
}
