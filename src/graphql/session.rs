//! Signing up, in and out in the API.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::ContextExt,
    error::{UserError, outcome},
    scalars::{DateTime, id_of},
    user::User,
};
use crate::{
    auth::{self, NewUser, SignedIn},
    error::{Error, Failure},
    users,
};

/// A session, seen from one.
pub(crate) struct Session {
    row: auth::Session,
    current: bool,
}

impl Session {
    /// The viewer's open session with that id.
    pub(crate) async fn find(ctx: &Context<'_>, id: Uuid) -> Result<Option<Session>, Error> {
        let viewer = ctx.viewer()?;
        let row = auth::find_session(&ctx.services().auth, viewer, id).await?;
        Ok(row.map(|row| Session {
            current: row.id == viewer.session_id,
            row,
        }))
    }
}

/// Somewhere that you are signed in.
#[Object]
impl Session {
    /// A UUID, unique across all that you can see; the `sid` of its access tokens.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id)
    }

    /// Whether it is the session that this request belongs to, or that it has just begun.
    fn current(&self) -> bool {
        self.current
    }

    /// The address that it was signed in from; null if it is not known.
    fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    /// What the program that signed in called itself; 512 characters at most.
    fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// When it began.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it was last refreshed.
    fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    /// When it ends if it is not refreshed before: 30 days after the last time, 90 days after it began at the latest.
    fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
}

/// Who signs up.
#[derive(InputObject)]
pub(crate) struct SignUpInput {
    /// An e-mail address of 255 characters at most; white space around it is dropped.
    email: String,
    /// 8 to 128 characters.
    #[graphql(secret)]
    password: String,
    /// 1 to 255 characters, not only white space.
    name: String,
}

/// Who signs in.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The e-mail address, in upper or lower case.
    email: String,
    /// The password.
    #[graphql(secret)]
    password: String,
}

/// Which session is to go on.
#[derive(InputObject)]
pub(crate) struct RefreshSessionInput {
    /// The newest refresh token of the session.
    #[graphql(secret)]
    refresh_token: String,
}

/// What signing in answers; all but `userErrors` null if it failed.
#[derive(SimpleObject, Default)]
pub(crate) struct AuthPayload {
    /// Who is signed in now.
    user: Option<User>,
    /// The session that has begun, or goes on.
    session: Option<Session>,
    /// A JWT to send as `Authorization: Bearer …`.
    access_token: Option<String>,
    /// When the access token expires: 15 minutes from now, if the operator sets nothing else.
    access_token_expires_at: Option<DateTime>,
    /// Opaque and for one use: send it with `refreshSession` for new tokens. Keep it where no script of others can read it.
    refresh_token: Option<String>,
    /// What was wrong with the input; then nobody was signed in.
    user_errors: Vec<UserError>,
}

/// What signing out answers.
#[derive(SimpleObject)]
pub(crate) struct SignOutPayload {
    /// Whether the session has ended.
    signed_out: bool,
    /// Empty: there is no input that could be wrong.
    user_errors: Vec<UserError>,
}

/// Mutations of sessions.
#[derive(Default)]
pub(crate) struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Makes a user and signs them in at once. Tells whether an address is in use (TAKEN).
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        input: SignUpInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let new = NewUser {
            email: input.email,
            password: input.password,
            name: input.name,
        };
        let done = auth::sign_up(&ctx.services().auth, new, &ctx.asker().client).await;
        Some(payload(ctx, done).await)
    }

    /// Signs a user in. INVALID_CREDENTIALS if the address or the password is wrong, told apart to nobody.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        input: SignInInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let asker = ctx.asker();
        let done = auth::sign_in(
            &ctx.services().auth,
            &input.email,
            input.password,
            &asker.client,
        )
        .await;
        Some(payload(ctx, done).await)
    }

    /// A new access token and a new refresh token for a refresh token, which is thereby used up. The one that was used last
    /// gets the same answer again until its successor is used, so that two tabs, or a reply that was lost, do no harm; an
    /// older one ends the session.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        input: RefreshSessionInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let done = auth::refresh(
            &ctx.services().auth,
            &input.refresh_token,
            &ctx.asker().client,
        )
        .await;
        Some(payload(ctx, done).await)
    }

    /// Ends the current session: its tokens are no good any more, on every server within a second.
    async fn sign_out(&self, ctx: &Context<'_>) -> Option<Result<SignOutPayload, Error>> {
        Some(sign_out(ctx).await)
    }
}

async fn payload(ctx: &Context<'_>, done: Result<SignedIn, Failure>) -> Result<AuthPayload, Error> {
    let done = outcome(done)?;
    let Some(signed_in) = done.value else {
        return Ok(AuthPayload {
            user_errors: done.user_errors,
            ..AuthPayload::default()
        });
    };
    let user = users::find(&mut ctx.connection().await?, signed_in.session.user_id).await?;
    Ok(AuthPayload {
        user: user.map(User::from),
        session: Some(Session {
            row: signed_in.session,
            current: true,
        }),
        access_token: Some(signed_in.access_token),
        access_token_expires_at: Some(DateTime(signed_in.access_token_expires_at)),
        refresh_token: Some(signed_in.refresh_token),
        user_errors: Vec::new(),
    })
}

async fn sign_out(ctx: &Context<'_>) -> Result<SignOutPayload, Error> {
    let viewer = ctx.viewer()?;
    auth::sign_out(&ctx.services().auth, viewer, &ctx.asker().client).await?;
    Ok(SignOutPayload {
        signed_out: true,
        user_errors: Vec::new(),
    })
}
