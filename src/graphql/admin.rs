//! What admins do, in the API.

use async_graphql::{Context, InputObject, Object};

use super::{
    context::ContextExt,
    error::outcome,
    page::{Connection, Listed, PageArguments, Selected},
    user::{Role, User, UserPayload},
};
use crate::{
    auth::UserId,
    error::{Error, Failure},
    scalars::ObjectId,
    users::{self, UserFilter},
};

/// Whether somebody may sign in.
#[derive(InputObject)]
pub(crate) struct SetUserActiveInput {
    /// Whose.
    user_id: ObjectId,
    /// False ends all that they have open, within a second.
    active: bool,
}

/// What somebody may do.
#[derive(InputObject)]
pub(crate) struct SetUserRoleInput {
    /// Whose.
    user_id: ObjectId,
    /// The role from now on.
    role: Role,
}

impl Listed for User {
    type Order = ();

    fn cursor(&self, (): ()) -> String {
        users::ORDER.cursor(&self.position())
    }
}

/// Queries of admins.
#[derive(Default)]
pub(crate) struct AdminQuery;

#[Object]
impl AdminQuery {
    /// All users, who signed up last first. Admins only: FORBIDDEN otherwise. Their profile, sessions, accounts and log can
    /// be read on, each reading being noted in their log; what they keep cannot.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only users with this in their address, in upper or lower case.")]
        email_contains: Option<String>,
        #[graphql(desc = "Only users who may sign in, or who may not.")] active: Option<bool>,
        #[graphql(desc = "Users at most: 1 to 100; 50 if left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor behind which to read on.")] after: Option<String>,
    ) -> Result<Connection<User>, Error> {
        let arguments = PageArguments {
            first,
            after,
            ..PageArguments::default()
        };
        let filter = UserFilter {
            email_contains,
            active,
        };
        all_users(ctx, filter, arguments).await
    }
}

async fn all_users(
    ctx: &Context<'_>,
    filter: UserFilter,
    arguments: PageArguments,
) -> Result<Connection<User>, Error> {
    let viewer = ctx.viewer()?;
    let slice = arguments.slice(users::ORDER)?;
    let count = Selected::of(ctx).total;
    let mut conn = ctx.connection().await?;
    let admin = users::admin(&mut conn, viewer).await?;
    // What PostgreSQL cannot hold stands in nobody's address.
    let nobody = filter
        .email_contains
        .as_ref()
        .is_some_and(|part| part.contains('\0'));
    let filter = match nobody {
        true => UserFilter {
            email_contains: Some("\n".to_owned()),
            ..filter
        },
        false => filter,
    };
    let page = users::list(&mut conn, &admin, &filter, &slice, count).await?;
    Ok(Connection::new(page, (), User::from))
}

/// Mutations of admins.
#[derive(Default)]
pub(crate) struct AdminMutation;

#[Object]
impl AdminMutation {
    /// Bars a user from signing in, which ends all that they have open, or admits them again. Admins only. LAST_ADMIN if
    /// there would be no active admin.
    async fn set_user_active(
        &self,
        ctx: &Context<'_>,
        input: SetUserActiveInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(set_user_active(ctx, input).await)
    }

    /// Makes a user an admin, or an admin a user. Admins only. LAST_ADMIN if there would be no active admin.
    async fn set_user_role(
        &self,
        ctx: &Context<'_>,
        input: SetUserRoleInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(set_user_role(ctx, input).await)
    }
}

async fn set_user_active(
    ctx: &Context<'_>,
    input: SetUserActiveInput,
) -> Result<UserPayload, Error> {
    let viewer = ctx.viewer()?;
    let user = UserId(input.user_id.0);
    let mut conn = ctx.connection().await?;
    payload(users::set_active(&mut conn, viewer, user, input.active).await)
}

async fn set_user_role(ctx: &Context<'_>, input: SetUserRoleInput) -> Result<UserPayload, Error> {
    let viewer = ctx.viewer()?;
    let user = UserId(input.user_id.0);
    let mut conn = ctx.connection().await?;
    payload(users::set_role(&mut conn, viewer, user, input.role.into()).await)
}

fn payload(done: Result<users::User, Failure>) -> Result<UserPayload, Error> {
    let done = outcome(done)?;
    Ok(UserPayload::new(
        done.value.map(User::from),
        done.user_errors,
    ))
}
