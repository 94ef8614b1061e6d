//! Whether the process lives (`/healthz`) and whether it can serve (`/readyz`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long what it said is passed on: a health check that is called often costs no query each time.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What the database last said: the migrations that it has not; `None` if it said nothing.
type Said = Option<Vec<String>>;

/// What the database last said, and when.
#[derive(Clone, Default)]
pub(super) struct Readiness {
    last: Arc<Mutex<Option<(Instant, Said)>>>,
}

impl Readiness {
    async fn of(&self, database: &Database) -> Said {
        let mut last = self.last.lock().await;
        if let Some((at, said)) = &*last
            && at.elapsed() < REMEMBERED
        {
            return said.clone();
        }
        let said = match timeout(PATIENCE, migrate::pending(database)).await {
            Ok(Ok(pending)) => Some(pending),
            Ok(Err(error)) => {
                tracing::warn!(error = error.log_text(), "the database is not ready");
                None
            }
            Err(_) => {
                tracing::warn!("the database has not said in time that it is ready");
                None
            }
        };
        *last = Some((Instant::now(), said.clone()));
        said
    }
}

/// The process lives.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can serve: 503 while the database is away, or its schema is older than the program.
pub(super) async fn readyz(State(state): State<EdgeState>) -> Response {
    let pending = state.readiness.of(&state.database).await;
    let ready = pending.as_ref().is_some_and(Vec::is_empty);
    let pool = state.database.status();
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "database": if pending.is_some() { "up" } else { "down" },
        "pendingMigrations": pending,
        "pool": { "open": pool.open, "idle": pool.idle, "waiting": pool.waiting, "max": pool.most },
        "jobs": jobs(&state.jobs),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(body)).into_response()
}

/// Each background job by its name. A failing job does not make the service unready; its error is in the log alone.
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
