//! People in the API: the signed-in user and their profile.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use tokio::sync::OnceCell;

use super::{
    audit::{self, AuditEvent},
    context::ContextExt,
    error::{UserError, outcome},
    loaders::{Loaders, ViewersUser},
    page::{LogConnection, PageArguments},
    private_fields::{AccountsOf, LogOf, ProfileOf, SessionsOf, Whose},
    session::Session,
};
use crate::{
    auth::{self, Viewer},
    error::Error,
    scalars::{DateTime, Url, id_of},
    users::{self, Proficiency, Role, UpdateMeInput, UpdateProfileInput},
};

/// A user.
#[derive(Clone)]
pub(crate) struct User {
    pub(super) row: users::User,
    /// Read once for all copies: the owner of all items of a list is one person.
    profile: Arc<OnceCell<users::Profile>>,
    /// As whom they have just signed in with this request; `None` where they have not.
    signed_in: Option<Viewer>,
}

impl From<users::User> for User {
    fn from(row: users::User) -> Self {
        User {
            row,
            profile: Arc::default(),
            signed_in: None,
        }
    }
}

impl User {
    /// Somebody who has signed in with this request, and may read of themselves what they could with the next one.
    pub(crate) fn signed_in(row: users::User, viewer: Viewer) -> Self {
        User {
            signed_in: Some(viewer),
            ..User::from(row)
        }
    }

    fn whose(&self) -> Whose {
        Whose {
            user: self.row.id.0,
            signed_in_now: self.signed_in.is_some(),
        }
    }
}

/// A person who can sign in.
#[Object]
impl User {
    /// A UUID, unique across all that you can see; the `sub` of their access tokens.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id.0)
    }

    /// The email address that the user signs in with, as it was typed. Maximum 255 characters. No two users have addresses
    /// that differ only in ASCII case or in the form of their domain (Unicode or xn--…).
    fn email(&self) -> &str {
        &self.row.email
    }

    /// 1 to 255 characters.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Their picture; null if they have none. 512 characters at most.
    fn avatar_url(&self) -> Option<Url> {
        self.row.avatar_url.clone().map(Url)
    }

    /// Whether they have shown that the e-mail address is theirs.
    fn email_verified(&self) -> bool {
        self.row.email_verified
    }

    /// Whether they may sign in.
    fn active(&self) -> bool {
        self.row.is_active
    }

    /// What they may do.
    fn role(&self) -> Role {
        self.row.role.into()
    }

    /// When they signed up.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When their name, address, picture, role or state last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When they last signed in: with their password, by a password reset, or, to the hour, with a token of an outside issuer;
    /// null if never.
    fn last_sign_in_at(&self) -> Option<DateTime> {
        self.row.last_sign_in_at.map(DateTime)
    }

    /// What they tell of themselves.
    async fn profile(&self, ctx: &Context<'_>) -> Result<Profile, Error> {
        let read = || Loaders::of(ctx).one(ProfileOf(self.whose()));
        Ok(Profile(self.profile.get_or_try_init(read).await?.clone()))
    }

    /// The ways this person can sign in: a password, or an outside identity provider.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<Account>, Error> {
        let accounts = Loaders::of(ctx).one(AccountsOf(self.whose())).await?;
        Ok(accounts.into_iter().map(Account).collect())
    }

    /// Sessions that are signed in now, newest first; 1,000 at most.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, Error> {
        let rows = Loaders::of(ctx).one(SessionsOf(self.whose())).await?;
        Ok(Session::seen_by(
            self.signed_in.or(ctx.asker().viewer),
            rows,
        ))
    }

    /// What was done by and to this user, newest first. Kept for a year, if the operator sets nothing else.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Events at most: 1 to 100; 50 if left out.",
            default_with = "Some(50)"
        )]
        first: Option<i32>,
        #[graphql(desc = "The cursor behind which to read on.")] after: Option<String>,
    ) -> Result<LogConnection<AuditEvent>, Error> {
        let arguments = PageArguments {
            first,
            ..PageArguments::default()
        };
        let size = arguments.size()?;
        let position = |cursor: &String| {
            let wrong = || Error::bad_input("after must be a cursor of this list.");
            audit::position(cursor).ok_or_else(wrong)
        };
        let before = after.as_ref().map(position).transpose()?;
        let page = LogOf {
            whose: self.whose(),
            before,
            size: i64::from(size),
        };
        let events = Loaders::of(ctx).one(page).await?;
        let size = usize::try_from(size).unwrap_or(0);
        Ok(audit::page(events, size, before.is_some()))
    }
}

/// A way to sign in.
pub(crate) struct Account(auth::Account);

/// A way to sign in.
#[Object]
impl Account {
    /// `password`, or the name of an outside identity provider.
    fn provider(&self) -> &str {
        &self.0.provider
    }

    /// Who they are there: the e-mail address for a password, the token's `sub` for a provider.
    fn provider_account_id(&self) -> &str {
        &self.0.provider_account_id
    }

    /// When they first came with it; for a password, when they signed up.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What a person tells of themselves.
pub(crate) struct Profile(users::Profile);

/// What a person tells of themselves, so that notes can be made to fit them.
#[Object]
impl Profile {
    /// How much they know already; `PRO` at first.
    fn proficiency(&self) -> Proficiency {
        self.0.proficiency
    }

    /// What they have learnt; 10,000 characters at most.
    fn technical_background(&self) -> Option<&str> {
        self.0.technical_background.as_deref()
    }

    /// What machines they can use; 10,000 characters at most.
    fn hardware_access(&self) -> Option<&str> {
        self.0.hardware_access.as_deref()
    }

    /// What they want to learn; 10,000 characters at most.
    fn learning_goals(&self) -> Option<&str> {
        self.0.learning_goals.as_deref()
    }

    /// How they like things to be; 10,000 characters at most.
    fn preferences(&self) -> Option<&str> {
        self.0.preferences.as_deref()
    }

    /// When any of this last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Queries of people.
#[derive(Default)]
pub(crate) struct UserQuery;

#[Object]
impl UserQuery {
    /// The signed-in user; null for a visitor.
    async fn me(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        let viewer = ctx.asker().viewer?;
        Some(me(ctx, viewer.user_id).await)
    }
}

async fn me(ctx: &Context<'_>, user: crate::auth::UserId) -> Result<User, Error> {
    let found = users::find(&mut ctx.connection().await?, user).await?;
    found
        .map(User::from)
        .ok_or_else(|| Error::unauthenticated("This user is gone."))
}

/// What a mutation of a user answers.
#[derive(SimpleObject)]
pub(crate) struct UserPayload {
    /// The user as they are now; null if nothing was done.
    user: Option<User>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

impl UserPayload {
    pub(crate) fn new(user: Option<User>, user_errors: Vec<UserError>) -> Self {
        UserPayload { user, user_errors }
    }
}

/// Mutations of the signed-in user.
#[derive(Default)]
pub(crate) struct UserMutation;

#[Object]
impl UserMutation {
    /// Changes your name or picture.
    async fn update_me(
        &self,
        ctx: &Context<'_>,
        input: UpdateMeInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(update_me(ctx, input).await)
    }

    /// Changes what you tell of yourself.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(update_profile(ctx, input).await)
    }
}

async fn update_me(ctx: &Context<'_>, input: UpdateMeInput) -> Result<UserPayload, Error> {
    let viewer = ctx.viewer()?;
    let done = outcome(users::update(&mut ctx.connection().await?, viewer, &input).await)?;
    Ok(UserPayload::new(
        done.value.map(User::from),
        done.user_errors,
    ))
}

async fn update_profile(
    ctx: &Context<'_>,
    input: UpdateProfileInput,
) -> Result<UserPayload, Error> {
    let viewer = ctx.viewer()?;
    let done = outcome(users::update_profile(&mut ctx.connection().await?, viewer, &input).await)?;
    let user = match done.value {
        Some(profile) => Some(User {
            profile: Arc::new(OnceCell::new_with(Some(profile))),
            ..Loaders::of(ctx).one(ViewersUser).await?
        }),
        None => None,
    };
    Ok(UserPayload::new(user, done.user_errors))
}
