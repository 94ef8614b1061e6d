//! Who an outside identity is here: found, made at first sight, or linked to the user who has the address.
//!
//! An address that the issuer has verified is proof enough: it links to the user who has it, who gets a mail each time. If
//! that user never verified it, somebody else may have signed up with it and wait for its owner: whatever they could sign
//! in with is removed first. An address that is not verified, or not in the canonical form, links to no user.

use uuid::Uuid;

use super::{
    super::{
        Auth,
        model::{Admission, Client, Credential, UserId, Viewer},
    },
    Claims, Identity, Verifier,
    refusals::{Refused, Turn},
    store::{self, Found, LinkTo, NewPerson},
};
use crate::{db::Connection, email_address::EmailAddress, error::Error};

/// Who sends that token of an outside issuer; `None` if it is nobody's, or theirs who may not sign in.
pub(in crate::auth) async fn admission(
    auth: &Auth,
    verifier: Verifier<'_>,
    token: &str,
    client: &Client,
) -> Result<Option<Admission>, Error> {
    let Some(identity) = verifier.verify(token).await? else {
        return Ok(None);
    };
    let (signed_in_at, expires_at) = (identity.signed_in_at, identity.expires_at);
    let user = match auth.inner.revocation.user_of(&identity.key()).await? {
        Some(user) => Some(user),
        None => read(auth, verifier, &identity, token, client).await?,
    };
    Ok(user.map(|user_id| Admission {
        viewer: Viewer {
            user_id,
            credential: Credential::Outside { signed_in_at },
        },
        expires_at,
    }))
}

impl Identity {
    /// The issuer's name and the subject, as one text.
    pub(super) fn key(&self) -> String {
        format!("{}\n{}", self.provider, self.subject)
    }
}

/// Asks the database who that is, and remembers it for a while.
async fn read(
    auth: &Auth,
    verifier: Verifier<'_>,
    identity: &Identity,
    token: &str,
    client: &Client,
) -> Result<Option<UserId>, Error> {
    if let Some(known) = find(auth, identity, client).await? {
        return Ok(known.user());
    }
    let ours = match auth.inner.outside.refusals.turn(identity).await {
        Turn::Refused(refused) => return answer(refused),
        Turn::Ours(ours) => ours,
    };
    // Whoever had the turn before may have made the account.
    if let Some(known) = find(auth, identity, client).await? {
        return Ok(known.user());
    }
    let claims = claims(verifier, identity, token).await;
    if let Some(refused) = first_sight(auth, identity, &claims, client).await? {
        ours.refuse(identity, refused);
        return answer(refused);
    }
    let known = find(auth, identity, client).await?;
    Ok(known.and_then(Known::user))
}

/// Who has an account.
enum Known {
    User(UserId),
    Deactivated,
}

impl Known {
    fn user(self) -> Option<UserId> {
        match self {
            Known::User(user) => Some(user),
            Known::Deactivated => {
                tracing::debug!("a user who was deactivated sent an outside token");
                None
            }
        }
    }
}

/// Who has that account, whose claims are taken over if it is time; remembered for a while.
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
    let Found { user_id, until, .. } = found;
    auth.inner
        .revocation
        .remember_account(identity.key(), user_id, until);
    Ok(Some(Known::User(user_id)))
}

/// What somebody is told who is not let in.
fn answer(refused: Refused) -> Result<Option<UserId>, Error> {
    match refused {
        Refused::Nobody => Ok(None),
        Refused::Unverified => Err(Error::forbidden(
            "Another user has this e-mail address, and your identity provider has not verified that it is yours. Verify \
             it there, or sign in with your password.",
        )),
    }
}

/// What the token tells, or, if that is no address, the issuer's userinfo.
async fn claims(verifier: Verifier<'_>, identity: &Identity, token: &str) -> Claims {
    if identity.claims.email.is_none()
        && let Some(told) = verifier.userinfo(identity, token).await
    {
        return told;
    }
    identity.claims.clone()
}

/// Makes the user and the account, or the account alone; `None` if there is one now. Of fifty processes that try at once,
/// one does it.
async fn first_sight(
    auth: &Auth,
    identity: &Identity,
    claims: &Claims,
    client: &Client,
) -> Result<Option<Refused>, Error> {
    let Some(email) = &claims.email else {
        return Ok(nobody(identity, "its issuer tells no valid email address"));
    };
    let person = NewPerson {
        id: UserId(Uuid::now_v7()),
        email,
        name: claims.name.clone().unwrap_or_else(|| name_of(email)),
        avatar_url: claims.picture.clone(),
        email_verified: claims.email_verified,
    };
    let mut conn = auth.connection(client).await?;
    let sight = conn.transaction(async |conn| make_or_link(conn, identity, &person, client).await);
    Ok(match sight.await? {
        Sight::Made => None,
        Sight::Linked => {
            auth.inner.mail_waits.notify_one();
            None
        }
        Sight::Former => nobody(identity, "its user was deleted"),
        Sight::Deactivated => nobody(identity, "the user with its address is deactivated"),
        Sight::Unverified => Some(Refused::Unverified),
    })
}

fn nobody(identity: &Identity, why: &str) -> Option<Refused> {
    tracing::warn!(
        issuer = identity.provider,
        "an outside token was refused: {why}"
    );
    Some(Refused::Nobody)
}

/// The part of an address before the `@` is never longer than a name may be.
fn name_of(email: &EmailAddress) -> String {
    email.local_part().to_owned()
}

/// What a first sight came to.
enum Sight {
    /// There is an account now, by us or by another request.
    Made,
    /// The account was linked to a user who was there before; a mail to them waits.
    Linked,
    Former,
    Deactivated,
    Unverified,
}

async fn make_or_link(
    conn: &mut Connection,
    identity: &Identity,
    person: &NewPerson<'_>,
    client: &Client,
) -> Result<Sight, Error> {
    if store::is_former(conn, identity).await? {
        return Ok(Sight::Former);
    }
    if store::make(conn, person).await? {
        // If another request has just made the account, with another address, this user is one too many.
        let new = LinkTo::New(person.id);
        return match store::link(conn, identity, new, client).await? {
            true => Ok(Sight::Made),
            false => store::unmake(conn, person.id).await.map(|()| Sight::Made),
        };
    }
    let Some(owner) = store::lock_owner(conn, person.email).await? else {
        return Err(Error::unavailable("a user went while they were linked"));
    };
    if store::find(conn, identity).await?.is_some() {
        return Ok(Sight::Made);
    }
    if !person.email_verified {
        return Ok(Sight::Unverified);
    }
    if !owner.is_active {
        return Ok(Sight::Deactivated);
    }
    if !owner.email_verified {
        store::take_over(conn, owner.id, client).await?;
    }
    if !store::link(conn, identity, LinkTo::Existing(owner.id), client).await? {
        // Everything is rolled back: credentials are removed only together with a linking.
        return Err(Error::unavailable(
            "another request linked the account meanwhile",
        ));
    }
    Ok(Sight::Linked)
}
