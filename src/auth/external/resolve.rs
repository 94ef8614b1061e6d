//! Resolves an external identity to a user: finds the account, creates the user at their first sign-in, or links the
//! account to the user who has the email address.
//!
//! An address that the provider has verified links to the user who has it, and that user gets a mail each time. If the
//! user never verified the address, a stranger may have signed up with it and may be waiting for its owner. So the
//! user's password, sessions, tokens and accounts are removed first. An address that is unverified or not in canonical
//! form links to no user.

use uuid::Uuid;

use super::{
    super::{
        Auth,
        model::{Authenticated, Client, Credential, UserId, Viewer},
    },
    Claims, Identity, Verifier,
    rejections::Rejection,
    store::{self, LinkTo, LinkedUser, NewExternalUser},
};
use crate::{db::Connection, error::Error};

/// The viewer of an external token. `None` if the token is invalid or its user may not sign in.
pub(in crate::auth) async fn authenticate(
    auth: &Auth,
    verifier: Verifier<'_>,
    token: &str,
    client: &Client,
) -> Result<Option<Authenticated>, Error> {
    let Some(identity) = verifier.verify(token).await? else {
        return Ok(None);
    };
    let (signed_in_at, expires_at) = (identity.signed_in_at, identity.expires_at);
    let user = match auth.inner.revocation.user_of(&identity.key()).await? {
        Some(user) => Some(user),
        None => resolve(auth, verifier, &identity, token, client).await?,
    };
    Ok(user.map(|user_id| Authenticated {
        viewer: Viewer {
            user_id,
            credential: Credential::External { signed_in_at },
        },
        expires_at,
    }))
}

impl Identity {
    /// Issuer name and subject as one text.
    pub(super) fn key(&self) -> String {
        format!("{}\n{}", self.provider, self.subject)
    }
}

/// Reads the user from the database, and caches them.
async fn resolve(
    auth: &Auth,
    verifier: Verifier<'_>,
    identity: &Identity,
    token: &str,
    client: &Client,
) -> Result<Option<UserId>, Error> {
    if let Some(known) = find(auth, identity, client).await? {
        return Ok(known.user());
    }
    let guard = match auth.inner.external.rejections.turn(identity).await {
        Ok(guard) => guard,
        Err(rejection) => return rejected(rejection),
    };
    // The request that had the turn before may have created the account.
    if let Some(known) = find(auth, identity, client).await? {
        return Ok(known.user());
    }
    let claims = claims(verifier, identity, token).await;
    if let Some(rejection) = first_sign_in(auth, identity, &claims, client).await? {
        guard.reject(identity, rejection);
        return rejected(rejection);
    }
    let known = find(auth, identity, client).await?;
    Ok(known.and_then(Known::user))
}

/// The user of an account.
enum Known {
    User(UserId),
    Deactivated,
}

impl Known {
    fn user(self) -> Option<UserId> {
        match self {
            Known::User(user) => Some(user),
            Known::Deactivated => {
                tracing::debug!("external token of a deactivated user rejected");
                None
            }
        }
    }
}

/// The user of an account, who is then cached. Updates the stored claims if they are an hour old.
async fn find(auth: &Auth, identity: &Identity, client: &Client) -> Result<Option<Known>, Error> {
    let mut conn = auth.connection(client).await?;
    let Some(found) = store::find(&mut conn, identity).await? else {
        return Ok(None);
    };
    if !found.is_active {
        return Ok(Some(Known::Deactivated));
    }
    if found.is_stale {
        store::refresh(&mut conn, identity, &found).await?;
    }
    let LinkedUser { user_id, until, .. } = found;
    auth.inner
        .revocation
        .remember_account(identity.key(), user_id, until);
    Ok(Some(Known::User(user_id)))
}

/// The response to a rejected user.
fn rejected(rejection: Rejection) -> Result<Option<UserId>, Error> {
    match rejection {
        Rejection::NoAccount => Ok(None),
        Rejection::EmailUnverified => Err(Error::forbidden(
            "Another user has this email address, and your identity provider has not verified that it is yours. Verify \
             it there, or sign in with your password.",
        )),
    }
}

/// The claims of the token or, if it has no address, of the userinfo endpoint.
async fn claims(verifier: Verifier<'_>, identity: &Identity, token: &str) -> Claims {
    if identity.claims.email.is_none()
        && let Some(told) = verifier.userinfo(identity, token).await
    {
        return told;
    }
    identity.claims.clone()
}

/// Creates the user and the account, or links the account. `None` on success. Of fifty processes that try at the same
/// time, one does it.
async fn first_sign_in(
    auth: &Auth,
    identity: &Identity,
    claims: &Claims,
    client: &Client,
) -> Result<Option<Rejection>, Error> {
    let Some(email) = &claims.email else {
        return Ok(no_account(identity, "it has no valid email address"));
    };
    let name = claims.name.as_deref();
    let new_user = NewExternalUser {
        id: UserId(Uuid::now_v7()),
        email,
        // The part before the `@` is never longer than the maximum length of a name.
        name: name.map_or_else(|| email.local_part().to_owned(), ToOwned::to_owned),
        avatar_url: claims.picture.clone(),
        email_verified: claims.email_verified,
    };
    let mut conn = auth.connection(client).await?;
    let outcome = conn.transaction(async |conn| create_or_link(conn, identity, &new_user).await);
    Ok(match outcome.await? {
        FirstSignIn::Done => None,
        FirstSignIn::Linked => {
            auth.inner.mail_queued.notify_one();
            None
        }
        FirstSignIn::Deleted => no_account(identity, "its user was deleted"),
        FirstSignIn::Deactivated => {
            no_account(identity, "the user with its address is deactivated")
        }
        FirstSignIn::Unverified => Some(Rejection::EmailUnverified),
    })
}

fn no_account(identity: &Identity, why: &str) -> Option<Rejection> {
    tracing::warn!(
        issuer = identity.provider,
        "first sign-in of an external identity rejected: {why}"
    );
    Some(Rejection::NoAccount)
}

/// The result of a first sign-in.
enum FirstSignIn {
    /// The account exists now, created by this or another request.
    Done,
    /// The account was linked to an existing user, and a mail to them is in the outbox.
    Linked,
    Deleted,
    Deactivated,
    Unverified,
}

async fn create_or_link(
    conn: &mut Connection,
    identity: &Identity,
    new_user: &NewExternalUser<'_>,
) -> Result<FirstSignIn, Error> {
    if store::was_deleted(conn, identity).await? {
        return Ok(FirstSignIn::Deleted);
    }
    if store::create(conn, new_user).await? {
        // If another request has just created the account with another address, this user is superfluous.
        let new = LinkTo::New(new_user.id);
        if !store::link(conn, identity, new).await? {
            store::undo_create(conn, new_user.id).await?;
        }
        return Ok(FirstSignIn::Done);
    }
    link_existing(conn, identity, new_user).await
}

/// Links the account to the user who has the address.
async fn link_existing(
    conn: &mut Connection,
    identity: &Identity,
    new_user: &NewExternalUser<'_>,
) -> Result<FirstSignIn, Error> {
    let Some(owner) = store::lock_owner(conn, new_user.email).await? else {
        return Err(Error::unavailable(
            "the user was deleted while an account was linked",
        ));
    };
    if store::find(conn, identity).await?.is_some() {
        return Ok(FirstSignIn::Done);
    }
    if !new_user.email_verified {
        return Ok(FirstSignIn::Unverified);
    }
    if !owner.is_active {
        return Ok(FirstSignIn::Deactivated);
    }
    if !owner.email_verified {
        store::take_over(conn, owner.id).await?;
    }
    if !store::link(conn, identity, LinkTo::Existing(owner.id)).await? {
        // The error rolls everything back: credentials are removed only together with a link.
        return Err(Error::unavailable(
            "another request linked the account at the same time",
        ));
    }
    Ok(FirstSignIn::Linked)
}
