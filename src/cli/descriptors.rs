//! The limit of open files. A process that reaches it can neither accept connections nor open files and databases.

use super::settings::pool;
use crate::{auth::rate_limiter_pool, config::Config, http::server::OWN_DESCRIPTORS};

/// Descriptors of the runtime, of standard streams and libraries, of cancel requests, emails, keys of identity providers and
/// name resolution.
const OTHER: u64 = 40;
/// Minimum for client connections.
const MIN_FOR_CLIENTS: u64 = 16;
/// Above any real limit. Keeps sums from overflowing.
const UNLIMITED: u64 = 1 << 40;

/// How the file descriptors of the process are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    /// Needed besides those for clients.
    own: u64,
    /// Needed for all client connections and WebSockets.
    clients: u64,
    max_connections: u64,
    max_sockets: u64,
}

/// Raises the limit of open files as far as the settings need and the system allows. Returns the settings with as many client
/// connections and WebSockets as fit.
///
/// # Errors
/// A message for the operator, if the limit is too low to serve at all.
pub(super) fn fit(config: &Config) -> Result<Config, String> {
    let plan = plan(config);
    let needed = plan.own.saturating_add(plan.clients);
    let limit = raise(needed).min(UNLIMITED);
    let mut fitting = config.clone();
    if limit >= needed {
        return Ok(fitting);
    }
    let (max_connections, max_sockets) = plan.within(limit).ok_or_else(|| too_low(limit, &plan))?;
    tracing::warn!(
        limit,
        needed,
        max_connections,
        max_sockets,
        "the limit of open files is too low for SNAPNOTE_MAX_CONNECTIONS and SNAPNOTE_MAX_SOCKETS, which are reduced. Raise \
         the limit (`ulimit -n`, LimitNOFILE= of systemd, --ulimit nofile= of Docker) or lower these settings"
    );
    fitting.server.max_connections = max_connections;
    fitting.streams.max_sockets = max_sockets;
    Ok(fitting)
}

fn too_low(limit: u64, plan: &Plan) -> String {
    format!(
        "The limit of open files is {limit}, but the service needs at least {}. Raise it (`ulimit -n`, LimitNOFILE= of systemd, \
         --ulimit nofile= of Docker) or lower SNAPNOTE_POOL_MAX.",
        plan.own + MIN_FOR_CLIENTS
    )
}

fn plan(config: &Config) -> Plan {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).min(UNLIMITED);
    // The pool, the rate limiter, and the listener of the change feed.
    let pool = pool(&config.database);
    let rate_limiter = rate_limiter_pool(&pool);
    let database = number(pool.max_connections) + number(rate_limiter.max_connections) + 1;
    let plan = Plan {
        own: OTHER + database + number(OWN_DESCRIPTORS),
        clients: 0,
        max_connections: number(config.server.max_connections),
        max_sockets: number(config.streams.max_sockets),
    };
    plan.with_files(config.storage.is_folder())
}

impl Plan {
    /// A request on a connection may read or write an image. Subscriptions need no descriptors of their own.
    fn with_files(self, stores_files: bool) -> Self {
        let per_connection = if stores_files { 2 } else { 1 };
        let clients = self.max_connections * per_connection + self.max_sockets;
        Plan { clients, ..self }
    }

    /// The connections and WebSockets that fit, in the proportion of the settings. `None` if too few fit.
    fn within(&self, limit: u64) -> Option<(usize, usize)> {
        let available = limit.checked_sub(self.own)?;
        if available < MIN_FOR_CLIENTS {
            return None;
        }
        let share = |count: u64| {
            let share = u128::from(count) * u128::from(available) / u128::from(self.clients.max(1));
            usize::try_from(share).unwrap_or(usize::MAX).max(1)
        };
        Some((share(self.max_connections), share(self.max_sockets)))
    }
}

/// Raises the soft limit to what is needed, but not above the hard limit. Returns the limit.
fn raise(needed: u64) -> u64 {
    rlimit::increase_nofile_limit(needed).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files cannot be raised");
        let current = rlimit::getrlimit(rlimit::Resource::NOFILE);
        current.map_or(UNLIMITED, |(soft, _)| soft)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        own: 60,
        clients: 0,
        max_connections: 10_000,
        max_sockets: 10_000,
    };

    #[test]
    fn connections_are_reduced_in_proportion() {
        let plan = PLAN.with_files(true);
        assert_eq!(plan.clients, 30_000);
        assert_eq!(plan.within(60 + 3_000), Some((1_000, 1_000)));
        assert_eq!(plan.within(60 + 16), Some((5, 5)));
        assert_eq!(plan.within(60 + 15), None);
        assert_eq!(plan.within(10), None);
        let plan = PLAN.with_files(false);
        assert_eq!(plan.clients, 20_000);
        assert_eq!(plan.within(60 + 3_000), Some((1_500, 1_500)));
        let few = Plan {
            max_sockets: 1,
            ..PLAN
        };
        let (connections, sockets) = few.with_files(true).within(560).expect("enough");
        assert_eq!((connections, sockets), (249, 1));
        let message = too_low(64, &plan);
        assert!(
            message.contains("is 64") && message.contains("at least 76"),
            "{message}"
        );
    }
}
