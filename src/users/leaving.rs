//! Leaving: deactivating an account, or deleting it. Users who leave confirm their password first.

use super::{
    admin::{Standing, must_leave_an_admin},
    gone,
    model::{Role, User},
    store,
};
use crate::{
    auth::{Auth, Client, Viewer, credentials},
    db::Connection,
    error::{Error, Failure},
    pending,
};

/// Signs the viewer out everywhere and bars them from signing in, until an admin admits them again. Nothing is deleted.
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
            let user = store::set(conn, viewer.user_id, Standing::Active(false)).await?;
            let user = user.ok_or_else(gone)?;
            if user.role != role {
                return Err(role_changed().into());
            }
            Ok::<_, Failure>(user)
        })
        .await?;
    auth.somebody_left();
    Ok(user)
}

/// Deletes the viewer's account permanently. The viewer is signed out and the address is free when this returns; what they
/// own is deleted then or soon after. A mail confirms it, if the address was verified.
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
        if !store::leave(conn, viewer.user_id, role).await? {
            return Err(role_changed().into());
        }
        Ok::<_, Failure>(pending::add_user(conn, viewer.user_id).await?)
    })
    .await?;
    auth.somebody_left();
    auth.mail_waits().notify_one();
    pending::work_on(&mut conn, viewer.user_id).await;
    Ok(())
}

fn role_changed() -> Error {
    Error::unavailable("the user's role changed while they left")
}

/// The viewer's role. If it is ADMIN, no admin can be made less before the transaction ends; nobody else's rows are locked.
///
/// # Errors
/// LAST_ADMIN if there would be no active admin without the viewer.
async fn lock_admins_without(conn: &mut Connection, viewer: &Viewer) -> Result<Role, Failure> {
    let role = store::role(conn, viewer.user_id).await?.ok_or_else(gone)?;
    if role == Role::Admin {
        must_leave_an_admin(&store::lock_admins(conn).await?, viewer.user_id)?;
    }
    Ok(role)
}
