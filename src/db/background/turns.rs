//! When a job runs. Jobs ride along while callers use the database, so that an idle process lets it sleep.
//!
//! A job runs
//! - when the process starts;
//! - when its period has passed and callers use the database, which is then awake anyway;
//! - about 30 s after the last use, for what callers left to it;
//! - once a day without any use, for deadlines;
//! - after a failure, with pauses that grow: up to the job's own maximum while callers use the database, and up to 15 minutes
//!   otherwise.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{super::activity::Activity, Backoff};
use crate::db::activity::IdleSettings;

/// The maximum pause after failures while no caller uses the database, unless the job's own maximum is longer.
const MAX_IDLE_PAUSE: Duration = Duration::from_secs(15 * 60);

/// How often the next turn is computed while callers use the database, since each use may change it.
const TICK: Duration = Duration::from_secs(1);

/// The turns of a job: when it ran, and when it runs next.
pub(crate) struct Turns {
    activity: Arc<Activity>,
    times: Times,
    backoff: Backoff,
    /// When the first run is due.
    first: Instant,
    last: Option<Run>,
}

/// How often a job runs while callers use the database.
#[derive(Debug, Clone, Copy)]
struct Times {
    period: Duration,
    /// The maximum pause after failures.
    max_pause: Duration,
}

/// The last run of a job.
#[derive(Debug, Clone, Copy)]
struct Run {
    began: Instant,
    ended: Instant,
    /// The pause after the run, if it failed.
    failed: Option<Duration>,
}

impl Turns {
    /// A job that has not run yet. `pauses`: the first and the maximum pause after failures while callers use the database.
    pub(crate) fn new(
        activity: Arc<Activity>,
        period: Duration,
        pauses: (Duration, Duration),
    ) -> Turns {
        let (first_pause, max_pause) = pauses;
        Turns {
            activity,
            times: Times { period, max_pause },
            backoff: Backoff::new(first_pause.min(max_pause), max_pause.max(MAX_IDLE_PAUSE)),
            first: Instant::now(),
            last: None,
        }
    }

    /// Notes that a run that began at this time has succeeded.
    pub(crate) fn succeeded(&mut self, began: Instant) {
        self.backoff.reset();
        self.note(began, None);
    }

    /// Notes that a run that began at this time has failed. Returns the pause before the next one.
    pub(crate) fn failed(&mut self, began: Instant) -> Duration {
        let pause = self.backoff.pause();
        self.note(began, Some(pause));
        match self.activity.is_in_use() {
            true => pause.min(self.times.max_pause),
            false => pause,
        }
    }

    fn note(&mut self, began: Instant, failed: Option<Duration>) {
        let ended = Instant::now();
        self.last = Some(Run {
            began,
            ended,
            failed,
        });
    }

    /// When the job runs next, unless callers use the database before.
    pub(crate) fn next(&self) -> Instant {
        let settings = self.activity.settings();
        match &self.last {
            Some(last) => next_run(last, self.activity.last_use(), &self.times, settings),
            None => self.first,
        }
    }

    /// Returns when the job must run.
    pub(crate) async fn due(&self) {
        while Instant::now() < self.next() {
            until_changed(&self.activity, self.next()).await;
        }
    }
}

/// Returns at this time, or earlier if callers may have used the database.
pub(super) async fn until_changed(activity: &Activity, next: Instant) {
    if activity.is_in_use() {
        sleep_until(next.min(Instant::now() + TICK)).await;
    } else {
        let _ = timeout_at(next, activity.until_in_use()).await;
    }
}

/// When a job with this last run is due, if callers do not use the database after `last_use`.
fn next_run(
    last: &Run,
    last_use: Option<Instant>,
    times: &Times,
    settings: &IdleSettings,
) -> Instant {
    let in_use_until = last_use.map(|at| at + settings.in_use);
    let in_use_at = |time: Instant| in_use_until.is_some_and(|until| time <= until);
    if let Some(pause) = last.failed {
        let soon = last.ended + pause.min(times.max_pause);
        return match in_use_at(soon) {
            true => soon,
            false => last.ended + pause,
        };
    }
    let unused = last.ended + settings.unused;
    let Some(used) = last_use.filter(|used| *used > last.began) else {
        return unused;
    };
    let settled = (used + settings.settle).max(last.ended + settings.in_use);
    let regular = last.ended + times.period;
    let next = match in_use_at(regular) {
        true => regular.min(settled),
        false => settled,
    };
    next.min(unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    /// When a job runs next, in seconds. It ran at 100,000 s for one second. `failed`: the pause after a failure.
    fn next(period: u64, failed: Option<u64>, last_use: Option<u64>) -> u64 {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let last = Run {
            began: at(100_000),
            ended: at(100_001),
            failed: failed.map(Duration::from_secs),
        };
        let period = Duration::from_secs(period);
        let times = Times {
            period,
            max_pause: period,
        };
        let settings = IdleSettings::default();
        let next = next_run(&last, last_use.map(at), &times, &settings);
        next.duration_since(start).as_secs()
    }

    #[test]
    fn jobs_run_with_callers_once_after_them_and_once_a_day() {
        let ended = 100_001;
        // The period, the last use, and when the job runs.
        let cases = [
            // Without a use since the last run, a day later.
            (5 * MINUTE, None, ended + DAY),
            (5 * MINUTE, Some(99_000), ended + DAY),
            (5 * MINUTE, Some(100_000), ended + DAY),
            // A use during the run may have left work.
            (5 * MINUTE, Some(100_001), ended + MINUTE),
            // Half a minute after the last use, and no sooner than a minute after the last run.
            (5 * MINUTE, Some(ended + 10), ended + MINUTE),
            (5 * MINUTE, Some(ended + 50), ended + 80),
            (5 * MINUTE, Some(ended + 200), ended + 230),
            // When the period has passed, while callers use the database.
            (5 * MINUTE, Some(ended + 290), ended + 300),
            (5 * MINUTE, Some(ended + 400), ended + 300),
            (1, Some(ended + 50), ended + 1),
            (HOUR, Some(ended + 200), ended + 230),
            (HOUR, Some(ended + HOUR - 1), ended + HOUR),
            (HOUR, Some(ended + HOUR - 61), ended + HOUR - 31),
            // A process without callers for a day.
            (HOUR, Some(ended + DAY + 5), ended + HOUR),
        ];
        for (period, last_use, expected) in cases {
            let found = next(period, None, last_use);
            assert_eq!(found, expected, "every {period} s, used at {last_use:?}");
        }
    }

    #[test]
    fn failed_jobs_are_retried_slowly_without_callers() {
        let ended = 100_001;
        // The period, the pause after the failure, the last use, and when the job runs.
        let cases = [
            (HOUR, 4, None, ended + 4),
            (MINUTE, 500, None, ended + 500),
            (MINUTE, 500, Some(99_000), ended + 500),
            (MINUTE, 500, Some(ended - 5), ended + 500),
            (MINUTE, 500, Some(ended + 1), ended + MINUTE),
            // A use after the pause that callers would have waited for: at once.
            (MINUTE, 500, Some(ended + 300), ended + MINUTE),
            (HOUR, 500, Some(ended + 1), ended + 500),
        ];
        for (period, pause, last_use, expected) in cases {
            let found = next(period, Some(pause), last_use);
            assert_eq!(
                found, expected,
                "every {period} s, after {pause} s, used at {last_use:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_use_makes_a_waiting_job_due() {
        let settings = IdleSettings {
            in_use: Duration::from_millis(20),
            settle: Duration::from_millis(10),
            ..IdleSettings::default()
        };
        let activity = Arc::new(Activity::new(settings));
        let hour = Duration::from_secs(3600);
        let mut turns = Turns::new(activity.clone(), hour, (hour, hour));
        turns.due().await;
        for _ in 0..3 {
            turns.succeeded(Instant::now());
            assert!(turns.next() > Instant::now() + hour);
            let ((), ()) = tokio::join!(turns.due(), async { activity.note_use() });
            turns.failed(Instant::now());
        }
    }
}
