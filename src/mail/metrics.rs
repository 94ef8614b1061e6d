//! What is measured of the outbox.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use super::worker::Outcome;
use crate::telemetry::{Exposition, Source};

/// The mails of a process, and the outbox as its worker last saw it.
#[derive(Debug, Default)]
pub(crate) struct MailMetrics {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    given_up: AtomicU64,
    waiting: AtomicU64,
}

impl MailMetrics {
    /// An attempt has ended.
    pub(super) fn note(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Sent => &self.sent,
            Outcome::Dropped => &self.dropped,
            Outcome::Failed => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_waiting(&self, mails: u64) {
        self.waiting.store(mails, Ordering::Relaxed);
    }
}

impl Source for MailMetrics {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let outcomes = [
            ("sent", &self.sent),
            ("failed", &self.failed),
            ("dropped", &self.dropped),
        ];
        let outcomes = outcomes.map(|(name, counter)| ([("outcome", name)], value(counter)));
        let help = "Attempts to send an email, by outcome. Dropped emails were no longer needed.";
        to.counters("snapnote_mail_attempts", help, outcomes)?;
        let help = "Emails that were given up.";
        to.counter("snapnote_mail_given_up", help, value(&self.given_up))?;
        let help = "Emails in the outbox that wait to be sent, when this process last looked. Maximum 101.";
        to.gauge("snapnote_mail_outbox_waiting", help, value(&self.waiting))
    }
}
