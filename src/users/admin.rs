//! What admins may do: see all users, bar and admit them, and make others admins. There is always one active admin.

use super::{
    model::{Role, User},
    store,
};
use crate::{
    auth::{UserId, Viewer},
    db::{
        Connection,
        keyset::{KeyKind, Order, Page, Position, Slice, SortKey},
    },
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
};

/// A viewer who is an active admin. Only [`admin`] makes one, so whoever has one has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Admin(Viewer);

impl Admin {
    /// Who it is.
    pub fn user_id(&self) -> UserId {
        self.0.user_id
    }
}

/// The viewer as an admin.
///
/// # Errors
/// FORBIDDEN if they are none.
pub async fn admin(conn: &mut Connection, viewer: &Viewer) -> Result<Admin, Error> {
    match store::is_admin(conn, viewer.user_id).await? {
        true => Ok(Admin(*viewer)),
        false => Err(Error::forbidden("Only admins may do this.")),
    }
}

/// Which users.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Part of the address, in upper or lower case.
    pub email_contains: Option<String>,
    /// Whether they may sign in.
    pub active: Option<bool>,
}

/// The order of all users: newest first.
pub(crate) const ORDER: Order<User> = Order {
    key: SortKey {
        name: "user",
        kind: KeyKind::Time,
        expression: "created_at",
        position: |user| Position::at_time(user.created_at, user.id.0),
    },
    descending: true,
};

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

/// What an admin changes of a user, or they themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Active(bool),
    Role(Role),
}

impl Standing {
    /// Whether an active admin is one no more with it.
    fn takes_an_admin_away(self) -> bool {
        matches!(self, Standing::Active(false) | Standing::Role(Role::User))
    }
}

/// Bars a user from signing in, ending all that they have open, or admits them again.
///
/// # Errors
/// FORBIDDEN if the viewer is no admin; NOT_FOUND; LAST_ADMIN.
pub async fn set_active(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    active: bool,
) -> Result<User, Failure> {
    set(conn, viewer, user, Standing::Active(active)).await
}

/// Makes a user an admin, or an admin a user.
///
/// # Errors
/// FORBIDDEN if the viewer is no admin; NOT_FOUND; LAST_ADMIN.
pub async fn set_role(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    role: Role,
) -> Result<User, Failure> {
    set(conn, viewer, user, Standing::Role(role)).await
}

async fn set(
    conn: &mut Connection,
    viewer: &Viewer,
    user: UserId,
    standing: Standing,
) -> Result<User, Failure> {
    conn.transaction(async |conn| {
        let admins = store::lock_admins(conn).await?;
        if !admins.contains(&viewer.user_id) {
            return Err(Error::forbidden("Only admins may do this.").into());
        }
        if standing.takes_an_admin_away() {
            must_leave_an_admin(&admins, user)?;
        }
        store::act_for(conn, viewer.user_id).await?;
        let changed = store::set(conn, user, standing).await?;
        let unknown = || {
            let message = "There is no such user.";
            Refusal::of("userId", RefusalCode::NotFound, message)
        };
        Ok(changed.ok_or_else(unknown)?)
    })
    .await
}

/// # Errors
/// LAST_ADMIN if there would be no active admin without this user.
pub(super) fn must_leave_an_admin(admins: &[UserId], without: UserId) -> Result<(), Refusal> {
    if admins == [without] {
        let message = "There must be one active admin. Make somebody else one first.";
        return Err(Refusal::general(RefusalCode::LastAdmin, message));
    }
    Ok(())
}

/// Makes the user with that address an admin, as the operator; `None` if there is no such user.
pub async fn grant(conn: &mut Connection, email: &EmailAddress) -> Result<Option<User>, Error> {
    conn.transaction(async |conn| {
        store::act_as_service(conn).await?;
        match store::find_by_email(conn, email).await? {
            Some(user) => store::set(conn, user.id, Standing::Role(Role::Admin)).await,
            None => Ok(None),
        }
    })
    .await
}
