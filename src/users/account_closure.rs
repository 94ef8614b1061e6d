//! Closing an account: the viewer deactivates or deletes it, and confirms their password first.

use super::{
    admin::{AccessChange, require_another_admin},
    model::{Role, User},
    store, user_deleted,
};
use crate::{
    auth::{Auth, Client, Viewer, credentials},
    db::Connection,
    error::{Error, Failure},
    pending,
};

/// Signs the viewer out everywhere. They cannot sign in until an admin reactivates them. Nothing is deleted.
///
/// # Errors
/// INVALID_CREDENTIALS; LAST_ADMIN; RATE_LIMITED.
pub async fn deactivate(
    auth: &Auth,
    viewer: &Viewer,
    password: Option<String>,
    client: &Client,
) -> Result<User, Failure> {
    credentials::confirm(auth, viewer, password, client).await?;
    let mut conn = auth.connection(client).await?;
    let user = conn
        .transaction(async |conn| {
            let role = lock_admins_without(conn, viewer).await?;
            let user =
                store::change_access(conn, viewer.user_id, AccessChange::Active(false)).await?;
            let user = user.ok_or_else(user_deleted)?;
            if user.role != role {
                return Err(role_changed().into());
            }
            Ok::<_, Failure>(user)
        })
        .await?;
    auth.revoke_user();
    Ok(user)
}

/// Deletes the viewer's account permanently. When this returns, the viewer is signed out and the address can be used
/// again. Their data is deleted then or soon after. If the address was verified, a mail confirms the deletion.
///
/// # Errors
/// INVALID_CREDENTIALS; LAST_ADMIN; RATE_LIMITED.
pub async fn delete(
    auth: &Auth,
    viewer: &Viewer,
    password: Option<String>,
    client: &Client,
) -> Result<(), Failure> {
    credentials::confirm(auth, viewer, password, client).await?;
    let mut conn = auth.connection(client).await?;
    conn.transaction(async |conn| {
        let role = lock_admins_without(conn, viewer).await?;
        pending::lock_owner(conn, viewer.user_id).await?;
        if !store::mark_deleted(conn, viewer.user_id, role).await? {
            return Err(role_changed().into());
        }
        Ok::<_, Failure>(pending::add_user(conn, viewer.user_id).await?)
    })
    .await?;
    auth.revoke_user();
    auth.mail_queued().notify_one();
    pending::work_on(&mut conn, viewer.user_id).await;
    Ok(())
}

fn role_changed() -> Error {
    Error::unavailable("the user's role changed while their account was closed")
}

/// Returns the viewer's role. For an admin, locks all admins, so that none can lose the role before the transaction
/// ends. Otherwise locks nothing.
///
/// # Errors
/// LAST_ADMIN if there would be no active admin without the viewer.
async fn lock_admins_without(conn: &mut Connection, viewer: &Viewer) -> Result<Role, Failure> {
    let role = store::role(conn, viewer.user_id)
        .await?
        .ok_or_else(user_deleted)?;
    if role == Role::Admin {
        require_another_admin(&store::lock_admins(conn).await?, viewer.user_id)?;
    }
    Ok(role)
}
