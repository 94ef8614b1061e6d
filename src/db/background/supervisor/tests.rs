//! Jobs that panic, return, fail and recover: which jobs keep running, what the log says, and what the states show.

use std::{
    io::Write,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::time::timeout;
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::{
    db::{
        activity::IdleSettings,
        background::{JobState, Phase},
    },
    error::Error,
};

/// The log of this thread, in memory. The tests run on one thread each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Log, DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    /// The lines that contain all of these.
    fn lines(&self, parts: &[&str]) -> usize {
        let bytes = self.0.lock().expect("no writer panics").clone();
        let text = String::from_utf8(bytes).expect("the log is text");
        text.lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A supervisor without jobs that restarts them quickly, and their states. Callers use its database all the time.
fn quick_jobs() -> (JobStates, Jobs) {
    let states = JobStates::default();
    let activity = Arc::new(Activity::new(IdleSettings::default()));
    let mut jobs = Jobs::new(states.clone(), activity.clone());
    jobs.run("callers", move |_| {
        let activity = activity.clone();
        async move {
            loop {
                activity.note_use();
                sleep(Duration::from_millis(1)).await;
            }
        }
    });
    jobs.restart = (Duration::from_millis(1), Duration::from_millis(4));
    (states, jobs)
}

fn state(states: &JobStates, name: &str) -> JobState {
    let all = states.list();
    let found = all.into_iter().find(|state| state.name == name);
    found.expect("the job is known")
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = timeout(Duration::from_secs(20), wait).await;
    assert!(waited.is_ok(), "the condition never held");
}

#[tokio::test]
async fn a_job_that_panics_is_logged_and_restarted() {
    let (log, _guard) = Log::capture();
    let (states, mut jobs) = quick_jobs();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    jobs.run("tailer", move |job| {
        let start = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            if start < 3 {
                panic!("panic in round {start}");
            }
            job.succeeded();
            std::future::pending().await
        }
    });
    until(|| state(&states, "tailer").since_success.is_some()).await;
    assert_eq!(starts.load(Ordering::Relaxed), 4);
    let now = state(&states, "tailer");
    assert_eq!((now.phase, now.failures), (Phase::Running, 0));
    let ended = ["ERROR", "job=\"tailer\"", "panicked"];
    assert_eq!(log.lines(&ended), 3);
    assert_eq!(
        log.lines(&["panic in"]),
        0,
        "a formatted message is not logged"
    );
    assert_eq!(log.lines(&["INFO", "works again", "job=\"tailer\""]), 1);
    jobs.stop().await;
}

#[tokio::test]
async fn a_job_that_returns_is_logged_and_restarted_after_a_pause() {
    let (log, _guard) = Log::capture();
    let (states, mut jobs) = quick_jobs();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    jobs.run("short", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(())
    });
    jobs.restart = (Duration::from_secs(3600), Duration::from_secs(3600));
    jobs.run("resting", |_| std::future::ready(()));
    jobs.run("lasting", |_| std::future::pending());
    until(|| starts.load(Ordering::Relaxed) > 2).await;
    until(|| state(&states, "resting").phase == Phase::Restarting).await;
    let now = state(&states, "resting");
    assert!(now.failures == 1 && now.since_failure.is_some(), "{now:?}");
    assert_eq!(log.lines(&["ERROR", "job=\"resting\"", "it returned"]), 1);
    assert!(log.lines(&["ERROR", "job=\"short\"", "it returned"]) >= 2);
    let lasting = state(&states, "lasting");
    assert_eq!((lasting.phase, lasting.failures), (Phase::Running, 0));
    jobs.stop().await;
}

/// A job that fails a number of times before it works, and counts its runs.
fn flaky(name: &'static str, failures: u32, runs: &Arc<AtomicU32>) -> Periodic {
    let runs = runs.clone();
    Periodic::new(name, move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            match run < failures {
                true => Err(Error::internal("the table is locked")),
                false => Ok(7),
            }
        }
    })
}

#[tokio::test]
async fn a_failing_job_is_logged_once_and_does_not_block_its_schedule() {
    let (log, _guard) = Log::capture();
    let (states, mut jobs) = quick_jobs();
    let (recovers, fails) = (Arc::default(), Arc::default());
    let panics = Periodic::new("panics", || async { panic!("panics on purpose") });
    let all = vec![
        panics,
        flaky("fails", u32::MAX, &fails),
        flaky("recovers", 5, &recovers),
    ];
    jobs.every(Duration::from_millis(5), all);
    until(|| recovers.load(Ordering::Relaxed) > 8 && fails.load(Ordering::Relaxed) > 8).await;
    let now = ["panics", "fails", "recovers"].map(|name| state(&states, name).phase);
    assert_eq!(now, [Phase::Failing, Phase::Failing, Phase::Running]);
    assert!(state(&states, "fails").failures > 8);
    let failed = |job, error| log.lines(&["ERROR", "retry_in", job, error]);
    assert_eq!(failed("job=\"panics\"", "panics on purpose"), 1);
    assert_eq!(failed("job=\"fails\"", "the table is locked"), 1);
    assert_eq!(failed("job=\"recovers\"", "the table is locked"), 1);
    assert_eq!(log.lines(&["ERROR"]), 3, "no other error");
    let again = ["works again", "job=\"recovers\"", "failures=5"];
    assert_eq!(log.lines(&again), 1);
    jobs.stop().await;
}

#[tokio::test]
async fn a_job_that_fails_during_an_outage_is_a_warning() {
    let (log, _guard) = Log::capture();
    let (states, mut jobs) = quick_jobs();
    let away = Periodic::new("away", || async { Err(Error::unavailable("no route")) });
    jobs.every(Duration::from_millis(1), vec![away]);
    until(|| state(&states, "away").failures > 5).await;
    assert_eq!(log.lines(&["WARN", "job=\"away\"", "no route"]), 1);
    assert_eq!(log.lines(&["ERROR"]), 0);
    jobs.stop().await;
}

#[tokio::test]
async fn stopping_ends_all_jobs() {
    let (_, mut jobs) = quick_jobs();
    let (running, runs) = (Arc::new(()), Arc::default());
    let kept = running.clone();
    jobs.run("lasting", move |_| {
        let kept = kept.clone();
        async move {
            std::future::pending::<()>().await;
            drop(kept);
        }
    });
    jobs.every(Duration::from_millis(1), vec![flaky("often", 0, &runs)]);
    until(|| runs.load(Ordering::Relaxed) > 1).await;
    jobs.stop().await;
    assert_eq!(Arc::strong_count(&running), 1);
    let stopped = runs.load(Ordering::Relaxed);
    sleep(Duration::from_millis(30)).await;
    assert_eq!(runs.load(Ordering::Relaxed), stopped);
}
