//! `snapnote check`: tests everything that the service needs, and prints what is wrong and what to do. It changes nothing, except that
//! it writes and deletes one object in the image storage, and that an embedded database is created if there is none.
//!
//! - `report`: the results, for terminals and as JSON.
//! - `database`: the database, rights, schema, poolers, TLS and clock. `replica`: the read replica. `services`: trusted documents,
//!   storage, mail, identity providers, files.

mod database;
mod replica;
mod report;
mod services;

use std::{future::Future, time::Duration};

use report::{Finding, Report};
use tokio::time::timeout;

use super::{DatabaseServer, Failure, Outcome, secrets};
use crate::{config::Config, error::Error};

/// Maximum time of one check.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Runs all checks.
pub(super) async fn run(config: &Config, json: bool) -> Outcome {
    let mut report = Report::new(json);
    report.add("settings", settings(config))?;
    // With settings that could not be read, the defaults would be checked instead.
    if config.found.is_readable {
        report.add("trusted-documents", services::trusted_documents(config))?;
        check_database(config, &mut report).await?;
        services::check(config, &mut report).await?;
        report.add("files", services::open_files(config))?;
    }
    report.finish()?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(Failure {
            message: format!("{failed} of {} checks failed.", report.len()),
            code: 1,
        }),
    }
}

fn settings(config: &Config) -> Finding {
    match config.found.problems.as_slice() {
        [] => Finding::ok("all settings are valid"),
        problems => Finding::failed(
            problems.join("\n"),
            "Correct the settings. `snapnote --help` describes them.",
        ),
    }
}

async fn check_database(config: &Config, report: &mut Report) -> Outcome {
    if !config.found.has_database {
        return report.add("database", Finding::skipped("no database is configured"));
    }
    let started = in_time(DatabaseServer::start(&config.database)).await;
    let server = match started {
        Ok(Ok(server)) => server,
        Ok(Err(problem)) | Err(problem) => {
            let remedy = "Correct the settings of the database, or start its server.";
            return report.add("database", Finding::failed(problem, remedy));
        }
    };
    let outcome = database::check(config, &server, report).await;
    report.add("secret", secret(config))?;
    server.stop().await;
    outcome
}

fn secret(config: &Config) -> Finding {
    // A missing secret is a finding of the settings.
    if config.database.database_url.is_some() && config.auth.jwt_secret.is_none() {
        return Finding::skipped("SNAPNOTE_JWT_SECRET is not set");
    }
    match secrets(config) {
        Ok(_) if config.auth.jwt_secret_previous.is_some() => Finding::ok(
            "current and previous secret; remove SNAPNOTE_JWT_SECRET_PREVIOUS after the rotation",
        ),
        Ok(_) => Finding::ok("the keys can be derived"),
        Err(problem) => Finding::failed(problem, "Correct the secret."),
    }
}

/// Time-outs and errors of the database as one text.
fn flattened<T>(checked: Result<Result<T, Error>, String>) -> Result<T, String> {
    checked.and_then(|found| found.map_err(|error| Failure::from(error).message))
}

/// The result of a check, or that it took too long.
async fn in_time<T>(check: impl Future<Output = T>) -> Result<T, String> {
    let seconds = TIMEOUT.as_secs();
    let checked = timeout(TIMEOUT, check).await;
    checked.map_err(|_| format!("no response within {seconds} seconds"))
}
