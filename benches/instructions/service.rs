//! The service as it runs under callgrind: all of it except the HTTP server and background jobs, on one thread for requests and as
//! many for computations as it starts.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use http_body_util::BodyExt;
use snapnote::{
    app::App,
    db::connect::Target,
    graphql::plan,
    telemetry::{self, LogFormat, LogSettings, traces::TraceSettings},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};
use tower::ServiceExt;

use crate::{
    Outcome,
    requests::{Measured, REQUESTS},
    settings::settings,
};

/// If this variable is set, the requests are traced.
const TRACED: &str = "SNAPNOTE_TESTS_TRACED";
/// The name by which callgrind knows [`measured`].
pub(crate) const MEASURED: &str = "instructions::service::measured";
/// How often each request is measured.
pub(crate) const ROUNDS: usize = 5;
/// Number of requests per round.
pub(crate) const REPEATS: usize = 10;
/// Number of complete responses before the first round. PostgreSQL plans each of the first five executions of a prepared statement.
const WARM_UP: usize = 10;
/// Maximum number of incomplete responses, for example while the service waits for a busy machine.
const MAX_INCOMPLETE: usize = 20;

/// Sends each request in several rounds.
pub(crate) fn run(url: &str, token: &str) -> Outcome {
    // With the log as operators run it, since spans of requests cost instructions.
    let log = LogSettings {
        filter: "info".to_owned(),
        format: LogFormat::Text,
    };
    // Traces are off by default. Nothing listens at this address: the spans are made, and sent in vain by another thread.
    let traces = std::env::var(TRACED).is_ok().then(|| TraceSettings {
        endpoint: "http://127.0.0.1:9/v1/traces".to_owned(),
        headers: Vec::new(),
        service: "snapnote".to_owned(),
        version: "bench",
    });
    telemetry::log::start(&log, traces.as_ref())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let target = Target::parse(url)?;
    let mut settings = settings();
    // The tests execute each query both ways.
    settings.query_plans = plan::Mode::On;
    // As by default. The tests have no limit.
    settings.edge.cost_limit = "300000/10m".parse()?;
    let app = runtime.block_on(async { App::new(target, settings) })?;
    let router = &app.edge().router;
    for request in &REQUESTS {
        let prepared = Prepared::new(request, token)?;
        runtime.block_on(warm_up(router, request, &prepared))?;
        for _ in 0..ROUNDS {
            measured(&runtime, router, &prepared)?;
        }
    }
    Ok(())
}

/// Fails if responses stay incomplete.
async fn warm_up(router: &Router, request: &Measured, prepared: &Prepared) -> Outcome {
    let (field, expected) = request.expected;
    let (mut complete, mut incomplete) = (0, 0);
    while complete < WARM_UP {
        let response = send(router, prepared).await?;
        let found = response.matches(&format!("\"{field}\":")).count();
        if found == expected && !response.contains("\"errors\":") {
            complete += 1;
            continue;
        }
        incomplete += 1;
        if incomplete > MAX_INCOMPLETE {
            return Err(format!("{}: {response}", request.name).into());
        }
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// One round. callgrind counts what all threads execute between its start and its end.
#[inline(never)]
fn measured(runtime: &Runtime, router: &Router, request: &Prepared) -> Outcome {
    runtime.block_on(async {
        for _ in 0..REPEATS {
            send(router, request).await?;
        }
        Ok(())
    })
}

/// The parts of a request that do not change.
struct Prepared {
    authorization: String,
    body: String,
}

impl Prepared {
    fn new(request: &Measured, token: &str) -> Outcome<Prepared> {
        let variables: serde_json::Value = serde_json::from_str(request.variables)?;
        let body = serde_json::json!({ "query": request.query, "variables": variables });
        Ok(Prepared {
            authorization: format!("Bearer {token}"),
            body: body.to_string(),
        })
    }
}

/// Sends a request as the HTTP server does after it has read the head. Returns the body of the response.
async fn send(router: &Router, prepared: &Prepared) -> Outcome<String> {
    let request = Request::post("/graphql")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json")
        .header(header::AUTHORIZATION, &prepared.authorization)
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5000))))
        .body(Body::from(prepared.body.clone()))?;
    let response = router.clone().oneshot(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}
