//! First sights that came to nothing are remembered for a minute, and there is one first sight of an identity at a time.
//!
//! Otherwise each request of somebody who is refused would ask the issuer's userinfo and lock rows anew, and fifty at once
//! would ask fifty times. Who is let in is not remembered here: `revocation` does that.

use std::time::{Duration, Instant};

use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle, EntryAction, EntryResult, PlaceholderGuard},
};

use super::{Claims, Identity};

/// How long somebody is refused without asking again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Identities that are remembered at most: a process that knows fewer asks more often.
const MOST: usize = 1000;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// They are nobody who may sign in.
    Nobody,
    /// Another user has their address, and the issuer has not verified it.
    Unverified,
}

/// What a first sight came to.
#[derive(Clone)]
struct Refusal {
    refused: Refused,
    at: Instant,
    /// What the token told: one that tells something else deserves another look.
    told: Claims,
}

/// Who was refused lately, by `Identity::key`.
pub(super) struct Refusals {
    cache: Cache<String, Refusal>,
}

/// Whose turn it is to see an identity for the first time.
pub(super) enum Turn<'a> {
    /// Nobody's: it was refused just now.
    Refused(Refused),
    /// The caller's, until they drop it.
    Ours(Ours<'a>),
}

/// While it lives, others wait who come with the same identity.
pub(super) struct Ours<'a> {
    guard: PlaceholderGuard<
        'a,
        String,
        Refusal,
        UnitWeighter,
        DefaultHashBuilder,
        DefaultLifecycle<String, Refusal>,
    >,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Refusals {
            cache: Cache::new(MOST),
        }
    }

    /// Waits for others who come with the same identity, and for what it comes to.
    pub(super) async fn turn(&self, identity: &Identity) -> Turn<'_> {
        let key = identity.key();
        loop {
            let entry = self.cache.entry_async(&key, |_, refusal| {
                if refusal.at.elapsed() < REMEMBERED && refusal.told == identity.claims {
                    EntryAction::Retain(refusal.refused)
                } else {
                    EntryAction::ReplaceWithGuard
                }
            });
            match entry.await {
                EntryResult::Retained(refused) => return Turn::Refused(refused),
                EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => {
                    return Turn::Ours(Ours { guard });
                }
                EntryResult::Removed(..) | EntryResult::Timeout => {}
            }
        }
    }
}

impl Ours<'_> {
    /// All who wait are refused too, and who comes within a minute.
    pub(super) fn refuse(self, identity: &Identity, refused: Refused) {
        let refusal = Refusal {
            refused,
            at: Instant::now(),
            told: identity.claims.clone(),
        };
        // It fails only if the entry is gone; then nobody waits for it.
        let _ = self.guard.insert(refusal);
    }
}
