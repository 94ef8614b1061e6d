//! When callers last used the database. A process without callers sends no statements, so that a serverless database can sleep.
//!
//! A use is a lease of a connection or a shared read in the scope of a holder (`share`): the work of a request, or of an event
//! of a subscription. Background jobs, health checks, and the authentication of open streams are no uses. They run while
//! callers use the database, which is then awake anyway, and shortly afterwards. Without callers, jobs run once a day.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What an idle process does, and when.
#[derive(Debug, Clone, Copy)]
pub struct IdleSettings {
    /// How long the database counts as in use after a caller used it. Also the minimum time between two runs of a job of which
    /// the second one only does what callers left.
    pub in_use: Duration,
    /// How long after the last use the background jobs run again.
    pub settle: Duration,
    /// How often the background jobs run without any use.
    pub unused: Duration,
    /// How long a connection may idle before it is closed, also one that `PoolSettings::kept` keeps.
    pub close: Duration,
}

impl Default for IdleSettings {
    /// All statements of an idle process end within two minutes of the last use. Neon sleeps five minutes after the last
    /// statement.
    fn default() -> Self {
        IdleSettings {
            in_use: Duration::from_secs(60),
            settle: Duration::from_secs(30),
            unused: Duration::from_secs(24 * 60 * 60),
            close: Duration::from_secs(4 * 60),
        }
    }
}

/// The uses of a database by callers of this process.
#[derive(Debug)]
pub(crate) struct Activity {
    settings: IdleSettings,
    started: Instant,
    /// In microseconds after `started`, rounded up. Zero if there was none.
    last_use: AtomicU64,
    last_outage: AtomicU64,
    /// Notified by the first use after a time without any.
    resumed: Notify,
}

impl Activity {
    pub(crate) fn new(settings: IdleSettings) -> Activity {
        Activity {
            settings,
            started: Instant::now(),
            last_use: AtomicU64::new(0),
            last_outage: AtomicU64::new(0),
            resumed: Notify::new(),
        }
    }

    pub(crate) fn settings(&self) -> &IdleSettings {
        &self.settings
    }

    /// Notes that a caller uses the database.
    pub(crate) fn note_use(&self) {
        let now = self.microseconds();
        let before = self.last_use.swap(now, Ordering::Relaxed);
        let since = Duration::from_micros(now.saturating_sub(before));
        if before == 0 || since >= self.settings.in_use {
            self.resumed.notify_waiters();
        }
    }

    /// Notes that the database could not be reached, or closed a connection during a statement.
    pub(crate) fn note_outage(&self) {
        self.last_outage
            .store(self.microseconds(), Ordering::Relaxed);
    }

    /// When a caller last used the database.
    pub(crate) fn last_use(&self) -> Option<Instant> {
        self.time(&self.last_use)
    }

    /// Whether the database could not be reached at this time or later.
    pub(crate) fn had_outage_since(&self, time: Instant) -> bool {
        let last_outage = self.time(&self.last_outage);
        last_outage.is_some_and(|outage| outage >= time)
    }

    /// Whether a caller used the database within the last minute (`IdleSettings::in_use`).
    pub(crate) fn is_in_use(&self) -> bool {
        let last_use = self.last_use();
        last_use.is_some_and(|at| at.elapsed() < self.settings.in_use)
    }

    /// Returns at once if the database is in use, and otherwise at its next use.
    pub(crate) async fn until_in_use(&self) {
        // Created before the check, so that a use in between is not missed.
        let resumed = self.resumed.notified();
        if !self.is_in_use() {
            resumed.await;
        }
    }

    fn time(&self, stored: &AtomicU64) -> Option<Instant> {
        match stored.load(Ordering::Relaxed) {
            0 => None,
            microseconds => Some(self.started + Duration::from_micros(microseconds)),
        }
    }

    fn microseconds(&self) -> u64 {
        let elapsed = self.started.elapsed().as_micros();
        u64::try_from(elapsed).map_or(u64::MAX, |elapsed| elapsed + 1)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::sleep;

    use super::*;

    fn activity(in_use: Duration) -> Activity {
        Activity::new(IdleSettings {
            in_use,
            ..IdleSettings::default()
        })
    }

    #[tokio::test]
    async fn a_use_counts_for_some_time_and_wakes_those_that_wait_for_it() {
        let activity = activity(Duration::from_millis(1));
        assert!(!activity.is_in_use() && activity.last_use().is_none());
        for _ in 0..3 {
            let mut waiting = Box::pin(activity.until_in_use());
            assert!(waiting.as_mut().now_or_never().is_none());
            activity.note_use();
            // Also if this task was suspended for longer than the use counts.
            assert!(waiting.as_mut().now_or_never().is_some());
            assert!(activity.last_use().is_some());
            while activity.is_in_use() {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    #[test]
    fn an_outage_is_known_to_those_that_looked_before_it() {
        let activity = activity(Duration::from_secs(60));
        let before = Instant::now();
        assert!(!activity.had_outage_since(before));
        activity.note_outage();
        assert!(activity.had_outage_since(before));
        assert!(!activity.had_outage_since(before + Duration::from_secs(3600)));
    }
}
