//! Checks of the database: connection and version, poolers, TLS, schema, rights, the direct address and the clock.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::{
    super::{descriptors, settings::pool},
    DatabaseServer, flattened, in_time, replica,
    report::{Finding, Report},
};
use crate::{
    cli::Outcome,
    config::Config,
    db::{
        Database,
        checkup::{self, Facts},
        migrate::{self, MigrationState, Phase},
        pooler,
    },
};

/// The oldest supported version.
const MIN_VERSION: i32 = 140_000;
/// Deviations of the clock that are worth a warning, and that are a failure: access tokens tolerate 45 seconds.
const CLOCK_WARNING: TimeDelta = TimeDelta::seconds(2);
const CLOCK_FAILURE: TimeDelta = TimeDelta::seconds(30);
/// Missing rights that are listed.
const MAX_GRANTS: usize = 20;

const UNREACHABLE: &str = "Check DATABASE_URL, and that the server accepts connections from this machine. Behind PgBouncer in transaction \
    mode, use version 1.21 or newer with max_prepared_statements set.";

pub(super) async fn check(
    config: &Config,
    server: &DatabaseServer,
    report: &mut Report,
) -> Outcome {
    let target = &server.target;
    let checked = flattened(in_time(pooler::check(target)).await);
    if let Err(problem) = checked {
        return report.add("database", Finding::failed(problem, UNREACHABLE));
    }
    let database = Database::new(target.clone(), &pool(config));
    let asked = (Utc::now(), Instant::now());
    let facts = match flattened(in_time(checkup::facts(&database)).await) {
        Ok(facts) => facts,
        Err(problem) => {
            let remedy = "Check the role and the server's log.";
            return report.add("database", Finding::failed(problem, remedy));
        }
    };
    let took = asked.1.elapsed();
    report.add("database", version(&facts, server))?;
    report.add("pooler", pooler_mode(server, &facts))?;
    report.add("tls", tls(server, &facts))?;
    let states = flattened(in_time(migrate::status(target)).await);
    let is_pending = |states: &Vec<_>| !migrate::names(states, Phase::Pending).is_empty();
    let is_pending = states.as_ref().is_ok_and(is_pending);
    report.add("schema", schema(server, states))?;
    report.add("sharding", sharding(&database, server).await)?;
    report.add("rights", rights(&database).await)?;
    let migrating = migration_rights(&database, is_pending).await;
    report.add("migration-rights", migrating)?;
    report.add("connections", connections(config, server, &facts))?;
    report.add("direct-address", direct(server).await)?;
    report.add("replica", replica::check(config, server, &database).await)?;
    let middle = asked.0 + took / 2;
    report.add("clock", clock(middle, took.as_secs_f64(), facts.clock))?;
    database.close().await;
    Ok(())
}

fn version(facts: &Facts, server: &DatabaseServer) -> Finding {
    let kind = match server.embedded {
        Some(_) => "embedded PostgreSQL",
        None => "PostgreSQL",
    };
    let found = format!("{kind} {} ({})", facts.version, server.target);
    if facts.version_number < MIN_VERSION {
        return Finding::failed(found, "Upgrade the server to PostgreSQL 14 or newer.");
    }
    if facts.is_standby {
        let remedy = "Connect to the primary: the service writes.";
        return Finding::failed(format!("{found} is a standby"), remedy);
    }
    if facts.is_read_only {
        let remedy = format!(
            "Run as a superuser: ALTER ROLE {} SET default_transaction_read_only = off",
            facts.role
        );
        return Finding::failed(format!("{found} is read-only by default"), remedy);
    }
    Finding::ok(found)
}

fn pooler_mode(server: &DatabaseServer, facts: &Facts) -> Finding {
    if !pooler::is_english(&facts.language) {
        return Finding::warning(
            format!("the server's messages are in {}", facts.language),
            format!(
                "Run as a superuser: ALTER ROLE {} SET lc_messages = 'C'",
                facts.role
            ),
        );
    }
    match server.target.is_pooled() {
        true => Finding::ok("in transaction mode; prepared statements work"),
        false => Finding::ok("none, or in session mode"),
    }
}

fn tls(server: &DatabaseServer, facts: &Facts) -> Finding {
    if server.embedded.is_some() {
        return Finding::ok("not needed: the embedded server listens on a Unix socket");
    }
    let mode = server.target.tls();
    let encrypted = match facts.encrypted {
        true => "encrypted",
        false => "not encrypted",
    };
    let found = format!("sslmode={mode}, {encrypted}");
    match (mode, facts.encrypted || server.target.is_local()) {
        ("verify-full" | "verify-ca", _) => Finding::ok(found),
        (_, true) if server.target.is_local() => Finding::ok(format!("{found}, on this machine")),
        (_, true) => Finding::warning(
            format!("{found}, but the server's certificate is not verified"),
            "Add sslmode=verify-full to DATABASE_URL, and sslrootcert=… if the certificate is your own.",
        ),
        (_, false) => Finding::warning(
            found,
            "Add sslmode=verify-full to DATABASE_URL, unless the network in between is trusted.",
        ),
    }
}

fn schema(server: &DatabaseServer, states: Result<Vec<MigrationState>, String>) -> Finding {
    let states = match states {
        Ok(states) => states,
        Err(problem) => return Finding::failed(problem, "Run `snapnote migrate status`."),
    };
    let named = |phase| migrate::names(&states, phase);
    let (pending, incompatible) = (named(Phase::Pending), named(Phase::Incompatible));
    if !incompatible.is_empty() {
        let detail = format!("incompatible migrations: {}", incompatible.join(", "));
        return Finding::failed(
            detail,
            "Use the snapnote that applied them, or a newer one.",
        );
    }
    if !pending.is_empty() {
        let detail = format!("pending migrations: {}", pending.join(", "));
        // Starting the service migrates an embedded database.
        return match server.embedded {
            Some(_) => Finding::warning(detail, "The service applies them when it starts."),
            None => Finding::failed(detail, "Run `snapnote migrate up`."),
        };
    }
    match named(Phase::Unknown).as_slice() {
        [] => Finding::ok(format!("{} migrations are applied", states.len())),
        unknown => Finding::warning(
            format!("migrations of a newer snapnote: {}", unknown.join(", ")),
            "Update this program soon.",
        ),
    }
}

async fn sharding(database: &Database, server: &DatabaseServer) -> Finding {
    match flattened(in_time(checkup::sharding(database)).await) {
        Ok(None) => Finding::ok("the database is not sharded"),
        Ok(Some(_)) if server.read.is_some() => Finding::failed(
            "the database is sharded, and DATABASE_READ_URL is set",
            "Unset DATABASE_READ_URL: items are on other servers.",
        ),
        Ok(Some((version, servers))) => Finding::ok(format!(
            "Citus {version} distributes the tables over {servers} servers"
        )),
        Err(problem) => Finding::failed(problem, "Check the coordinator and its workers."),
    }
}

async fn rights(database: &Database) -> Finding {
    let missing = match flattened(in_time(checkup::missing_rights(database)).await) {
        Ok(missing) => missing,
        Err(problem) => return Finding::failed(problem, "Check the role's rights."),
    };
    if missing.is_empty() {
        return Finding::ok("the role can read and write all tables");
    }
    lacks(&missing, "Run as the owner of the tables:")
}

/// `is_pending`: whether there are migrations to apply.
async fn migration_rights(database: &Database, is_pending: bool) -> Finding {
    let missing = match flattened(in_time(checkup::missing_migration_rights(database)).await) {
        Ok(missing) => missing,
        Err(problem) => return Finding::failed(problem, "Check the role's rights."),
    };
    match (missing.is_empty(), is_pending) {
        (true, _) => Finding::ok("the role can run `snapnote migrate up`"),
        (false, true) => lacks(
            &missing,
            "Run `snapnote migrate up` as the role that owns the tables, or run as the database's owner:",
        ),
        (false, false) => Finding::ok(
            "not needed now: another role must run `snapnote migrate up` for the next version",
        ),
    }
}

/// Rights are missing, each with the statement that grants it.
fn lacks(missing: &[String], introduction: &str) -> Finding {
    let mut remedy = vec![introduction.to_owned()];
    let named = missing.iter().take(MAX_GRANTS);
    remedy.extend(named.map(|grant| format!("{grant};")));
    if missing.len() > MAX_GRANTS {
        remedy.push(format!("… and {} more", missing.len() - MAX_GRANTS));
    }
    let detail = match missing.len() {
        1 => "1 right is missing".to_owned(),
        count => format!("{count} rights are missing"),
    };
    Finding::failed(detail, remedy.join("\n"))
}

fn connections(config: &Config, server: &DatabaseServer, facts: &Facts) -> Finding {
    let needed = descriptors::of_database(config);
    let available = u64::try_from(facts.max_connections).unwrap_or_default();
    let found = format!("a process uses up to {needed}, and the server allows {available}");
    if server.target.is_pooled() || needed <= available {
        return Finding::ok(found);
    }
    Finding::warning(
        found,
        "Lower SNAPNOTE_POOL_MAX, or raise max_connections of the server.",
    )
}

async fn direct(server: &DatabaseServer) -> Finding {
    let Some(direct) = &server.direct else {
        return match server.target.is_pooled() {
            true => Finding::warning(
                "DATABASE_DIRECT_URL is not set",
                "Set it to an address without the pooler, so that processes notify each other at once.",
            ),
            false => Finding::skipped("DATABASE_DIRECT_URL is not set"),
        };
    };
    if server.embedded.is_some() {
        return Finding::skipped("not needed with the embedded database");
    }
    let same = checkup::are_same_database(&server.target, direct);
    match flattened(in_time(same).await) {
        Ok(true) => Finding::ok(format!("the same database ({direct})")),
        Ok(false) => Finding::failed(
            "DATABASE_DIRECT_URL is not the same database as DATABASE_URL",
            "Set both to addresses of the same database.",
        ),
        Err(problem) => Finding::failed(problem, "Check DATABASE_DIRECT_URL."),
    }
}

/// Compares the clocks. `uncertainty`: the duration of the request, in seconds.
fn clock(here: DateTime<Utc>, uncertainty: f64, there: DateTime<Utc>) -> Finding {
    let difference = (there - here).abs();
    let seconds = difference.num_milliseconds() as f64 / 1000.0;
    let found = format!("{seconds:.3} s from the database's clock (± {uncertainty:.3} s)");
    let remedy = "Synchronize the clocks of both machines (NTP, chrony, systemd-timesyncd).";
    if difference > CLOCK_FAILURE {
        Finding::failed(found, remedy)
    } else if difference > CLOCK_WARNING {
        Finding::warning(found, remedy)
    } else {
        Finding::ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_clocks_are_measured_in_both_directions() {
        let now = Utc::now();
        for (seconds, word) in [
            (0, "Ok"),
            (1, "Ok"),
            (-3, "Warning"),
            (31, "Failed"),
            (-31, "Failed"),
        ] {
            let found = clock(now, 0.001, now + TimeDelta::seconds(seconds));
            assert!(
                format!("{found:?}").contains(&format!("status: {word}")),
                "{found:?}"
            );
        }
    }
}
