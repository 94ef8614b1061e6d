//! Users in the API: the object, the query `me`, and changes of the viewer's user and profile.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use tokio::sync::OnceCell;

use super::{
    audit::{self, AuditEvent},
    connection::LogConnection,
    context::{ContextExt, Identity},
    loaders::{Loaders, ViewersUser},
    page::PageArguments,
    payload::{mutations, payload, respond},
    private_fields::{AccountsOf, AuditLogOf, FieldOwner, ProfileOf, SessionsOf, UsageOf},
    session::Session,
    usage::Usage,
};
use crate::{
    auth::{self, UserId, Viewer},
    error::Error,
    scalars::{DateTime, Url, id_of},
    users::{self, Proficiency, Role, UpdateMeInput, UpdateProfileInput},
};

/// A user.
#[derive(Clone)]
pub(crate) struct User {
    pub(super) row: users::User,
    /// Read once for all copies, since all items of a list have the same owner.
    profile: Arc<OnceCell<users::Profile>>,
    /// The viewer that this user became by signing in with this request; `None` if the request did not sign them in.
    signed_in_as: Option<Viewer>,
}

impl From<users::User> for User {
    fn from(row: users::User) -> Self {
        User {
            row,
            profile: Arc::default(),
            signed_in_as: None,
        }
    }
}

impl User {
    /// A user who signed in with this request. They may read their private fields, although the request had no token.
    pub(crate) fn signed_in_as(viewer: Viewer, row: users::User) -> Self {
        User {
            signed_in_as: Some(viewer),
            ..User::from(row)
        }
    }

    fn as_owner(&self) -> FieldOwner {
        FieldOwner {
            user: self.row.id.0,
            just_signed_in: self.signed_in_as.is_some(),
        }
    }
}

/// A user. `profile`, `accounts`, `sessions`, `usage` and `auditLog` can be read only by the user and by admins.
#[Object]
impl User {
    /// A UUID, unique among all objects that you can see. It is the `sub` of the user's access tokens.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id.0)
    }

    /// The email address that the user signs in with, as typed, in Unicode normalization form C. Maximum 254 characters. No two
    /// users have addresses that differ only in ASCII case, Unicode normalization or the form of their domain (IDNA).
    fn email(&self) -> &str {
        &self.row.email
    }

    /// The user's name. 1–255 characters.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The URL of the user's avatar image. Maximum 512 characters. Null if the user has none.
    fn avatar_url(&self) -> Option<Url> {
        self.row.avatar_url.clone().map(Url)
    }

    /// Whether the user has proven that the email address is theirs.
    fn email_verified(&self) -> bool {
        self.row.email_verified
    }

    /// Whether the user may sign in.
    fn active(&self) -> bool {
        self.row.is_active
    }

    /// The user's role.
    fn role(&self) -> Role {
        self.row.role
    }

    /// When the user signed up.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the user's name, email address, avatar, role or `active` last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When the user last signed in with a password, by a password reset, or with a token of an external identity provider
    /// (then to the hour). Null if never.
    fn last_sign_in_at(&self) -> Option<DateTime> {
        self.row.last_sign_in_at.map(DateTime)
    }

    /// The user's profile.
    async fn profile(&self, ctx: &Context<'_>) -> Result<Profile, Error> {
        let read = || Loaders::of(ctx).get(ProfileOf(self.as_owner()));
        Ok(Profile(self.profile.get_or_try_init(read).await?.clone()))
    }

    /// The ways in which the user can sign in: a password, or external identity providers.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<Account>, Error> {
        let accounts = Loaders::of(ctx).get(AccountsOf(self.as_owner())).await?;
        Ok(accounts.into_iter().map(Account).collect())
    }

    /// The user's open sessions, newest first (maximum 1,000).
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, Error> {
        let rows = Loaders::of(ctx).get(SessionsOf(self.as_owner())).await?;
        let viewer = self.signed_in_as.or(ctx.caller().user().copied());
        Ok(Session::list(rows, viewer))
    }

    /// How many items the user has, their size, and the maximums. It is counted each time.
    async fn usage(&self, ctx: &Context<'_>) -> Result<Usage, Error> {
        Ok(Usage {
            counted: Loaders::of(ctx).get(UsageOf(self.as_owner())).await?,
            quotas: ctx.services().quotas,
        })
    }

    /// The user's audit log, newest first: what the user did, and what was done to the user. By default, events are kept for
    /// 365 days.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Return the first *n* events (1–100, default 50).",
            default_with = "Some(50)"
        )]
        first: Option<i32>,
        #[graphql(desc = "Only events after this cursor.")] after: Option<String>,
    ) -> Result<LogConnection<AuditEvent>, Error> {
        let size = PageArguments::forward(first, None).size()?;
        let event = |cursor: &String| {
            let invalid = || Error::bad_input("`after` must be a cursor of this list.");
            audit::event_of_cursor(cursor).ok_or_else(invalid)
        };
        let before = after.as_ref().map(event).transpose()?;
        let page = AuditLogOf {
            owner: self.as_owner(),
            before,
            size: i64::from(size),
        };
        let events = Loaders::of(ctx).get(page).await?;
        let size = usize::try_from(size).unwrap_or(0);
        Ok(audit::page(events, size, before.is_some()))
    }
}

/// A way in which the user can sign in.
pub(crate) struct Account(auth::Account);

/// A way in which the user can sign in.
#[Object]
impl Account {
    /// `password`, or the name of an external identity provider.
    fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The user's id at this provider: the email address for `password`, otherwise the `sub` of the provider's tokens.
    fn provider_account_id(&self) -> &str {
        &self.0.provider_account_id
    }

    /// When the account was linked. For `password`, when the user signed up.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// A user's profile.
pub(crate) struct Profile(users::Profile);

/// What a user says about themselves, so that notes can be adapted to the user. A field is null if the user has not filled it in.
#[Object]
impl Profile {
    /// How much the user already knows. `PRO` by default.
    fn proficiency(&self) -> Proficiency {
        self.0.proficiency
    }

    /// The user's technical background. Maximum 10,000 characters.
    fn technical_background(&self) -> Option<&str> {
        self.0.technical_background.as_deref()
    }

    /// The hardware that the user has access to. Maximum 10,000 characters.
    fn hardware_access(&self) -> Option<&str> {
        self.0.hardware_access.as_deref()
    }

    /// What the user wants to learn. Maximum 10,000 characters.
    fn learning_goals(&self) -> Option<&str> {
        self.0.learning_goals.as_deref()
    }

    /// The user's preferences. Maximum 10,000 characters.
    fn preferences(&self) -> Option<&str> {
        self.0.preferences.as_deref()
    }

    /// When the profile last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Queries of users.
#[derive(Default)]
pub(crate) struct UserQuery;

#[Object]
impl UserQuery {
    /// The signed-in user. Null if the request has no access token. UNAUTHENTICATED if the token is not accepted.
    #[doc = example!("me")]
    async fn me(&self, ctx: &Context<'_>) -> Option<Result<User, Error>> {
        match &ctx.caller().identity {
            Identity::Anonymous => None,
            Identity::Rejected(reason) => Some(Err(reason.clone())),
            Identity::User(viewer) => Some(me(ctx, viewer.user_id).await),
        }
    }
}

async fn me(ctx: &Context<'_>, user: UserId) -> Result<User, Error> {
    let found = users::find(&ctx.services().database, user).await?;
    found
        .map(User::from)
        .ok_or_else(|| Error::unauthenticated("This user was deleted."))
}

payload! {
    /// The result of a mutation that changes a user.
    UserPayload {
        /// The user after the mutation. Null if the mutation failed.
        user: User
    }
}

mutations! {
    /// Mutations of the viewer's user and profile.
    UserMutation;

    /// Changes your name or avatar.
    /// `userErrors`: BLANK, INVALID, TOO_LONG.
    #[doc = example!("update_me")]
    async fn update_me(ctx, input: UpdateMeInput = "The new values.") -> UserPayload {
        let viewer = ctx.viewer()?;
        respond(users::update(&mut ctx.connection().await?, viewer, &input).await)
    }

    /// Changes your profile.
    /// `userErrors`: BLANK, INVALID, TOO_LONG.
    #[doc = example!("update_profile")]
    async fn update_profile(ctx, input: UpdateProfileInput = "The new values.") -> UserPayload {
        let viewer = ctx.viewer()?;
        let updated = users::update_profile(&mut ctx.connection().await?, viewer, &input).await;
        let user = match updated {
            Ok(profile) => Ok(User {
                profile: Arc::new(OnceCell::new_with(Some(profile))),
                ..Loaders::of(ctx).get(ViewersUser).await?
            }),
            Err(failure) => Err(failure),
        };
        respond(user)
    }
}
