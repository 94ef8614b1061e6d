//! Private fields of users: profile, sessions, accounts, usage and audit log. Only the user and admins can read them, and each
//! read by an admin is recorded in the user's audit log. Items are never among them: no admin can read a user's items.
//!
//! The fields are loaded in batches for all users of a list. [`BatchLoader::authorize`] is the only place that decides
//! whether the caller may read them.

use std::collections::{HashMap, HashSet};

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use super::loaders::BatchLoader;
use crate::{
    audit::{self, Event, Part},
    auth::{Account, Session, credentials, sessions},
    db::Connection,
    error::Error,
    items::{self, quota},
    users::{self, Profile},
};

/// The user that a private field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FieldOwner {
    pub(crate) user: Uuid,
    /// Whether this request signed the user in, so the caller is that user although the request had no token.
    pub(crate) just_signed_in: bool,
}

/// Declares keys of private fields: the function loads the values of many users.
macro_rules! private_fields {
    ($($(#[$doc:meta])* $Key:ident($part:ident) => $Value:ty = $load:path;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $Key(pub(crate) FieldOwner);

        impl Loader<$Key> for BatchLoader {
            type Value = $Value;
            type Error = Error;

            async fn load(&self, keys: &[$Key]) -> Result<HashMap<$Key, $Value>, Error> {
                let owners = keys.iter().map(|key| key.0);
                let (mut conn, users) = self.authorize(owners, Part::$part).await?;
                let found = $load(&mut conn, users).await?;
                Ok(by_key(keys, &found, |key| key.0))
            }
        }
    )+};
}

private_fields! {
    /// A user's profile.
    ProfileOf(Profile) => Profile = users::profiles;
    /// A user's open sessions.
    SessionsOf(Sessions) => Vec<Session> = sessions::open_sessions;
    /// A user's ways to sign in.
    AccountsOf(Accounts) => Vec<Account> = credentials::accounts;
    /// What a user has.
    UsageOf(Usage) => items::Usage = quota::store::count_all;
}

/// A page of a user's audit log, newest first: `size` events with an id below `before` and, if there are more, one extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AuditLogOf {
    pub(crate) owner: FieldOwner,
    pub(crate) before: Option<i64>,
    pub(crate) size: i64,
}

impl BatchLoader {
    /// Checks that the caller may read a part of these users' private data, and records a read by an admin. Returns a
    /// connection and the users' ids.
    ///
    /// # Errors
    /// FORBIDDEN if a user is not the viewer and the viewer is not an admin. UNAUTHENTICATED for an anonymous caller.
    async fn authorize(
        &self,
        owners: impl Iterator<Item = FieldOwner> + Clone,
        part: Part,
    ) -> Result<(Connection, Vec<Uuid>), Error> {
        let viewer = self.user();
        let is_other = |owner: &FieldOwner| {
            !owner.just_signed_in && viewer.is_none_or(|viewer| viewer.user_id.0 != owner.user)
        };
        let users = owners.clone().map(|owner| owner.user).collect();
        let others: HashSet<Uuid> = owners.filter(is_other).map(|owner| owner.user).collect();
        if others.is_empty() {
            return Ok((self.connection().await?, users));
        }
        let (mut conn, viewer) = self.viewer_connection().await?;
        let admin = users::admin(&mut conn, viewer).await?;
        let others = others.into_iter().collect();
        audit::note_reading(&mut conn, &admin, others, part, self.client()).await?;
        Ok((conn, users))
    }
}

impl Loader<AuditLogOf> for BatchLoader {
    type Value = Vec<Event>;
    type Error = Error;

    async fn load(&self, keys: &[AuditLogOf]) -> Result<HashMap<AuditLogOf, Vec<Event>>, Error> {
        let owners = keys.iter().map(|key| key.owner);
        let (mut conn, _) = self.authorize(owners, Part::AuditLog).await?;
        let mut loaded = HashMap::with_capacity(keys.len());
        let pages: HashSet<_> = keys.iter().map(|key| (key.before, key.size)).collect();
        for (before, size) in pages {
            let is_of_page = |key: &&AuditLogOf| (key.before, key.size) == (before, size);
            let keys: Vec<AuditLogOf> = keys.iter().filter(is_of_page).copied().collect();
            let users = keys.iter().map(|key| key.owner.user).collect();
            let found = self.audit().pages(&mut conn, users, before, size).await?;
            loaded.extend(by_key(&keys, &found, |key| key.owner));
        }
        Ok(loaded)
    }
}

/// The values that were found for users, by the keys that requested them.
fn by_key<K: Copy + std::hash::Hash + Eq, V: Clone>(
    keys: &[K],
    found: &HashMap<Uuid, V>,
    owner: impl Fn(&K) -> FieldOwner,
) -> HashMap<K, V> {
    let value = |key: &K| Some((*key, found.get(&owner(key).user)?.clone()));
    keys.iter().filter_map(value).collect()
}
