//! Leaving: for a while, or for good. Whoever leaves shows once more who they are.

use super::{
    admin::{Standing, must_leave_an_admin},
    gone,
    model::User,
    store,
};
use crate::{
    auth::{Auth, Client, Viewer, credentials},
    error::Failure,
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
    conn.begin().await?;
    let outcome = async {
        must_leave_an_admin(&store::lock_admins(&mut conn).await?, viewer.user_id)?;
        let user = store::set(&mut conn, viewer.user_id, Standing::Active(false)).await?;
        Ok(user.ok_or_else(gone)?)
    };
    let outcome = outcome.await;
    let user = conn.end::<_, Failure>(outcome).await?;
    auth.somebody_left();
    Ok(user)
}

/// Deletes the viewer and all that is theirs, for good. A mail says farewell, if they verified their address.
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
    conn.begin().await?;
    let outcome = async {
        must_leave_an_admin(&store::lock_admins(&mut conn).await?, viewer.user_id)?;
        store::delete(&mut conn, viewer.user_id).await?;
        Ok::<_, Failure>(())
    };
    let outcome = outcome.await;
    conn.end(outcome).await?;
    auth.somebody_left();
    auth.mail_waits().notify_one();
    Ok(())
}
