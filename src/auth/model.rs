//! Users' ids, sessions, accounts, and what a request says about its sender. `db::sql` explains how a change is logged
//! with its origin.

use std::{collections::HashMap, fmt, net::IpAddr};

use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use diesel::{Queryable, deserialize, pg::Pg, sql_types};
use uuid::Uuid;

use crate::db::{Origin, Row, row, share::Holder, sql::Value};

/// Maximum length of a user's name in characters.
pub(crate) const MAX_NAME_LENGTH: usize = 255;
/// Maximum length of the URL of a user's avatar in characters.
pub(crate) const MAX_AVATAR_URL_LENGTH: usize = 512;

/// The id of a user. Every statement on users' data takes the owner's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId(pub Uuid);

impl From<UserId> for Uuid {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        UserId(id)
    }
}

impl Row for UserId {
    type Sql = sql_types::Uuid;
}

impl Queryable<sql_types::Uuid, Pg> for UserId {
    type Row = Uuid;

    fn build(id: Uuid) -> deserialize::Result<Self> {
        Ok(UserId(id))
    }
}

impl From<UserId> for Value {
    fn from(id: UserId) -> Self {
        id.0.into()
    }
}

/// Rows by their user's id, in the same order. Users without rows have an empty list.
pub(crate) fn by_user_id<T>(
    users: Vec<Uuid>,
    rows: impl IntoIterator<Item = (Uuid, T)>,
) -> HashMap<Uuid, Vec<T>> {
    let mut by_id: HashMap<_, _> = users.into_iter().map(|user| (user, Vec::new())).collect();
    for (user, row) in rows {
        by_id.entry(user).or_default().push(row);
    }
    by_id
}

/// The signed-in user and their credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The user's id.
    pub user_id: UserId,
    /// The credential of the request.
    pub credential: Credential,
}

/// The viewer that a token identifies, and the token's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    /// The viewer.
    pub viewer: Viewer,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
}

/// The credential by which a viewer is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(Uuid),
    /// A token of an external identity provider, which has no session here.
    External {
        /// When the user signed in there, by the provider's clock. `None` if the token does not say.
        signed_in_at: Option<DateTime<Utc>>,
    },
}

impl Viewer {
    /// The session's id. `None` for a token of an external identity provider.
    pub fn session_id(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::External { .. } => None,
        }
    }
}

/// A text without control characters, truncated to `max` characters. `None` if nothing is left.
pub(super) fn clean_text(text: &str, max: usize) -> Option<String> {
    let clean = text.chars().filter(|character| !character.is_control());
    Some(clean.take(max).collect()).filter(|clean: &String| !clean.is_empty())
}

/// The client that sent a request.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The IP address. `None` if it is unknown.
    pub ip_address: Option<IpAddr>,
    /// The `User-Agent`, without control characters. Maximum 512 characters.
    pub user_agent: Option<String>,
    /// Whether the client is on this machine, and no proxy forwards for another one.
    pub is_local: bool,
}

impl Client {
    const MAX_USER_AGENT_LENGTH: usize = 512;

    /// Removes control characters from the user agent and truncates it.
    pub fn new(ip_address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let clean = |agent| clean_text(agent, Self::MAX_USER_AGENT_LENGTH);
        Client {
            ip_address,
            user_agent: user_agent.and_then(clean),
            is_local: false,
        }
    }

    /// The network that rate limits count: an IPv4 address, or an IPv6 /64, which one subscriber owns.
    pub(crate) fn network(&self) -> Option<String> {
        Some(match self.ip_address?.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }

    /// Whose work a request of this client is: the signed-in user's, or that of the client's network. `None` if neither is known.
    pub(crate) fn holder(&self, viewer: Option<&Viewer>) -> Option<Holder> {
        match viewer {
            Some(viewer) => Some(Holder::User(viewer.user_id.0)),
            None => self.network().map(Holder::Network),
        }
    }

    /// The canonical IP address as text, for SQL.
    pub(super) fn address(&self) -> Option<String> {
        self.ip_address
            .map(|address| address.to_canonical().to_string())
    }

    /// Address and program for the change log.
    pub fn origin(&self) -> Origin {
        Origin {
            address: self.address(),
            program: self.user_agent.clone(),
        }
    }
}

/// A user who signs up.
// Not `Debug`: it holds a password.
#[derive(InputObject)]
pub struct SignUpInput {
    /// The user's email address. Maximum 254 characters, also in UTF-8 with its domain in ASCII (xn--…), and 64 bytes before
    /// the `@`. Surrounding whitespace is ignored. INVALID if mail cannot be sent to it: quotes, comments and IP addresses are
    /// not supported. Spellings that differ in Unicode normalization (NFC), IDNA or ASCII case are the same address.
    pub email: String,
    /// The user's password. 8–128 characters after Unicode normalization (RFC 8265), and not known from leaks.
    #[graphql(secret)]
    pub password: String,
    /// The user's name. 1–255 characters, not blank.
    pub name: String,
}

row! {
    /// A row of `sessions`.
    #[derive(Debug, Clone)]
    pub struct Session {
        /// Unique among all sessions.
        pub id: Uuid,
        /// The owner.
        pub user_id: UserId,
        /// Number of the newest refresh token, starting at 1.
        pub generation: i32,
        /// The IP address at sign-in.
        pub ip_address: Option<String>,
        /// The user agent at sign-in.
        pub user_agent: Option<String>,
        /// When the user signed in.
        pub created_at: DateTime<Utc>,
        /// When the session was last used by any request, to the minute.
        pub last_used_at: DateTime<Utc>,
        /// When the session expires unless it is used.
        pub expires_at: DateTime<Utc>,
    }
}

row! {
    /// An account at an external identity provider, with which a user signs in.
    #[derive(Debug, Clone)]
    pub struct Account {
        /// The provider's name in the settings.
        pub provider: String,
        /// The user's id there.
        pub provider_account_id: String,
        /// When the account was linked.
        pub created_at: DateTime<Utc>,
    }
}

/// The result of a sign-in. `Debug` omits the tokens.
#[derive(Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// A JWT for the `Authorization` header.
    pub access_token: String,
    /// When it expires.
    pub access_token_expires_at: DateTime<Utc>,
    /// Opaque. Can be used once.
    pub refresh_token: String,
}

impl SignedIn {
    /// The signed-in user.
    pub fn viewer(&self) -> Viewer {
        Viewer {
            user_id: self.session.user_id,
            credential: Credential::Session(self.session.id),
        }
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedIn")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_are_cleaned_and_truncated() {
        let agent = format!("curl\0\n/8 {}", "x".repeat(600));
        let client = Client::new(None, Some(&agent));
        let kept = client.user_agent.expect("something is left");
        assert!(kept.starts_with("curl/8 x"));
        assert_eq!(kept.chars().count(), 512);
        assert_eq!(Client::new(None, Some("\u{7}")).user_agent, None);
    }
}
