//! Open SMTP connections, so that a burst of mails does not log in for each.
//!
//! A connection is tested before it is used again, and closed when it has been idle for some time.

use std::{sync::Arc, time::Duration};

use lettre::transport::smtp::client::AsyncSmtpConnection;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a server may take to respond to NOOP, which tests a connection, or QUIT.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The open connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct SmtpPool {
    inner: Arc<Mutex<Idle>>,
    idle: Duration,
}

#[derive(Default)]
struct Idle {
    /// Oldest first, each with the time at which it is closed.
    connections: Vec<(AsyncSmtpConnection, Instant)>,
    /// Whether a task is waiting to close them.
    is_closing: bool,
}

impl SmtpPool {
    /// An empty pool. `idle`: how long an unused connection stays open.
    pub(super) fn new(idle: Duration) -> SmtpPool {
        SmtpPool {
            inner: Arc::default(),
            idle,
        }
    }

    /// Takes a connection that works. There are never more connections than concurrent deliveries.
    pub(super) async fn take(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, _) = self.inner.lock().connections.pop()?;
            if timeout(RESPONSE_TIMEOUT, connection.test_connected()).await == Ok(true) {
                return Some(connection);
            }
        }
    }

    /// Returns a connection over which a mail was sent.
    pub(super) fn put(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.inner.lock();
        let until = Instant::now() + self.idle;
        idle.connections.push((connection, until));
        if !std::mem::replace(&mut idle.is_closing, true) {
            tokio::spawn(self.clone().close_idle());
        }
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        let connections = std::mem::take(&mut self.inner.lock().connections);
        for (connection, _) in connections {
            quit(connection).await;
        }
    }

    /// Closes connections that have been idle for long enough, until none is left.
    async fn close_idle(self) {
        while let Some(until) = self.next_end() {
            sleep_until(until).await;
            while let Some(connection) = self.take_expired() {
                quit(connection).await;
            }
        }
    }

    /// When the next connection is to be closed. `None` if there is none.
    fn next_end(&self) -> Option<Instant> {
        let mut idle = self.inner.lock();
        let next = idle.connections.first().map(|(_, until)| *until);
        idle.is_closing = next.is_some();
        next
    }

    fn take_expired(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.inner.lock();
        let (_, until) = idle.connections.first()?;
        (*until <= Instant::now()).then(|| idle.connections.remove(0).0)
    }
}

/// Sends QUIT. A response is not required.
async fn quit(mut connection: AsyncSmtpConnection) {
    let _ = timeout(RESPONSE_TIMEOUT, connection.quit()).await;
}
