//! The pauses between attempts: each is twice as long as the one before, up to a maximum.

use std::time::Duration;

/// The pauses of one series of attempts.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first` and ends at `max`.
    pub(crate) fn new(first: Duration, max: Duration) -> Backoff {
        let first = first.min(max);
        Backoff {
            first,
            max,
            next: first,
        }
    }

    /// The pause before the next attempt.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause
    }

    /// The last attempt succeeded: the next series starts with the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_start_again_after_a_success() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(3), seconds(20));
        let pauses: Vec<Duration> = (0..5).map(|_| backoff.pause()).collect();
        assert_eq!(pauses, [3, 6, 12, 20, 20].map(seconds));
        backoff.reset();
        assert_eq!(backoff.pause(), seconds(3));
        assert_eq!(Backoff::new(seconds(3), seconds(1)).pause(), seconds(1));
    }
}
