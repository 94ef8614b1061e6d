//! Health checks: `/healthz` (the process runs) and `/readyz` (the process can serve requests).

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::EdgeState;
use crate::{
    db::{
        Database,
        background::{JobState, JobStates},
        migrate::{self, Phase},
    },
    error::Error,
    search::SearchIndexes,
};

/// How long the database may take to respond.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a result is reused at least, so that frequent health checks do not each cost a query.
const CACHE_TIME: Duration = Duration::from_secs(1);

/// What the last check found.
#[derive(Debug, Clone, Default)]
struct Findings {
    /// Whether the database responded.
    is_up: bool,
    /// Whether a pooler mixes up prepared statements.
    mixes_up_statements: bool,
    pending: Vec<String>,
    /// Migrations of newer programs with which this one cannot work.
    incompatible: Vec<String>,
}

impl Findings {
    fn ready(&self) -> bool {
        let schema_fits = self.pending.is_empty() && self.incompatible.is_empty();
        self.is_up && !self.mixes_up_statements && schema_fits
    }
}

/// The last result of the check.
pub(super) struct Readiness {
    /// How long a result counts while no caller uses the database.
    max_age: Duration,
    last: Mutex<Option<Check>>,
}

#[derive(Debug, Clone)]
struct Check {
    /// When it began.
    at: Instant,
    found: Findings,
}

impl Readiness {
    pub(super) fn new(max_age: Duration) -> Readiness {
        Readiness {
            max_age,
            last: Mutex::default(),
        }
    }

    async fn check(&self, database: &Database) -> Check {
        let mut last = self.last.lock().await;
        if let Some(check) = &*last
            && check.at.elapsed() < self.reusable_for(check, database)
        {
            return check.clone();
        }
        let at = Instant::now();
        let found = examine(database).await;
        let check = Check { at, found };
        *last = Some(check.clone());
        check
    }

    /// How long the result of a check is reused. Health checks alone do not keep a serverless database awake.
    fn reusable_for(&self, check: &Check, database: &Database) -> Duration {
        let activity = database.activity();
        let is_doubtful = !check.found.ready()
            || activity.is_in_use()
            || activity.had_outage_since(check.at)
            || database.is_pooler_suspected();
        match is_doubtful {
            true => CACHE_TIME,
            false => self.max_age.max(CACHE_TIME),
        }
    }
}

async fn examine(database: &Database) -> Findings {
    if database.is_pooler_suspected() {
        in_time(database.check_pooler()).await;
    }
    let mixes_up_statements = database.is_pooler_suspected();
    let Some(states) = in_time(migrate::schema(database)).await else {
        return Findings {
            mixes_up_statements,
            ..Findings::default()
        };
    };
    Findings {
        is_up: true,
        mixes_up_statements,
        pending: migrate::names(&states, Phase::Pending),
        incompatible: migrate::names(&states, Phase::Incompatible),
    }
}

/// The result of a check. `None` if it failed or took too long, which is logged.
async fn in_time<T>(check: impl Future<Output = Result<T, Error>>) -> Option<T> {
    match timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::warn!(error = error.log_text(), "readiness check failed");
            None
        }
        Err(_) => {
            tracing::warn!(timeout = ?CHECK_TIMEOUT, "readiness check timed out");
            None
        }
    }
}

/// The process runs.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can serve requests. 503 while the database is unreachable, its schema does not fit the program, or a pooler
/// mixes up prepared statements, and as soon as the service begins to stop.
pub(super) async fn readyz(State(state): State<EdgeState>) -> Response {
    if state.stopping.is_cancelled() {
        let body = json!({ "status": "stopping", "version": env!("CARGO_PKG_VERSION") });
        return report(StatusCode::SERVICE_UNAVAILABLE, body);
    }
    let Check { at, found } = state.readiness.check(&state.database).await;
    let ready = found.ready();
    let pool = state.database.status();
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "database": if found.is_up { "up" } else { "down" },
        "preparedStatements": if found.mixes_up_statements { "mixed up" } else { "ok" },
        "pendingMigrations": found.is_up.then_some(found.pending),
        "incompatibleMigrations": found.is_up.then_some(found.incompatible),
        "secondsSinceCheck": at.elapsed().as_secs(),
        "pool": { "open": pool.open, "idle": pool.idle, "waiting": pool.waiting, "max": pool.max, "shared": pool.shared },
        "replica": replica(&state.database),
        "jobs": jobs(&state.jobs),
        "searchIndexes": search_indexes(&state.search),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    report(status, body)
}

fn report(status: StatusCode, body: serde_json::Value) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(body)).into_response()
}

/// The state of each background job. A failing job does not make the service unready. Its error appears only in the log.
fn jobs(states: &JobStates) -> serde_json::Map<String, serde_json::Value> {
    let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
    let entry = |job: JobState| {
        let state = json!({
            "state": job.phase.as_str(),
            "failures": job.failures,
            "secondsSinceSuccess": seconds(job.since_success),
            "secondsSinceFailure": seconds(job.since_failure),
        });
        (job.name.to_owned(), state)
    };
    states.list().into_iter().map(entry).collect()
}

/// The state of the read replica. Null if no replica is configured. The service is ready without it, because queries then use the primary.
fn replica(database: &Database) -> Option<serde_json::Value> {
    let replica = database.replica()?;
    let (status, pool) = (replica.status(), replica.database().status());
    Some(json!({
        "state": status.state,
        "lagMs": status.lag.map(|lag| lag.as_millis()),
        "secondsSinceSample": status.since_sample.map(|age| age.as_secs()),
        "pool": { "open": pool.open, "idle": pool.idle, "waiting": pool.waiting, "max": pool.max, "shared": pool.shared },
    }))
}

/// The progress of the job that builds missing search indexes. Null before its first run.
fn search_indexes(indexes: &SearchIndexes) -> Option<serde_json::Value> {
    let progress = indexes.progress()?;
    Some(json!({ "stored": progress.stored, "pending": progress.pending }))
}
