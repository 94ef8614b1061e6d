//! What is known of each background job: the log tells operators when one fails and recovers, `/readyz` shows the state.
//!
//! A job that keeps failing is logged as ERROR once, and again once a day; the failures in between are DEBUG.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often a job that keeps failing is logged as ERROR.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);

/// The states of all background jobs of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobStates {
    entries: Arc<Mutex<BTreeMap<&'static str, Entry>>>,
}

#[derive(Default)]
struct Entry {
    restarting: bool,
    failures: u32,
    last_success: Option<Instant>,
    last_failure: Option<Instant>,
    last_error_logged: Option<Instant>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It runs, and its last attempt did not fail.
    Running,
    /// Its last attempt failed; it tries again after a pause.
    Failing,
    /// It ended or panicked; it is started again after a pause.
    Restarting,
}

impl Phase {
    /// The phase as `/readyz` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Running => "running",
            Phase::Failing => "failing",
            Phase::Restarting => "restarting",
        }
    }
}

/// The state of one job at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// The job's fixed name.
    pub name: &'static str,
    /// What it is doing.
    pub phase: Phase,
    /// Consecutive failures since its last success.
    pub failures: u32,
    /// Time since its last success; `None` before the first.
    pub since_success: Option<Duration>,
    /// Time since its last failure; `None` if it never failed.
    pub since_failure: Option<Duration>,
}

impl JobStates {
    /// The handle of the job with that name, which is shown from now on.
    pub fn job(&self, name: &'static str) -> Job {
        self.lock().entry(name).or_default();
        Job {
            name,
            states: self.clone(),
        }
    }

    /// The states of all jobs, by name.
    pub fn list(&self) -> Vec<JobState> {
        let entries = self.lock();
        let state = |(name, entry): (&&'static str, &Entry)| JobState {
            name,
            phase: match entry {
                Entry {
                    restarting: true, ..
                } => Phase::Restarting,
                Entry { failures: 0, .. } => Phase::Running,
                _ => Phase::Failing,
            },
            failures: entry.failures,
            since_success: entry.last_success.map(|at| at.elapsed()),
            since_failure: entry.last_failure.map(|at| at.elapsed()),
        };
        entries.iter().map(state).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One job, which reports through this handle how it fares. Cheap to clone.
#[derive(Clone)]
pub struct Job {
    name: &'static str,
    states: JobStates,
}

impl Job {
    /// The job's fixed name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// An attempt succeeded.
    pub(crate) fn succeeded(&self) {
        let failures = self.update(|entry| {
            entry.last_success = Some(Instant::now());
            entry.last_error_logged = None;
            std::mem::take(&mut entry.failures)
        });
        if failures > 0 {
            tracing::info!(job = self.name, failures, "a background job works again");
        }
    }

    /// An attempt failed; the next one follows after `retry_in`.
    pub(crate) fn failed(&self, error: &str, retry_in: Duration) {
        let (failures, remind) = self.update(|entry| {
            entry.count_failure();
            let logged = entry.last_error_logged;
            let remind = logged.is_none_or(|at| at.elapsed() >= REMINDER);
            if remind {
                entry.last_error_logged = entry.last_failure;
            }
            (entry.failures, remind)
        });
        let job = self.name;
        if remind {
            tracing::error!(
                job,
                error,
                failures,
                ?retry_in,
                "a background job failed; retrying"
            );
        } else {
            tracing::debug!(
                job,
                error,
                failures,
                ?retry_in,
                "a background job failed again; retrying"
            );
        }
    }

    /// The job is started.
    pub(super) fn started(&self) {
        self.update(|entry| entry.restarting = false);
    }

    /// The job ended although it should run as long as the process; it starts again after `restart_in`.
    pub(super) fn ended(&self, error: &str, restart_in: Duration) {
        let failures = self.update(|entry| {
            entry.restarting = true;
            entry.count_failure();
            entry.failures
        });
        let job = self.name;
        tracing::error!(
            job,
            error,
            failures,
            ?restart_in,
            "a background job ended; restarting it"
        );
    }

    fn update<T>(&self, change: impl FnOnce(&mut Entry) -> T) -> T {
        change(self.states.lock().entry(self.name).or_default())
    }
}

impl Entry {
    fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(Instant::now());
    }
}
