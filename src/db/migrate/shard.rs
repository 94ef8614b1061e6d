//! `snapnote migrate shard`: distributes the tables of users' data over the servers of a Citus cluster (`db::sharding`). It is one
//! transaction, so it does everything or nothing. `migrate up` on a sharded database ends with the same SQL, which then distributes
//! only what is new.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::{begin, begin_reading, end, end_reading, read_states, source, values};
use crate::{
    db::{connect::Target, failure::from_database, migrate::Phase, sharding::IS_SHARDED},
    error::Error,
};

/// What [`shard`] would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPlan {
    /// The servers over which the tables are distributed: `host:port`.
    pub servers: Vec<String>,
    /// Whether the database is sharded already, so that nothing is left to do.
    pub is_sharded: bool,
}

const HAS_CITUS: &str = "SELECT extversion AS value FROM pg_extension WHERE extname = 'citus'";
const IS_COORDINATOR: &str = "SELECT '' AS value FROM pg_dist_local_group WHERE groupid = 0";
const SERVERS: &str = "SELECT nodename || ':' || nodeport AS value FROM pg_dist_node
    WHERE noderole = 'primary' AND isactive AND shouldhaveshards ORDER BY nodename, nodeport";
/// Their statements do not fit the new layout.
const SESSIONS: &str = "SELECT count(*)::text AS value FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'snapnote'
        AND pid <> pg_backend_pid() HAVING count(*) > 0";

/// What statements need to change distributed tables in one transaction: one shard after the other, and triggers, which Citus calls
/// unsafe because they must only write rows of the same owner.
const SETTINGS: &str =
    "SET LOCAL citus.multi_shard_modify_mode = 'sequential'; SET LOCAL citus.enable_unsafe_triggers = on;
    SET LOCAL client_min_messages = warning";

/// Checks whether the database can be sharded. Only reads.
///
/// # Errors
/// BAD_USER_INPUT with the remedy if Citus or a server is missing, migrations are pending, or the service is running. Otherwise as
/// [`status`](super::status).
pub async fn plan_shard(target: &Target) -> Result<ShardPlan, Error> {
    let mut conn = begin_reading(target).await?;
    let states = read_states(&mut conn).await?;
    let is_current = states.iter().all(|state| state.phase == Phase::Applied);
    let plan = match is_current {
        true => plan(&mut conn).await,
        false => Err(Error::bad_input(
            "The database has other migrations than this program. Run `snapnote migrate up` first, with the newest snapnote.",
        )),
    };
    end_reading(&mut conn).await?;
    plan
}

async fn plan(conn: &mut AsyncPgConnection) -> Result<ShardPlan, Error> {
    let read = async |conn: &mut AsyncPgConnection, text| {
        let values = values(conn, text).await;
        values.map_err(from_database)
    };
    if read(conn, HAS_CITUS).await?.is_empty() {
        return Err(Error::bad_input(
            "The database has no Citus. Run CREATE EXTENSION citus as a superuser in the databases of this name on all servers.",
        ));
    }
    if read(conn, IS_COORDINATOR).await?.is_empty() {
        return Err(Error::bad_input(
            "The database is that of a worker. Set DATABASE_URL to the address of the coordinator.",
        ));
    }
    let servers = read(conn, SERVERS).await?;
    if servers.is_empty() {
        return Err(Error::bad_input(
            "The coordinator knows no worker. Run SELECT citus_add_node('host', 5432) as a superuser for each one.",
        ));
    }
    let is_sharded = is_sharded(conn).await?;
    if !is_sharded && let Some(sessions) = read(conn, SESSIONS).await?.first() {
        return Err(Error::bad_input(format!(
            "Processes of the service have {sessions} connections to the database. Stop them first, and start them again afterward.",
        )));
    }
    Ok(ShardPlan {
        servers,
        is_sharded,
    })
}

/// Distributes the tables. Does nothing on a sharded database.
///
/// # Errors
/// As [`plan_shard`]. INTERNAL with PostgreSQL's message if it fails; then nothing is changed.
pub async fn shard(target: &Target) -> Result<(), Error> {
    plan_shard(target).await?;
    let mut conn = begin(target).await?;
    let outcome = match is_sharded(&mut conn).await {
        Ok(true) => Ok(()),
        Ok(false) => distribute(&mut conn).await,
        Err(error) => Err(error),
    };
    end(conn, outcome).await
}

/// Whether `migrate shard` has distributed the tables.
pub(super) async fn is_sharded(conn: &mut AsyncPgConnection) -> Result<bool, Error> {
    let text = format!("SELECT '' AS value WHERE ({IS_SHARDED})");
    let rows = values(conn, &text).await.map_err(from_database)?;
    Ok(!rows.is_empty())
}

/// Prepares a transaction for changing distributed tables.
pub(super) async fn prepare(conn: &mut AsyncPgConnection) -> Result<(), Error> {
    conn.batch_execute(SETTINGS).await.map_err(from_database)
}

/// Distributes what is not distributed yet, in the caller's transaction.
pub(super) async fn distribute(conn: &mut AsyncPgConnection) -> Result<(), Error> {
    prepare(conn).await?;
    let text = source::sharding().map_err(super::failed)?;
    conn.batch_execute(&text).await.map_err(from_database)
}
