//! Who is at the other end of what outlives a request, and by what token: whether it still is one is asked again and again.

use std::{sync::Arc, time::Duration};

use chrono::Utc;

use super::Holder;
use crate::{
    auth::{Auth, Authenticated, Client, Viewer},
    error::{Code, Error},
    graphql::Asker,
};

/// How long somebody is believed without being asked again, when nothing is revoked: a part of the time for which a
/// session that was seen is trusted.
pub(in crate::http) const RECHECK: Duration = Duration::from_secs(300);

/// How soon it is asked again, if it could not be known.
pub(in crate::http) const RETRY: Duration = Duration::from_secs(1);

/// Somebody, as they were when they were last asked. Cheap to clone. Not `Debug`: it holds a token.
#[derive(Clone)]
pub(in crate::http) struct Standing {
    client: Client,
    shown: Option<Shown>,
}

#[derive(Clone)]
struct Shown {
    token: Arc<str>,
    admission: Authenticated,
}

impl Standing {
    /// Whoever sends that token; without one, a visitor.
    ///
    /// # Errors
    /// As [`Auth::viewer`].
    pub(in crate::http) async fn of(
        auth: &Auth,
        token: Option<Arc<str>>,
        client: Client,
    ) -> Result<Standing, Error> {
        let shown = match token {
            None => None,
            Some(token) => Some(Shown {
                admission: auth.authenticate(&token, &client).await?,
                token,
            }),
        };
        Ok(Standing { client, shown })
    }

    /// The same, asked again.
    ///
    /// # Errors
    /// As [`Auth::viewer`].
    pub(in crate::http) async fn again(self, auth: &Auth) -> Result<Standing, Error> {
        let token = self.shown.map(|shown| shown.token);
        Standing::of(auth, token, self.client).await
    }

    pub(in crate::http) fn viewer(&self) -> Option<Viewer> {
        self.shown.as_ref().map(|shown| shown.admission.viewer)
    }

    /// Whose places they take; `None` for a visitor of whom nothing is known.
    pub(in crate::http) fn holder(&self) -> Option<Holder> {
        match self.viewer() {
            Some(viewer) => Some(Holder::User(viewer.user_id)),
            None => self.client.network().map(Holder::Network),
        }
    }

    pub(in crate::http) fn asker(&self) -> Asker {
        Asker {
            viewer: self.viewer(),
            client: self.client.clone(),
        }
    }

    /// In how long it must be asked again, and at the latest when the token expires; `None` for a visitor.
    pub(in crate::http) fn good_for(&self) -> Option<Duration> {
        let rest = self.shown.as_ref()?.admission.expires_at - Utc::now();
        Some(rest.to_std().unwrap_or_default().min(RECHECK))
    }

    /// Whether the token has expired by its own word. That is a few seconds before it is taken no more, which are meant for
    /// clocks that differ.
    pub(in crate::http) fn has_expired(&self) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|shown| shown.admission.expires_at <= Utc::now())
    }
}

/// Whether an error says that somebody may not go on, rather than that it cannot be known.
pub(in crate::http) fn says_no(error: &Error) -> bool {
    matches!(error.code, Code::Unauthenticated | Code::Forbidden)
}
