//! The settings of what goes on for longer than a request: WebSockets and subscriptions.

use clap::Args;

use super::{Span, at_least_one};
use crate::http::streams::StreamSettings;

/// How many may listen.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "WebSockets and subscriptions")]
pub struct StreamConfig {
    /// WebSockets at a time.
    #[arg(long, env = "SNAPNOTE_MAX_SOCKETS", default_value = "10000", value_parser = at_least_one)]
    pub max_sockets: usize,
    /// WebSockets at a time of one user, and of the visitors of one address.
    #[arg(long, env = "SNAPNOTE_MAX_SOCKETS_PER_USER", default_value = "50", value_parser = at_least_one)]
    pub max_sockets_per_user: usize,
    /// Subscriptions at a time, over WebSocket and as text/event-stream.
    #[arg(long, env = "SNAPNOTE_MAX_SUBSCRIPTIONS", default_value = "10000", value_parser = at_least_one)]
    pub max_subscriptions: usize,
    /// Subscriptions at a time of one user, and of the visitors of one address.
    #[arg(long, env = "SNAPNOTE_MAX_SUBSCRIPTIONS_PER_USER", default_value = "100", value_parser = at_least_one)]
    pub max_subscriptions_per_user: usize,
    /// How long a new WebSocket may take to say connection_init.
    #[arg(long, env = "SNAPNOTE_INIT_TIMEOUT", default_value = "5s")]
    pub init_timeout: Span,
    /// How often something is sent over a WebSocket or an event stream on which nothing happens; who does not answer pings,
    /// or takes no events, for two of these is cut off.
    #[arg(long, env = "SNAPNOTE_HEARTBEAT", default_value = "15s")]
    pub heartbeat: Span,
}

impl StreamConfig {
    /// As the HTTP edge takes them.
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
