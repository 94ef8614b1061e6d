//! Remembers rejected first sign-ins for a minute, and allows one first sign-in per identity at the same time.
//!
//! Otherwise each request of a rejected user would call the provider's userinfo endpoint and lock rows, and fifty
//! concurrent requests would do so fifty times. Accepted users are cached in `revocation`.

use std::time::{Duration, Instant};

use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle, EntryAction, EntryResult, PlaceholderGuard},
};

use super::{Claims, Identity};

/// How long a rejection is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Maximum number of remembered identities. Beyond it, rejected identities are checked more often.
const MAX_REMEMBERED: usize = 1000;

/// Why a first sign-in is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The identity belongs to no user who may sign in.
    NoAccount,
    /// Another user has the address, and the provider has not verified it.
    EmailUnverified,
}

/// A rejected first sign-in.
#[derive(Clone)]
struct RejectedSignIn {
    rejection: Rejection,
    at: Instant,
    /// The claims of the rejected token. A token with other claims is checked again.
    claims: Claims,
}

/// Recent rejections by `Identity::key`.
pub(super) struct RecentRejections {
    cache: Cache<String, RejectedSignIn>,
}

/// While it lives, other requests of the same identity wait.
pub(super) struct TurnGuard<'a> {
    guard: PlaceholderGuard<
        'a,
        String,
        RejectedSignIn,
        UnitWeighter,
        DefaultHashBuilder,
        DefaultLifecycle<String, RejectedSignIn>,
    >,
}

impl RecentRejections {
    pub(super) fn new() -> Self {
        RecentRejections {
            cache: Cache::new(MAX_REMEMBERED),
        }
    }

    /// Waits for other requests of the same identity. The caller may continue until it drops the guard.
    ///
    /// # Errors
    /// The identity was rejected just now.
    pub(super) async fn turn(&self, identity: &Identity) -> Result<TurnGuard<'_>, Rejection> {
        let key = identity.key();
        loop {
            let entry = self.cache.entry_async(&key, |_, rejected| {
                if rejected.at.elapsed() < REMEMBERED && rejected.claims == identity.claims {
                    EntryAction::Retain(rejected.rejection)
                } else {
                    EntryAction::ReplaceWithGuard
                }
            });
            match entry.await {
                EntryResult::Retained(rejection) => return Err(rejection),
                EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => {
                    return Ok(TurnGuard { guard });
                }
                EntryResult::Removed(..) | EntryResult::Timeout => {}
            }
        }
    }
}

impl TurnGuard<'_> {
    /// Rejects all requests that wait, and those of the next minute.
    pub(super) fn reject(self, identity: &Identity, rejection: Rejection) {
        let rejected = RejectedSignIn {
            rejection,
            at: Instant::now(),
            claims: identity.claims.clone(),
        };
        // The insertion only fails if the entry is gone, and then no request waits for it.
        let _ = self.guard.insert(rejected);
    }
}
