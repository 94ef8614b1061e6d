//! What only a person themselves and admins may read: profile, sessions, accounts, log. What an admin reads of others is
//! noted in their logs; what people keep is nobody's but theirs, so no admin's either.
//!
//! All of it is loaded in batches, for a list of users at once, and allowed in one place: [`Batches::open`].

use std::collections::{HashMap, HashSet};

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use super::loaders::Batches;
use crate::{
    audit::{self, Event, Part},
    auth::{Account, Session, credentials, sessions},
    db::Connection,
    error::Error,
    users::{self, Profile},
};

/// Whose it is, and whether they have just signed in with this request and so are whom they ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Whose {
    pub(crate) user: Uuid,
    pub(crate) signed_in_now: bool,
}

/// What a user tells of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProfileOf(pub(crate) Whose);

/// Where a user is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionsOf(pub(crate) Whose);

/// What a user can sign in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AccountsOf(pub(crate) Whose);

/// A page of a user's log, newest first: events older than one, and one more than asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LogOf {
    pub(crate) whose: Whose,
    pub(crate) before: Option<i64>,
    pub(crate) size: i64,
}

impl Batches {
    /// A connection to read that part of these users on, and the users.
    ///
    /// # Errors
    /// FORBIDDEN if they are others and the viewer is no admin.
    async fn open(
        &self,
        whose: impl Iterator<Item = Whose> + Clone,
        part: Part,
    ) -> Result<(Connection, Vec<Uuid>), Error> {
        let viewer = self.viewer();
        let is_other = |whose: &Whose| {
            !whose.signed_in_now && viewer.is_none_or(|viewer| viewer.user_id.0 != whose.user)
        };
        let users = whose.clone().map(|whose| whose.user).collect();
        let others: HashSet<Uuid> = whose.filter(is_other).map(|whose| whose.user).collect();
        if others.is_empty() {
            return Ok((self.connection().await?, users));
        }
        let (mut conn, viewer) = self.begin().await?;
        let admin = users::admin(&mut conn, viewer).await?;
        let others = others.into_iter().collect();
        audit::note_reading(&mut conn, &admin, others, part, self.client()).await?;
        Ok((conn, users))
    }
}

impl Loader<ProfileOf> for Batches {
    type Value = Profile;
    type Error = Error;

    async fn load(&self, keys: &[ProfileOf]) -> Result<HashMap<ProfileOf, Profile>, Error> {
        let whose = keys.iter().map(|key| key.0);
        let (mut conn, users) = self.open(whose, Part::Profile).await?;
        let found = users::profiles(&mut conn, users).await?;
        Ok(keyed(keys, &found, |key| key.0))
    }
}

impl Loader<SessionsOf> for Batches {
    type Value = Vec<Session>;
    type Error = Error;

    async fn load(&self, keys: &[SessionsOf]) -> Result<HashMap<SessionsOf, Vec<Session>>, Error> {
        let whose = keys.iter().map(|key| key.0);
        let (mut conn, users) = self.open(whose, Part::Sessions).await?;
        let found = sessions::open_sessions(&mut conn, users).await?;
        Ok(keyed(keys, &found, |key| key.0))
    }
}

impl Loader<AccountsOf> for Batches {
    type Value = Vec<Account>;
    type Error = Error;

    async fn load(&self, keys: &[AccountsOf]) -> Result<HashMap<AccountsOf, Vec<Account>>, Error> {
        let whose = keys.iter().map(|key| key.0);
        let (mut conn, users) = self.open(whose, Part::Accounts).await?;
        let found = credentials::accounts(&mut conn, users).await?;
        Ok(keyed(keys, &found, |key| key.0))
    }
}

impl Loader<LogOf> for Batches {
    type Value = Vec<Event>;
    type Error = Error;

    async fn load(&self, keys: &[LogOf]) -> Result<HashMap<LogOf, Vec<Event>>, Error> {
        let whose = keys.iter().map(|key| key.whose);
        let (mut conn, _) = self.open(whose, Part::AuditLog).await?;
        let mut loaded = HashMap::with_capacity(keys.len());
        let pages: HashSet<_> = keys.iter().map(|key| (key.before, key.size)).collect();
        for (before, size) in pages {
            let of_page = |key: &&LogOf| (key.before, key.size) == (before, size);
            let keys: Vec<LogOf> = keys.iter().filter(of_page).copied().collect();
            let users = keys.iter().map(|key| key.whose.user).collect();
            let found = self.audit().pages(&mut conn, users, before, size).await?;
            loaded.extend(keyed(&keys, &found, |key| key.whose));
        }
        Ok(loaded)
    }
}

/// What was found, by the keys that asked for it.
fn keyed<K: Copy + std::hash::Hash + Eq, V: Clone>(
    keys: &[K],
    found: &HashMap<Uuid, V>,
    whose: impl Fn(&K) -> Whose,
) -> HashMap<K, V> {
    let value = |key: &K| Some((*key, found.get(&whose(key).user)?.clone()));
    keys.iter().filter_map(value).collect()
}
