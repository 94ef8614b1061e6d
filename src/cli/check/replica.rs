//! Checks the read replica: that it can be reached, replicates the database without a pooler in between, has the schema, and how far it is
//! behind.

use std::time::Duration;

use super::{DatabaseServer, flattened, in_time, report::Finding};
use crate::{
    config::Config,
    db::{
        Database,
        migrate::{self, Phase},
        pooler,
        replica::checkup,
    },
};

const REMEDY: &str = "Set DATABASE_READ_URL to the address of a streaming standby of the database, without a pooler.";

pub(super) async fn check(config: &Config, server: &DatabaseServer, primary: &Database) -> Finding {
    let Some(target) = &server.read else {
        let why = match (&server.embedded, &config.database.database_read_url) {
            (Some(_), Some(_)) => "not used with the embedded database",
            _ => "DATABASE_READ_URL is not set",
        };
        return Finding::skipped(why);
    };
    if let Err(problem) = flattened(in_time(pooler::check(target)).await) {
        return Finding::failed(problem, REMEDY);
    }
    if target.is_pooled() {
        return Finding::failed("a pooler in transaction mode is in between", REMEDY);
    }
    let max_lag = config.database.read_max_lag.0;
    let lag = match flattened(in_time(checkup::lag(primary, target, max_lag)).await) {
        Ok(lag) => lag,
        Err(problem) => return Finding::failed(format!("{problem} ({target})"), REMEDY),
    };
    let states = match flattened(in_time(migrate::status(target)).await) {
        Ok(states) => states,
        Err(problem) => return Finding::failed(problem, "Check the rights of the role."),
    };
    let pending = migrate::names(&states, Phase::Pending);
    match lag {
        None => Finding::warning(
            format!("more than {} behind ({target})", seconds(max_lag)),
            "Queries use the primary meanwhile. Check the load of the replica and the network, or raise SNAPNOTE_READ_MAX_LAG.",
        ),
        Some(_) if !pending.is_empty() => Finding::failed(
            format!("pending migrations: {}", pending.join(", ")),
            "Run `snapnote migrate up` on the primary.",
        ),
        Some(lag) => Finding::ok(format!(
            "a standby, at most {} behind ({target})",
            seconds(lag)
        )),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
