//! Admins in the API: the list of all users, and changes of their role and access.

use async_graphql::{Context, InputObject, Object};
use unicode_normalization::UnicodeNormalization;

use super::{
    connection::{Connection, HasCursor},
    context::ContextExt,
    page::PageArguments,
    payload::{mutations, respond},
    selection::Selected,
    user::{User, UserPayload},
};
use crate::{
    auth::UserId,
    error::Error,
    scalars::ObjectId,
    users::{self, Role, UserFilter},
};

/// A user, and whether the user may sign in.
#[derive(InputObject)]
pub(crate) struct SetUserActiveInput {
    /// The user's id. An id that is not a UUID matches nothing.
    user_id: ObjectId,
    /// Whether the user may sign in. `false` ends all their sessions within a second.
    active: bool,
}

/// A user, and the user's new role.
#[derive(InputObject)]
pub(crate) struct SetUserRoleInput {
    /// The user's id. An id that is not a UUID matches nothing.
    user_id: ObjectId,
    /// The new role.
    role: Role,
}

impl HasCursor for User {
    type Order = ();

    fn cursor(&self, (): &()) -> String {
        users::ORDER.cursor(&self.row)
    }
}

/// Queries for admins.
#[derive(Default)]
pub(crate) struct AdminQuery;

#[Object]
impl AdminQuery {
    /// All users, newest first. FORBIDDEN unless you are an admin. Admins can read users' profiles, sessions, accounts and audit
    /// logs, and each of these reads is recorded in the user's audit log. Admins cannot read users' items.
    #[doc = example!("users")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only users whose email address contains this text, ignoring case.")]
        email_contains: Option<String>,
        #[graphql(desc = "Only users who may sign in (true), or only those who may not (false).")]
        active: Option<bool>,
        #[graphql(desc = "Return the first *n* users (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only users after this cursor.")] after: Option<String>,
    ) -> Result<Connection<User>, Error> {
        let viewer = ctx.viewer()?;
        let slice = PageArguments::forward(first, after).slice(users::ORDER)?;
        // Addresses are stored in NFC. PostgreSQL cannot compare with U+0000, and no address contains it, nor the line
        // feed that replaces it.
        let stored = |part: String| part.nfc().collect::<String>().replace('\0', "\n");
        let filter = UserFilter {
            email_contains: email_contains.map(stored),
            active,
        };
        let count = Selected::of(ctx).total;
        let mut conn = ctx.connection().await?;
        let admin = users::admin(&mut conn, viewer).await?;
        let page = users::list(&mut conn, &admin, &filter, &slice, count).await?;
        Ok(Connection::new(page, &(), User::from))
    }
}

mutations! {
    /// Mutations for admins.
    AdminMutation;

    /// Deactivates a user, which ends all their sessions, or reactivates them. FORBIDDEN unless you are an admin. LAST_ADMIN if
    /// no active admin would remain.
    /// `userErrors`: LAST_ADMIN, NOT_FOUND.
    #[doc = example!("set_user_active")]
    async fn set_user_active(
        ctx,
        input: SetUserActiveInput = "The user, and whether the user may sign in.",
    ) -> UserPayload {
        let viewer = ctx.viewer()?;
        let user = UserId(input.user_id.0);
        let mut conn = ctx.connection().await?;
        respond(users::set_active(&mut conn, viewer, user, input.active).await)
    }

    /// Changes the role of a user. FORBIDDEN unless you are an admin. LAST_ADMIN if no active admin would remain.
    /// `userErrors`: LAST_ADMIN, NOT_FOUND.
    #[doc = example!("set_user_role")]
    async fn set_user_role(ctx, input: SetUserRoleInput = "The user and the new role.") -> UserPayload {
        let viewer = ctx.viewer()?;
        let user = UserId(input.user_id.0);
        let mut conn = ctx.connection().await?;
        respond(users::set_role(&mut conn, viewer, user, input.role).await)
    }
}
