//! The state of each background job. The log reports when a job fails and recovers; `/readyz` shows the state.
//!
//! A job that keeps failing is logged as ERROR once, and again once a day. The failures in between are DEBUG. An unreachable database or other
//! server is not a fault of the service. Failures for this reason are a WARN at first, and an ERROR after five minutes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tracing::Level;

use crate::{
    error::{Code, Error},
    telemetry::{Exposition, Histogram, Source},
};

/// How often a job that keeps failing is logged as ERROR.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a job may fail because a server is unreachable before it is an ERROR.
const OUTAGE: Duration = Duration::from_secs(5 * 60);

/// The states of all background jobs of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobStates {
    entries: Arc<Mutex<BTreeMap<&'static str, Entry>>>,
}

#[derive(Default)]
struct Entry {
    totals: Totals,
    restarting: bool,
    failures: u32,
    last_success: Option<Instant>,
    last_failure: Option<Instant>,
    /// When the present series of failures started.
    failing_since: Option<Instant>,
    /// Whether the present series was logged as WARN, and when it was last logged as ERROR.
    is_warned: bool,
    last_error_logged: Option<Instant>,
}

/// What a job has done since the process started.
#[derive(Default, Clone)]
struct Totals {
    succeeded: u64,
    failed: u64,
    /// How long its runs took, or the steps of a continuous job.
    durations: Histogram,
    /// When it last succeeded, in seconds since 1970.
    last_success: Option<f64>,
}

/// The phase of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The job runs, and its last attempt did not fail.
    Running,
    /// The last attempt failed. The job retries after a pause.
    Failing,
    /// The job ended or panicked. It restarts after a pause.
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

/// The present state of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// The job's fixed name.
    pub name: &'static str,
    /// Its phase.
    pub phase: Phase,
    /// Consecutive failures since its last success.
    pub failures: u32,
    /// Time since its last success; `None` before the first.
    pub since_success: Option<Duration>,
    /// Time since its last failure; `None` if it never failed.
    pub since_failure: Option<Duration>,
}

impl JobStates {
    /// The handle of the job with this name. The job is listed from now on.
    pub fn job(&self, name: &'static str) -> Job {
        self.entries.lock().entry(name).or_default();
        Job {
            name,
            states: self.clone(),
        }
    }

    /// The states of all jobs, by name.
    pub fn list(&self) -> Vec<JobState> {
        let entries = self.entries.lock();
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
}

impl Source for JobStates {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let entries = self.entries.lock();
        let outcomes = entries.iter().flat_map(|(job, entry)| {
            let labels = |outcome| [("job_name", *job), ("outcome", outcome)];
            [
                (labels("success"), entry.totals.succeeded),
                (labels("failure"), entry.totals.failed),
            ]
        });
        let help = "Runs of background jobs, by outcome. Jobs that run continuously count each of their steps.";
        to.counters("snapnote_job_runs", help, outcomes)?;
        // Some jobs only keep something open, and have no steps.
        let durations = entries.iter().filter_map(|(job, entry)| {
            let durations = &entry.totals.durations;
            (!durations.is_empty()).then_some(([("job_name", *job)], durations))
        });
        let help = "Duration of the runs of background jobs, or of the steps of jobs that run continuously.";
        to.histograms("snapnote_job_duration_seconds", help, durations)?;
        let successes = entries
            .iter()
            .filter_map(|(job, entry)| Some(([("job_name", *job)], entry.totals.last_success?)));
        let help = "When a background job last succeeded, in seconds since 1970.";
        to.gauges(
            "snapnote_job_last_success_timestamp_seconds",
            help,
            successes,
        )?;
        let failures = entries
            .iter()
            .map(|(job, entry)| ([("job_name", *job)], entry.failures));
        let help = "Failures of a background job since its last success.";
        to.gauges("snapnote_job_consecutive_failures", help, failures)
    }
}

/// The handle through which a job reports success and failure. Cheap to clone.
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

    /// Reports that an attempt succeeded.
    pub(crate) fn succeeded(&self) {
        let failures = self.update(|entry| {
            let failures = entry.failures;
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            *entry = Entry {
                totals: Totals {
                    succeeded: entry.totals.succeeded + 1,
                    last_success: Some(now.unwrap_or_default().as_secs_f64()),
                    ..entry.totals.clone()
                },
                last_success: Some(Instant::now()),
                last_failure: entry.last_failure,
                ..Entry::default()
            };
            failures
        });
        if failures > 0 {
            tracing::info!(job = self.name, failures, "a background job works again");
        }
    }

    /// Runs a run or a step of the job, and notes how long it took.
    pub(crate) async fn timed<T>(&self, step: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let outcome = step.await;
        let took = began.elapsed();
        self.update(|entry| entry.totals.durations.observe(took));
        outcome
    }

    /// Reports that an attempt failed. The next one follows after `retry_in`.
    pub(crate) fn failed(&self, error: &Error, retry_in: Duration) {
        let is_outage = error.code == Code::Unavailable;
        let (failures, level) = self.update(|entry| {
            entry.count_failure();
            (entry.failures, entry.level(is_outage, Instant::now()))
        });
        let (job, error) = (self.name, error.log_text());
        // The level of a tracing event must be a constant.
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    job,
                    error,
                    failures,
                    ?retry_in,
                    "a background job failed; retrying"
                )
            };
        }
        match level {
            Level::ERROR => log!(error),
            Level::WARN => log!(warn),
            _ => log!(debug),
        }
    }

    /// Notes that the job is started.
    pub(super) fn started(&self) {
        self.update(|entry| entry.restarting = false);
    }

    /// Notes that the job ended, although it should run as long as the process. It restarts after `restart_in`.
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
        change(self.states.entries.lock().entry(self.name).or_default())
    }
}

impl Entry {
    /// The level at which a failure at that time is logged.
    fn level(&mut self, is_outage: bool, now: Instant) -> Level {
        let since = *self.failing_since.get_or_insert(now);
        if is_outage && now.duration_since(since) < OUTAGE {
            return match std::mem::replace(&mut self.is_warned, true) {
                true => Level::DEBUG,
                false => Level::WARN,
            };
        }
        let logged = self.last_error_logged;
        if logged.is_some_and(|at| now.duration_since(at) < REMINDER) {
            return Level::DEBUG;
        }
        self.last_error_logged = Some(now);
        Level::ERROR
    }

    fn count_failure(&mut self) {
        self.totals.failed += 1;
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_an_error_once_a_day_and_an_outage_is_a_warning_at_first() {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        let began = Instant::now();
        // Seconds since the first failure, whether a server is unreachable, and the level.
        let cases = [
            (0, true, Level::WARN),
            (1, true, Level::DEBUG),
            (4 * MINUTE, true, Level::DEBUG),
            (5 * MINUTE, true, Level::ERROR),
            (20 * MINUTE, true, Level::DEBUG),
            (21 * MINUTE, false, Level::DEBUG),
            (DAY, true, Level::DEBUG),
            (DAY + 5 * MINUTE, true, Level::ERROR),
        ];
        let mut entry = Entry::default();
        for (seconds, is_outage, level) in cases {
            let now = began + Duration::from_secs(seconds);
            assert_eq!(entry.level(is_outage, now), level, "after {seconds} s");
        }
        let mut entry = Entry::default();
        for (seconds, level) in [(0, Level::ERROR), (1, Level::DEBUG), (DAY, Level::ERROR)] {
            let now = began + Duration::from_secs(seconds);
            assert_eq!(entry.level(false, now), level, "after {seconds} s");
        }
    }
}
