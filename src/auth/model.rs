//! Who somebody is: their id, their session, and what a request shows of them.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::db::{Origin, Row, sql::Value};

/// Whose something is: every statement on what people keep takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId(pub Uuid);

impl From<UserId> for Uuid {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl From<UserId> for Value {
    fn from(id: UserId) -> Self {
        id.0.into()
    }
}

/// Who is signed in, and how they showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub user_id: UserId,
    /// By what.
    pub credential: Credential,
}

/// Who a token is of, and how long it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Who.
    pub viewer: Viewer,
    /// When the token expires, by its own word.
    pub expires_at: DateTime<Utc>,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// By an access token of this session.
    Session(Uuid),
    /// By an outside issuer's token: there is no session here.
    Outside {
        /// When they signed in there, by the issuer's clock; `None` if it does not say.
        signed_in_at: Option<DateTime<Utc>>,
    },
}

impl Viewer {
    /// Their session; `None` if an outside issuer vouches for them.
    pub fn session_id(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::Outside { .. } => None,
        }
    }
}

/// From where a request comes.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The address; `None` if it is not known.
    pub ip_address: Option<IpAddr>,
    /// What the program calls itself, without control characters and 512 characters at most.
    pub user_agent: Option<String>,
}

impl Client {
    const MOST_USER_AGENT: usize = 512;

    /// Keeps of a user agent what can be stored and shown.
    pub fn new(ip_address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let clean = |agent: &str| -> String {
            agent
                .chars()
                .filter(|character| !character.is_control())
                .take(Self::MOST_USER_AGENT)
                .collect()
        };
        Client {
            ip_address,
            user_agent: user_agent.map(clean).filter(|agent| !agent.is_empty()),
        }
    }

    /// What counts as one address: all of an IPv6 /64 are one subscriber's.
    pub(crate) fn network(&self) -> Option<String> {
        Some(match self.ip_address?.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }

    /// The address as text, as the store takes it.
    pub(super) fn address(&self) -> Option<String> {
        self.ip_address
            .map(|address| address.to_canonical().to_string())
    }

    /// As the change log has it.
    pub fn origin(&self) -> Origin {
        Origin {
            address: self.address(),
            program: self.user_agent.clone(),
        }
    }
}

/// Somebody who signs up. Not `Debug`: it holds a password.
pub struct NewUser {
    /// A valid address that no other user has.
    pub email: String,
    /// 8 to 128 characters.
    pub password: String,
    /// 1 to 255 characters.
    pub name: String,
}

/// A session as it is stored.
#[derive(Debug, Clone, Queryable)]
pub struct Session {
    /// Unique among all sessions.
    pub id: Uuid,
    /// Whose it is.
    #[diesel(deserialize_as = Uuid)]
    pub user_id: UserId,
    /// The number of its newest refresh token, from 1.
    pub generation: i32,
    /// The address that it was signed in from.
    pub ip_address: Option<String>,
    /// The program that it was signed in with.
    pub user_agent: Option<String>,
    /// When it was signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used by any request, to the minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends if it is not used before.
    pub expires_at: DateTime<Utc>,
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        UserId(id)
    }
}

impl Row for Session {
    type Sql = (
        SqlUuid,
        SqlUuid,
        Integer,
        Nullable<Text>,
        Nullable<Text>,
        Timestamptz,
        Timestamptz,
        Timestamptz,
    );
}

/// An outside identity that somebody signs in with.
#[derive(Debug, Clone, Queryable)]
pub struct Account {
    /// The issuer's name in the settings.
    pub provider: String,
    /// Who they are there.
    pub provider_account_id: String,
    /// When they first came with it.
    pub created_at: DateTime<Utc>,
}

impl Row for Account {
    type Sql = (Text, Text, Timestamptz);
}

/// What somebody who has signed in is given. Its tokens are shown to nobody else: `Debug` leaves them out.
#[derive(Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// A JWT for the `Authorization` header.
    pub access_token: String,
    /// When it expires.
    pub access_token_expires_at: DateTime<Utc>,
    /// Opaque, for one use.
    pub refresh_token: String,
}

impl SignedIn {
    /// Who has signed in.
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
    fn a_user_agent_is_cleaned_and_cut() {
        let agent = format!("curl\0\n/8 {}", "x".repeat(600));
        let client = Client::new(None, Some(&agent));
        let kept = client.user_agent.expect("something is left");
        assert!(kept.starts_with("curl/8 x"));
        assert_eq!(kept.chars().count(), 512);
        assert_eq!(Client::new(None, Some("\u{7}")).user_agent, None);
    }
}
