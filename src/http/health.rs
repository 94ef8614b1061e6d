//! Health checks: `/healthz` (the process runs) and `/readyz` (the process can serve requests).

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{sync::Mutex, time::timeout};

use super::EdgeState;
use crate::db::{
    Database,
    background::{JobState, JobStates},
    migrate,
};

/// How long the database may take to respond.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a result is reused, so that frequent health checks do not each cost a query.
const CACHE_TIME: Duration = Duration::from_secs(1);

/// The pending migrations; `None` if the database did not respond.
type PendingMigrations = Option<Vec<String>>;

/// The last result of the check, and when it was made.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, PendingMigrations)>>,
}

impl Readiness {
    async fn check(&self, database: &Database) -> PendingMigrations {
        let mut last = self.last.lock().await;
        if let Some((at, pending)) = &*last
            && at.elapsed() < CACHE_TIME
        {
            return pending.clone();
        }
        let pending = match timeout(CHECK_TIMEOUT, migrate::pending(database)).await {
            Ok(Ok(pending)) => Some(pending),
            Ok(Err(error)) => {
                tracing::warn!(error = error.log_text(), "readiness check failed");
                None
            }
            Err(_) => {
                tracing::warn!(timeout = ?CHECK_TIMEOUT, "readiness check timed out");
                None
            }
        };
        *last = Some((Instant::now(), pending.clone()));
        pending
    }
}

/// The process runs.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can serve requests. 503 while the database is unreachable or migrations are pending, and as soon as the service begins to
/// stop.
pub(super) async fn readyz(State(state): State<EdgeState>) -> Response {
    if state.stopping.is_cancelled() {
        let body = json!({ "status": "stopping", "version": env!("CARGO_PKG_VERSION") });
        return report(StatusCode::SERVICE_UNAVAILABLE, body);
    }
    let pending = state.readiness.check(&state.database).await;
    let ready = pending.as_ref().is_some_and(Vec::is_empty);
    let pool = state.database.status();
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "database": if pending.is_some() { "up" } else { "down" },
        "pendingMigrations": pending,
        "pool": { "open": pool.open, "idle": pool.idle, "waiting": pool.waiting, "max": pool.max },
        "jobs": jobs(&state.jobs),
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
