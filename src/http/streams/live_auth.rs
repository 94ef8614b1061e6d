//! Authentication of clients whose streams outlive a request.
//!
//! A stream must end when a request with its token would be rejected. The client is therefore authenticated again at every operation, when
//! its token expires, every 5 minutes while callers use the database, and whenever this process learns of a revocation. It learns of its own
//! revocations at once. While there are subscriptions, it learns of those of other processes by notifications, or from the list of revocations,
//! which it then reads every second. A WebSocket without a subscription costs no statement; it learns of another process's revocations at the
//! next request of any client. Streams of an idle process cost no statement either. When it reads the list after a long time, all its streams
//! are authenticated again, because the list does not go back far.

use std::{net::IpAddr, sync::Arc, time::Duration};

use chrono::Utc;
use tokio::time::{Instant, timeout_at};

use super::super::bearer::Bearer;
use crate::{
    auth::{Auth, Authenticated, Client, Viewer},
    db::share::Holder,
    error::{Code, Error},
    graphql::{Caller, Identity},
};

/// How long an authentication is valid without a revocation while callers use the database. Shorter than the time for which `auth` trusts a session that it has read.
pub(in crate::http) const RECHECK: Duration = Duration::from_secs(300);

/// When an authentication that failed because of an outage is retried.
pub(in crate::http) const RETRY: Duration = Duration::from_secs(1);

/// A client as it was last authenticated. Cheap to clone. Not `Debug`, because it holds a token.
#[derive(Clone)]
pub(in crate::http) struct LiveAuth {
    client: Client,
    /// `None` for an anonymous client, and for one whose credentials are rejected.
    signed_in: Option<SignedIn>,
    rejection: Option<Error>,
}

#[derive(Clone)]
struct SignedIn {
    token: Arc<str>,
    admission: Authenticated,
}

/// Why a client's access has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum AccessEnd {
    /// The client can continue with a new token.
    TokenExpired,
    /// The session or the user account has ended. The client must sign in again.
    SessionEnded,
}

impl LiveAuth {
    /// Authenticates the sender of a request. If its credentials are rejected, only fields that need a user fail. So a client with an
    /// expired token can still refresh its session or sign in.
    pub(in crate::http) async fn of_request(
        auth: &Auth,
        bearer: Bearer,
        client: Client,
        deadline: Instant,
    ) -> LiveAuth {
        let checked = match bearer.token() {
            Ok(token) => LiveAuth::check(auth, token, client.clone(), deadline).await,
            Err(error) => Err(error),
        };
        checked.unwrap_or_else(|mut rejection| {
            if !denies_access(&rejection) {
                let error = rejection.log_text();
                tracing::warn!(error, "authenticating a request failed");
                // Logged once, however many fields fail with it.
                rejection.detail.clear();
            }
            LiveAuth {
                client,
                signed_in: None,
                rejection: Some(rejection),
            }
        })
    }

    /// Authenticates a client. Without a token it is anonymous.
    ///
    /// # Errors
    /// As [`Auth::authenticate`]; TIMEOUT at the deadline.
    pub(in crate::http) async fn check(
        auth: &Auth,
        token: Option<Arc<str>>,
        client: Client,
        deadline: Instant,
    ) -> Result<LiveAuth, Error> {
        let mut signed_in = None;
        if let Some(token) = token {
            let admission = timeout_at(deadline, auth.authenticate(&token, &client)).await;
            let admission = admission.map_err(|_| Error::timeout("reading the session"))??;
            signed_in = Some(SignedIn { token, admission });
        }
        Ok(LiveAuth {
            client,
            signed_in,
            rejection: None,
        })
    }

    /// Authenticates the same client again.
    ///
    /// # Errors
    /// As [`LiveAuth::check`].
    pub(in crate::http) async fn recheck(
        &self,
        auth: &Auth,
        deadline: Instant,
    ) -> Result<LiveAuth, Error> {
        let signed_in = self.signed_in.as_ref();
        let token = signed_in.map(|signed_in| signed_in.token.clone());
        LiveAuth::check(auth, token, self.client.clone(), deadline).await
    }

    pub(in crate::http) fn viewer(&self) -> Option<Viewer> {
        self.signed_in
            .as_ref()
            .map(|signed_in| signed_in.admission.viewer)
    }

    /// The address of the client, if it is known.
    pub(in crate::http) fn address(&self) -> Option<IpAddr> {
        self.client.ip_address
    }

    /// The holder of this client's slots.
    pub(in crate::http) fn holder(&self) -> Option<Holder> {
        self.client.holder(self.viewer().as_ref())
    }

    /// Why the client's credentials are rejected.
    pub(in crate::http) fn rejection(&self) -> Option<&Error> {
        self.rejection.as_ref()
    }

    pub(in crate::http) fn caller(&self) -> Caller {
        let identity = match (&self.signed_in, &self.rejection) {
            (Some(signed_in), _) => Identity::User(signed_in.admission.viewer),
            (None, Some(rejection)) => Identity::Rejected(rejection.clone()),
            (None, None) => Identity::Anonymous,
        };
        Caller {
            identity,
            client: self.client.clone(),
        }
    }

    /// How long the authentication is valid, at most until the token expires. `None` for an anonymous client.
    pub(in crate::http) fn valid_for(&self) -> Option<Duration> {
        let remaining = self.signed_in.as_ref()?.admission.expires_at - Utc::now();
        Some(remaining.to_std().unwrap_or_default().min(RECHECK))
    }

    /// Whether the token has expired. Requests accept it for a short time longer, because clocks differ.
    pub(in crate::http) fn has_expired(&self) -> bool {
        let signed_in = self.signed_in.as_ref();
        signed_in.is_some_and(|signed_in| signed_in.admission.expires_at <= Utc::now())
    }

    /// Why this client is no longer allowed.
    pub(in crate::http) fn access_end(&self) -> AccessEnd {
        if self.has_expired() {
            AccessEnd::TokenExpired
        } else {
            AccessEnd::SessionEnded
        }
    }
}

/// Whether an error denies access. Other errors do not tell whether access is allowed.
pub(in crate::http) fn denies_access(error: &Error) -> bool {
    matches!(error.code, Code::Unauthenticated | Code::Forbidden)
}
