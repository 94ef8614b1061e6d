//! The supervisor: keeps all background jobs of a process running until it stops.
//!
//! A job that ends or panics is logged as ERROR and started again after a pause, which doubles while it keeps ending.

use std::{future::Future, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Backoff,
    job::{Job, JobStates},
    schedule::{Periodic, caught, every},
};

/// The pause before a job that ended is started again: the first and the longest one. A job that ran for longer than the
/// longest starts over with the first.
const RESTART: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5 * 60));

/// The background jobs of a process. They stop when this is dropped.
pub(crate) struct Jobs {
    states: JobStates,
    tasks: JoinSet<()>,
    restart: (Duration, Duration),
}

impl Jobs {
    /// No job yet; what becomes of them is kept in `states`.
    pub(crate) fn new(states: JobStates) -> Jobs {
        Jobs {
            states,
            tasks: JoinSet::new(),
            restart: RESTART,
        }
    }

    /// Runs a job that goes on as long as the process. The handle is for the job to report how it fares.
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

    /// Runs these jobs every `period`, one after the other. A fault of the schedule itself counts as one of the first job.
    pub(crate) fn every(&mut self, period: Duration, jobs: Vec<Periodic>) {
        let Some(first) = jobs.first().map(|first| first.name) else {
            return;
        };
        let named = |job: Periodic| (self.states.job(job.name), job);
        let jobs: Vec<(Job, Periodic)> = jobs.into_iter().map(named).collect();
        self.run(first, move |_| every(period, jobs.clone()));
    }

    /// Stops all jobs; returns when they have stopped.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn supervise<F: Future<Output = ()>>(
    job: Job,
    (first, longest): (Duration, Duration),
    start: impl Fn(Job) -> F,
) {
    let mut backoff = Backoff::new(first, longest);
    loop {
        let began = Instant::now();
        job.started();
        let ended = caught(async { start(job.clone()).await }).await;
        if began.elapsed() > longest {
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
