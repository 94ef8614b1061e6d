//! Whether the process lives (`/healthz`) and whether it can serve (`/readyz`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{sync::Mutex, time::timeout};

use super::EdgeState;
use crate::db::Database;

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long what it said is passed on: a health check that is called often costs no query each time.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What the database last said.
#[derive(Clone, Default)]
pub(super) struct Readiness {
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    async fn of(&self, database: &Database) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < REMEMBERED
        {
            return ready;
        }
        let ready = timeout(PATIENCE, database.ping())
            .await
            .is_ok_and(|answer| answer.is_ok());
        *last = Some((Instant::now(), ready));
        ready
    }
}

/// The process lives.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can serve: 503 while the database is away.
pub(super) async fn readyz(State(state): State<EdgeState>) -> Response {
    let ready = state.readiness.of(&state.database).await;
    let pool = state.database.status();
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "database": if ready { "up" } else { "down" },
        "pool": { "open": pool.open, "idle": pool.idle, "waiting": pool.waiting, "max": pool.most },
        "version": env!("CARGO_PKG_VERSION"),
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}
