//! The settings of long-lived connections: WebSockets and subscriptions.

use clap::Args;

use super::{Span, values::at_least_one};
use crate::http::streams::StreamSettings;

/// WebSockets and subscriptions.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "WebSockets and subscriptions")]
pub struct StreamConfig {
    /// Maximum WebSockets at the same time.
    #[arg(long, env = "SNAPNOTE_MAX_SOCKETS", default_value = "10000", value_parser = at_least_one)]
    pub max_sockets: usize,
    /// Maximum WebSockets of one user, or of the anonymous clients of one address.
    #[arg(long, env = "SNAPNOTE_MAX_SOCKETS_PER_USER", default_value = "50", value_parser = at_least_one)]
    pub max_sockets_per_user: usize,
    /// Maximum subscriptions at the same time, over WebSocket and server-sent events together.
    #[arg(long, env = "SNAPNOTE_MAX_SUBSCRIPTIONS", default_value = "10000", value_parser = at_least_one)]
    pub max_subscriptions: usize,
    /// Maximum subscriptions of one user, or of the anonymous clients of one address.
    #[arg(long, env = "SNAPNOTE_MAX_SUBSCRIPTIONS_PER_USER", default_value = "100", value_parser = at_least_one)]
    pub max_subscriptions_per_user: usize,
    /// How long a new WebSocket may take to send connection_init.
    #[arg(long, env = "SNAPNOTE_INIT_TIMEOUT", default_value = "5s")]
    pub init_timeout: Span,
    /// Interval of pings on idle WebSockets and of comments on idle event streams. Clients that do not respond to pings, or do not
    /// read events, for two intervals are disconnected.
    #[arg(long, env = "SNAPNOTE_HEARTBEAT", default_value = "15s")]
    pub heartbeat: Span,
    /// How often a process with subscriptions reads the database while no client uses it: changes without a notification, and
    /// changes of other processes after the database has closed the connection, arrive this late.
    #[arg(long, env = "SNAPNOTE_IDLE_CHECK", default_value = "1h")]
    pub idle_check: Span,
}

impl StreamConfig {
    /// The settings in the form that `http` takes.
    pub(crate) fn settings(&self) -> StreamSettings {
        StreamSettings {
            max_sockets: self.max_sockets,
            max_sockets_per_user: self.max_sockets_per_user,
            max_subscriptions: self.max_subscriptions,
            max_subscriptions_per_user: self.max_subscriptions_per_user,
            init_timeout: self.init_timeout.0,
            heartbeat: self.heartbeat.0,
        }
    }
}
