//! Commands of admins: list users, deactivate and reactivate them, and change roles. There is always at least one
//! active admin.

use uuid::Uuid;

use super::{
    model::{Role, User},
    store,
};
use crate::{
    auth::{UserId, Viewer},
    db::{
        Connection,
        keyset::{KeyValue, Keyed, Order, Page, Slice, SortKey},
    },
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
    pending,
};

/// A viewer who is an active admin. Only [`admin`] creates it, after checking.
#[derive(Debug, Clone, Copy)]
pub struct Admin(Viewer);

impl Admin {
    /// The admin's user id.
    pub fn user_id(&self) -> UserId {
        self.0.user_id
    }
}

/// The viewer as an admin.
///
/// # Errors
/// FORBIDDEN if the viewer is not an active admin.
pub async fn admin(conn: &mut Connection, viewer: &Viewer) -> Result<Admin, Error> {
    match store::is_admin(conn, viewer.user_id).await? {
        true => Ok(Admin(*viewer)),
        false => Err(Error::forbidden("Only admins may do this.")),
    }
}

/// Filters users.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Part of the email address. Case is ignored.
    pub email_contains: Option<String>,
    /// Whether the user may sign in.
    pub active: Option<bool>,
}

/// The order of all users: newest first.
pub(crate) const ORDER: Order<User> = Order::by(
    SortKey::new("user", "created_at", KeyValue::Time(|user| user.created_at)),
    true,
);

impl Keyed for User {
    fn id(&self) -> Uuid {
        self.id.0
    }
}

/// A page of all users, newest first.
pub(crate) async fn list(
    conn: &mut Connection,
    _admin: &Admin,
    filter: &UserFilter,
    slice: &Slice,
    count: bool,
) -> Result<Page<User>, Error> {
    let (items, total) = store::list(conn, filter, slice, count).await?;
    Ok(Page::trimmed(items, total, slice))
}

/// A change of a user's access, by an admin or by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessChange {
    Active(bool),
    Role(Role),
}

impl AccessChange {
    /// Whether the change would make an active admin inactive or a normal user.
    fn removes_an_admin(self) -> bool {
        matches!(
            self,
            AccessChange::Active(false) | AccessChange::Role(Role::User)
        )
    }
}

/// Deactivates a user and ends all their sessions, or reactivates them.
///
/// # Errors
/// FORBIDDEN if the viewer is not an admin; NOT_FOUND; LAST_ADMIN.
pub async fn set_active(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    active: bool,
) -> Result<User, Failure> {
    change_access(conn, viewer, user, AccessChange::Active(active)).await
}

/// Changes a user's role.
///
/// # Errors
/// FORBIDDEN if the viewer is not an admin; NOT_FOUND; LAST_ADMIN.
pub async fn set_role(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    role: Role,
) -> Result<User, Failure> {
    change_access(conn, viewer, user, AccessChange::Role(role)).await
}

async fn change_access(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    change: AccessChange,
) -> Result<User, Failure> {
    conn.transaction(async |conn| {
        let admins = store::lock_admins(conn).await?;
        if !admins.contains(&viewer.user_id) {
            return Err(Error::forbidden("Only admins may do this.").into());
        }
        if change.removes_an_admin() {
            require_another_admin(&admins, user)?;
        }
        store::set_actor(conn, Some(viewer.user_id)).await?;
        let changed = store::change_access(conn, user, change).await?;
        let unknown = || {
            let message = "No user has this id.";
            Refusal::of("userId", RefusalCode::NotFound, message)
        };
        Ok(changed.ok_or_else(unknown)?)
    })
    .await
}

/// # Errors
/// LAST_ADMIN if there would be no active admin without this user.
pub(super) fn require_another_admin(admins: &[UserId], without: UserId) -> Result<(), Refusal> {
    if admins == [without] {
        let message = "There must be at least one active admin. Make another user an admin first.";
        return Err(Refusal::general(RefusalCode::LastAdmin, message));
    }
    Ok(())
}

/// Deletes a user permanently, on behalf of the operator. Returns when all their data is deleted, except for what another process is working
/// on at the moment. `false` if there is no such user.
///
/// # Errors
/// LAST_ADMIN.
pub async fn delete(conn: &mut Connection, user: UserId) -> Result<bool, Failure> {
    let deleted = conn
        .transaction(async |conn| {
            store::set_actor(conn, None).await?;
            let admins = store::lock_admins(conn).await?;
            require_another_admin(&admins, user)?;
            if !pending::lock_owner(conn, user).await?
                || !store::mark_any_deleted(conn, user).await?
            {
                return Ok(false);
            }
            pending::add_user(conn, user).await?;
            Ok::<_, Failure>(true)
        })
        .await?;
    if deleted {
        pending::work_to_the_end(conn, user).await;
    }
    Ok(deleted)
}

/// Makes the user with this address an admin, on behalf of the operator. `None` if there is no such user.
pub async fn grant(conn: &mut Connection, email: &EmailAddress) -> Result<Option<User>, Error> {
    conn.transaction(async |conn| {
        store::set_actor(conn, None).await?;
        match store::find_by_email(conn, email).await? {
            Some(user) => {
                store::change_access(conn, user.id, AccessChange::Role(Role::Admin)).await
            }
            None => Ok(None),
        }
    })
    .await
}
