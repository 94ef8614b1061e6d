//! The supervisor: keeps all background jobs of a process running until it stops.
//!
//! A job that ends or panics is logged as ERROR and restarted after a pause. The pause doubles while the job keeps ending.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Backoff,
    job::{Job, JobStates},
    schedule::{Periodic, caught, every},
};
use crate::db::activity::Activity;

/// The pause before a job is restarted: the first and the maximum. A job that ran for longer than the maximum starts over with the first.
const RESTART: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5 * 60));

/// The background jobs of a process. Dropping this stops them.
pub(crate) struct Jobs {
    states: JobStates,
    activity: Arc<Activity>,
    tasks: JoinSet<()>,
    restart: (Duration, Duration),
}

impl Jobs {
    /// Starts without jobs. Their states are kept in `states`. Periodic jobs run while callers use the database of `activity`.
    pub(crate) fn new(states: JobStates, activity: Arc<Activity>) -> Jobs {
        Jobs {
            states,
            activity,
            tasks: JoinSet::new(),
            restart: RESTART,
        }
    }

    /// Runs a job that lasts as long as the process. The job reports success and failure through its handle.
    pub(crate) fn run<F>(
        &mut self,
        name: &'static str,
        start: impl Fn(Job) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let job = self.states.job(name);
        self.tasks.spawn(supervise(job, self.restart, start));
    }

    /// Runs these jobs every `period` while callers use the database (`turns`), one after the other. A fault of the schedule itself counts as a fault of the first job.
    pub(crate) fn every(&mut self, period: Duration, jobs: impl IntoIterator<Item = Periodic>) {
        let named = |job: Periodic| (self.states.job(job.name), job);
        let jobs: Vec<(Job, Periodic)> = jobs.into_iter().map(named).collect();
        if let Some((first, _)) = jobs.first() {
            let (name, activity) = (first.name(), self.activity.clone());
            self.run(name, move |_| every(activity.clone(), period, jobs.clone()));
        }
    }

    /// Stops all jobs and waits until they have stopped.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn supervise<F: Future<Output = ()>>(
    job: Job,
    (first, max): (Duration, Duration),
    start: impl Fn(Job) -> F,
) {
    let mut backoff = Backoff::new(first, max);
    loop {
        let started = Instant::now();
        job.started();
        let ended = caught(async { start(job.clone()).await }).await;
        if started.elapsed() > max {
            backoff.reset();
        }
        let pause = backoff.pause();
        let error = ended.err();
        job.ended(error.as_deref().unwrap_or("it returned"), pause);
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests;
