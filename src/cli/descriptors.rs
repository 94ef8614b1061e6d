//! The limit of open files. A process that reaches it can neither accept connections nor open files and databases.

use super::settings::pool;
use crate::{auth::rate_limiter_pool, config::Config, http::server::OWN_DESCRIPTORS};

/// Descriptors of the runtime, of standard streams and libraries, of cancel requests, emails, keys of identity providers and
/// name resolution.
const OTHER: u64 = 40;
/// Images that are received or served at the same time: a share of the limit, and its maximum.
const IMAGE_SHARE: u64 = 8;
const MAX_IMAGES: u64 = 512;
/// Minimum for client connections.
const MIN_FOR_CLIENTS: u64 = 16;
/// Above any real limit. Keeps sums from overflowing.
const UNLIMITED: u64 = 1 << 40;
pub(super) const REMEDY: &str =
    "Raise the limit (`ulimit -n`, LimitNOFILE= of systemd, --ulimit nofile= of Docker)";

/// The file descriptors that the settings need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needs {
    /// Besides those for clients and images.
    own: u64,
    /// Whether images are stored in a local folder.
    images: bool,
    max_connections: u64,
    /// Subscriptions share the descriptor of their connection or WebSocket.
    max_sockets: u64,
}

/// Raises the limit of open files as far as the settings need and the system allows. Returns how many of them client
/// connections may use, including those that became WebSockets.
///
/// # Errors
/// A message for the operator, if the limit is too low to serve at all.
pub(super) fn for_clients(config: &Config) -> Result<usize, String> {
    let needs = needs(config);
    let limit = raise(needs.total()).min(UNLIMITED);
    let available = needs.available(limit).ok_or_else(|| needs.too_low(limit))?;
    warn_if_low(&needs, limit, available);
    Ok(usize::try_from(available).unwrap_or(usize::MAX))
}

/// What the limit of open files allows.
pub(super) enum OpenFiles {
    /// Everything in the settings.
    Enough { limit: u64 },
    /// Fewer clients than the settings allow.
    FewClients {
        limit: u64,
        needed: u64,
        available: u64,
    },
    /// The service cannot start.
    TooFew { message: String },
}

/// What the service would find at its start.
pub(super) fn check(config: &Config) -> OpenFiles {
    let needs = needs(config);
    let limit = raise(needs.total()).min(UNLIMITED);
    match needs.available(limit) {
        None => OpenFiles::TooFew {
            message: needs.too_low(limit),
        },
        Some(available) if available < needs.max_connections.max(needs.max_sockets) => {
            OpenFiles::FewClients {
                limit,
                needed: needs.total(),
                available,
            }
        }
        Some(_) => OpenFiles::Enough { limit },
    }
}

/// Each configured maximum should be reachable alone. Both at the same time are rare.
fn warn_if_low(needs: &Needs, limit: u64, available: u64) {
    let (max_connections, max_sockets) = (needs.max_connections, needs.max_sockets);
    if available < max_connections.max(max_sockets) {
        tracing::warn!(
            limit,
            needed = needs.total(),
            available,
            max_connections,
            max_sockets,
            "the limit of open files is too low for SNAPNOTE_MAX_CONNECTIONS and SNAPNOTE_MAX_SOCKETS; fewer clients are served. \
             {REMEDY} or lower these settings"
        );
    }
}

/// Maximum connections of the process to the database.
pub(super) fn of_database(config: &Config) -> u64 {
    let pool = pool(config);
    let rate_limiter = rate_limiter_pool(&pool);
    // One more connection listens for changes.
    number(pool.max_connections) + number(rate_limiter.max_connections) + 1
}

/// Maximum connections of the process to the read replica.
fn of_replica(config: &Config) -> u64 {
    match config.database.database_read_url {
        // One more connection compares the replica with the primary.
        Some(_) => number(pool(config).max_connections) + 1,
        None => 0,
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).min(UNLIMITED)
}

fn needs(config: &Config) -> Needs {
    Needs {
        own: OTHER + of_database(config) + of_replica(config) + number(OWN_DESCRIPTORS),
        images: config.storage.is_folder(),
        max_connections: number(config.server.max_connections),
        max_sockets: number(config.streams.max_sockets),
    }
}

impl Needs {
    fn total(&self) -> u64 {
        let images = if self.images { MAX_IMAGES } else { 0 };
        self.own + images + self.max_connections + self.max_sockets
    }

    /// How many a limit leaves for clients. `None` if these are too few.
    fn available(&self, limit: u64) -> Option<u64> {
        let images = if self.images {
            MAX_IMAGES.min(limit / IMAGE_SHARE)
        } else {
            0
        };
        let available = limit.checked_sub(self.own + images)?;
        (available >= MIN_FOR_CLIENTS).then_some(available)
    }

    fn too_low(&self, limit: u64) -> String {
        // The images' share comes on top.
        let least = (self.own + MIN_FOR_CLIENTS) * IMAGE_SHARE / (IMAGE_SHARE - 1) + 1;
        format!(
            "The limit of open files is {limit}, but the service needs at least {least}. {REMEDY} or lower SNAPNOTE_POOL_MAX."
        )
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

    const NEEDS: Needs = Needs {
        own: 60,
        images: true,
        max_connections: 10_000,
        max_sockets: 10_000,
    };

    #[test]
    fn clients_get_what_the_service_does_not_need_itself() {
        assert_eq!(NEEDS.total(), 60 + 512 + 20_000);
        assert_eq!(NEEDS.available(20_000), Some(20_000 - 60 - 512));
        assert_eq!(NEEDS.available(160), Some(160 - 60 - 20));
        let least = NEEDS.too_low(60);
        assert!(
            least.contains("is 60") && least.contains("at least 87"),
            "{least}"
        );
        assert!(NEEDS.available(87).is_some());
        assert_eq!(NEEDS.available(85), None);
        assert_eq!(NEEDS.available(10), None);
        let without_images = Needs {
            images: false,
            ..NEEDS
        };
        assert_eq!(without_images.total(), 20_060);
        assert_eq!(without_images.available(76), Some(16));
    }
}
