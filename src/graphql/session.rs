//! Signing up, in and out in the API.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::ContextExt,
    error::{UserError, outcome},
    user::User,
};
use crate::{
    auth::{self, NewUser, SignedIn, Viewer, refresh, sessions},
    error::{Error, Failure},
    scalars::{DateTime, ObjectId, id_of},
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
        let row = sessions::find_session(&ctx.services().auth, viewer, id).await?;
        Ok(Session::seen_by(Some(*viewer), row).pop())
    }

    /// Sessions as that viewer sees them.
    pub(crate) fn seen_by(
        viewer: Option<Viewer>,
        rows: impl IntoIterator<Item = auth::Session>,
    ) -> Vec<Session> {
        let current = viewer.and_then(|viewer| viewer.session_id());
        let seen = |row: auth::Session| Session {
            current: current == Some(row.id),
            row,
        };
        rows.into_iter().map(seen).collect()
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

    /// When it was last used, to the minute.
    fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    /// When it ends if it is not used before: 30 days after the last time, 90 days after it began at the latest.
    fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
}

/// Who signs up.
#[derive(InputObject)]
pub(crate) struct SignUpInput {
    /// An email address. Maximum 255 characters, also with its domain in ASCII (xn--…). White space around it is ignored.
    /// INVALID if the part before the `@` is not in NFC, or if the domain is not a valid domain name. Enter an
    /// internationalized domain in lower case or in ASCII.
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
    /// The email address of the account. ASCII case does not matter.
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
    /// Opaque and for one use: send it with `refreshSession` for new tokens, and store the new one before you use it. Keep it
    /// where no script of others can read it.
    refresh_token: Option<String>,
    /// What was wrong with the input; then nobody was signed in.
    user_errors: Vec<UserError>,
}

/// What signing out answers.
#[derive(SimpleObject)]
pub(crate) struct SignOutPayload {
    /// Whether a session has ended: false for a token of an outside issuer, which has none here.
    signed_out: bool,
    /// Empty: there is no input that could be wrong.
    user_errors: Vec<UserError>,
}

/// Which session is to end.
#[derive(InputObject)]
pub(crate) struct RevokeSessionInput {
    /// One of your open sessions.
    session_id: ObjectId,
}

/// What ending sessions answers.
#[derive(SimpleObject)]
pub(crate) struct SessionsPayload {
    /// The sessions that are still open, newest first; null if nothing was done.
    sessions: Option<Vec<Session>>,
    /// What was wrong with the input; then nothing was done.
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
        let done = sessions::sign_up(&ctx.services().auth, new, &ctx.asker().client).await;
        Some(auth_payload(ctx, done).await)
    }

    /// Signs a user in. INVALID_CREDENTIALS if the address or the password is wrong, told apart to nobody.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        input: SignInInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let asker = ctx.asker();
        let done = sessions::sign_in(
            &ctx.services().auth,
            &input.email,
            input.password,
            &asker.client,
        )
        .await;
        Some(auth_payload(ctx, done).await)
    }

    /// Exchanges a refresh token for a new access token and refresh token. Each refresh token can be used once. For 60 seconds
    /// after the exchange (the operator's setting) the same refresh token returns the same successor again, so two tabs or a
    /// lost reply do no harm. After that, a replaced token ends the session (INVALID_TOKEN).
    /// The owner gets a mail if their address is verified.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        input: RefreshSessionInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let done = refresh::refresh_session(
            &ctx.services().auth,
            &input.refresh_token,
            &ctx.asker().client,
        )
        .await;
        Some(auth_payload(ctx, done).await)
    }

    /// Ends the current session: its tokens are no good any more, on every server within a second. With a token of an
    /// outside issuer there is no session here that could end.
    async fn sign_out(&self, ctx: &Context<'_>) -> Option<Result<SignOutPayload, Error>> {
        Some(sign_out(ctx).await)
    }

    /// Ends one of your sessions, be it the current one, within a second. NOT_FOUND if it is not open.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        input: RevokeSessionInput,
    ) -> Option<Result<SessionsPayload, Error>> {
        Some(revoke_session(ctx, input).await)
    }

    /// Ends all of your sessions but the current one, within a second.
    async fn revoke_other_sessions(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<SessionsPayload, Error>> {
        Some(revoke_other_sessions(ctx).await)
    }
}

/// What signing in answers.
pub(crate) async fn auth_payload(
    ctx: &Context<'_>,
    done: Result<SignedIn, Failure>,
) -> Result<AuthPayload, Error> {
    let done = outcome(done)?;
    let Some(signed_in) = done.value else {
        return Ok(AuthPayload {
            user_errors: done.user_errors,
            ..AuthPayload::default()
        });
    };
    let user = match ctx.look_ahead().field("user").exists() {
        true => users::find(&mut ctx.connection().await?, signed_in.session.user_id).await?,
        false => None,
    };
    Ok(AuthPayload {
        user: user.map(|row| User::signed_in(row, signed_in.viewer())),
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
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    Ok(SignOutPayload {
        signed_out: sessions::sign_out(auth, viewer, &ctx.asker().client).await?,
        user_errors: Vec::new(),
    })
}

async fn revoke_session(
    ctx: &Context<'_>,
    input: RevokeSessionInput,
) -> Result<SessionsPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let session = input.session_id.0;
    let done = sessions::revoke_session(auth, viewer, session, &ctx.asker().client).await;
    let done = outcome(done)?;
    Ok(SessionsPayload {
        sessions: done.value.map(|rows| Session::seen_by(Some(*viewer), rows)),
        user_errors: done.user_errors,
    })
}

async fn revoke_other_sessions(ctx: &Context<'_>) -> Result<SessionsPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let rows = sessions::revoke_other_sessions(auth, viewer, &ctx.asker().client).await?;
    Ok(SessionsPayload {
        sessions: Some(Session::seen_by(Some(*viewer), rows)),
        user_errors: Vec::new(),
    })
}
