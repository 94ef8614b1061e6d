//! Periodic jobs: each runs once per period while callers use the database, and rarely otherwise (`turns`).
//!
//! Jobs of one schedule run one after the other, so that together they use one connection. A job that fails or panics does not keep the others
//! from running.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::{
    job::Job,
    turns::{Turns, until_changed},
};
use crate::{db::activity::Activity, error::Error, telemetry::panics};

/// The first pause after a failure. Later ones double, up to the job's period while callers use the database.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The body of a periodic job. Returns the number of rows or objects that it processed.
type Body = Arc<dyn Fn() -> BoxFuture<'static, Result<u64, Error>> + Send + Sync>;

/// A periodic job before it is scheduled.
#[derive(Clone)]
pub(crate) struct Periodic {
    pub(super) name: &'static str,
    body: Body,
}

impl Periodic {
    /// A job with this fixed name.
    pub(crate) fn new<F>(
        name: &'static str,
        body: impl Fn() -> F + Send + Sync + 'static,
    ) -> Periodic
    where
        F: Future<Output = Result<u64, Error>> + Send + 'static,
    {
        Periodic {
            name,
            body: Arc::new(move || body().boxed()),
        }
    }

    /// As [`Periodic::new`]; each run gets a clone of `state`.
    pub(crate) fn with<S: Clone + Send + Sync + 'static, F>(
        name: &'static str,
        state: S,
        body: impl Fn(S) -> F + Send + Sync + 'static,
    ) -> Periodic
    where
        F: Future<Output = Result<u64, Error>> + Send + 'static,
    {
        Periodic::new(name, move || body(state.clone()))
    }
}

/// Runs each of these jobs at once and then in its turns, for as long as the process runs.
pub(crate) async fn every(activity: Arc<Activity>, period: Duration, jobs: Vec<(Job, Periodic)>) {
    let scheduled = |(job, periodic): (Job, Periodic)| Scheduled {
        job,
        body: periodic.body,
        turns: Turns::new(activity.clone(), period, (FIRST_PAUSE, period)),
    };
    let mut jobs: Vec<Scheduled> = jobs.into_iter().map(scheduled).collect();
    while let Some(next) = jobs.iter().map(|job| job.turns.next()).min() {
        if Instant::now() < next {
            until_changed(&activity, next).await;
        }
        for job in &mut jobs {
            if job.turns.next() <= Instant::now() {
                job.run().await;
            }
        }
    }
}

/// A job and its turns.
struct Scheduled {
    job: Job,
    body: Body,
    turns: Turns,
}

impl Scheduled {
    async fn run(&mut self) {
        let began = Instant::now();
        let run = caught(async { (self.body)().await });
        let outcome = self.job.timed(run).await;
        let error = match outcome {
            Ok(Ok(rows)) => {
                if rows > 0 {
                    let job = self.job.name();
                    tracing::info!(job, rows, "a background job processed rows");
                }
                self.job.succeeded();
                self.turns.succeeded(began);
                return;
            }
            Ok(Err(error)) => error,
            Err(panic) => Error::internal(panic),
        };
        let pause = self.turns.failed(began);
        self.job.failed(&error, pause);
    }
}

/// Runs `work`, and returns a panic as an error text with its message.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.map_err(|panic| format!("panicked: {}", panics::message(&*panic)))
}
