//! Closes idle connections: those beyond the kept ones after a minute, and all after four, so that a serverless database can sleep.

use std::time::Duration;

use super::Database;

/// How long a connection beyond the kept ones may idle before it is closed.
const SPARE_IDLE: Duration = Duration::from_secs(60);

impl Database {
    /// Closes connections that have idled for long. Runs as long as the process.
    pub async fn close_spare_connections(self) {
        let close = self.inner.activity.settings().close;
        let mut ticks = tokio::time::interval(SPARE_IDLE.min(close) / 2);
        loop {
            ticks.tick().await;
            self.inner.pool.manager().close_unclaimed();
            if let Some(shared) = &self.inner.shared {
                shared.close_spare();
            }
            let open = self.inner.pool.status().size;
            let mut spare = open.saturating_sub(self.inner.kept);
            self.inner.pool.retain(|_, metrics| {
                let idle = metrics.last_used();
                let closes = idle >= close || (spare > 0 && idle > SPARE_IDLE);
                spare = spare.saturating_sub(usize::from(closes));
                !closes
            });
        }
    }
}
