//! Sessions in the API: the object, and the mutations that start, continue and end sessions.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::ContextExt,
    payload::{UserError, mutations, payload, respond, split},
    user::User,
};
use crate::{
    auth::{self, SignUpInput, SignedIn, Viewer, refresh, sessions},
    error::{Error, Failure},
    scalars::{DateTime, ObjectId, id_of},
    users,
};

/// A session, and whether it is the viewer's current one.
pub(crate) struct Session {
    row: auth::Session,
    current: bool,
}

impl Session {
    /// The viewer's open session with this id.
    pub(crate) async fn find(ctx: &Context<'_>, id: Uuid) -> Result<Option<Session>, Error> {
        let viewer = ctx.viewer()?;
        let row = sessions::find_session(&ctx.services().auth, viewer, id).await?;
        Ok(Session::list(row, Some(*viewer)).pop())
    }

    /// The sessions of these rows. The one that the viewer uses is the current one.
    pub(crate) fn list(
        rows: impl IntoIterator<Item = auth::Session>,
        viewer: Option<Viewer>,
    ) -> Vec<Session> {
        let current = viewer.and_then(|viewer| viewer.session_id());
        let session = |row: auth::Session| Session {
            current: current == Some(row.id),
            row,
        };
        rows.into_iter().map(session).collect()
    }
}

/// An open session: one sign-in of a user, for example in a browser.
#[Object]
impl Session {
    /// A UUID, unique among all objects that you can see. It is the `sid` of the session's access tokens.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id)
    }

    /// Whether this is the session of this request, or was started by it.
    fn current(&self) -> bool {
        self.current
    }

    /// The IP address at sign-in. Null if it is unknown.
    fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    /// The `User-Agent` at sign-in. Maximum 512 characters. Null if there was none.
    fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// When the user signed in.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the session was last used, to the minute.
    fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    /// When the session expires unless it is used: 30 days after its last use, but no later than 90 days after sign-in.
    fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
}

/// The credentials of a user.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The user's email address, in any spelling that `signUp` treats as the same.
    email: String,
    /// The user's password.
    #[graphql(secret)]
    password: String,
}

/// The refresh token to exchange.
#[derive(InputObject)]
pub(crate) struct RefreshSessionInput {
    /// The newest refresh token of the session.
    #[graphql(secret)]
    refresh_token: String,
}

/// The result of a mutation that signs a user in or continues a session. If it failed, all fields except `userErrors` are
/// null.
#[derive(SimpleObject, Default)]
pub(crate) struct AuthPayload {
    /// The user who is now signed in.
    user: Option<User>,
    /// The new or continued session.
    session: Option<Session>,
    /// A JWT. Send it as `Authorization: Bearer …`.
    access_token: Option<String>,
    /// When the access token expires: in 15 minutes by default.
    access_token_expires_at: Option<DateTime>,
    /// An opaque token that can be used once: exchange it for new tokens with `refreshSession`. Store the new refresh token
    /// before you use the new access token. Keep it where third-party scripts cannot read it.
    refresh_token: Option<String>,
    /// What was wrong with the input. If this is not empty, no user was signed in.
    user_errors: Vec<UserError>,
}

/// The result of a sign-out.
#[derive(SimpleObject)]
pub(crate) struct SignOutPayload {
    /// Whether a session ended. False for a token of an external identity provider, which has no session here.
    signed_out: bool,
    /// Always empty, because the mutation has no input.
    user_errors: Vec<UserError>,
}

/// The session to end.
#[derive(InputObject)]
pub(crate) struct RevokeSessionInput {
    /// The id of one of your open sessions. An id that is not a UUID matches nothing.
    session_id: ObjectId,
}

payload! {
    /// The result of a mutation that ends sessions.
    SessionsPayload {
        /// The sessions that are still open, newest first. Null if the mutation failed.
        sessions: Vec<Session>
    }
}

mutations! {
    /// Mutations of sessions.
    SessionMutation;

    /// Creates a user and signs them in. TAKEN if the email address is in use. RATE_LIMITED after 60 new users per hour and IP
    /// address by default. Requires no sign-in.
    /// `userErrors`: BLANK, INVALID, TAKEN, TOO_LONG, TOO_SHORT, WEAK_PASSWORD.
    #[doc = example!("sign_up")]
    async fn sign_up(ctx, input: SignUpInput = "The new user.") -> AuthPayload {
        let (auth, client) = (&ctx.services().auth, &ctx.caller().client);
        let signed_in = sessions::sign_up(auth, input, client).await;
        auth_payload(ctx, signed_in).await
    }

    /// Signs a user in. INVALID_CREDENTIALS if the email address or password is wrong. The response does not reveal which.
    /// RATE_LIMITED after too many attempts. Requires no sign-in.
    /// `userErrors`: INVALID_CREDENTIALS.
    #[doc = example!("sign_in")]
    async fn sign_in(ctx, input: SignInInput = "The user's credentials.") -> AuthPayload {
        let (auth, client) = (&ctx.services().auth, &ctx.caller().client);
        let signed_in = sessions::sign_in(auth, &input.email, input.password, client).await;
        auth_payload(ctx, signed_in).await
    }

    /// Exchanges a refresh token for a new access token and refresh token. Each refresh token can be used once. For 60 seconds
    /// after the exchange (by default), the same token returns the same successor again. A second tab, or a client that lost
    /// the response, can therefore repeat the request. After that, using a replaced token ends the session (INVALID_TOKEN). The
    /// owner is then notified by email if their address is verified. Requires no access token.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: INVALID_TOKEN.
    #[doc = example!("refresh_session")]
    async fn refresh_session(ctx, input: RefreshSessionInput = "The refresh token.") -> AuthPayload {
        let (auth, client) = (&ctx.services().auth, &ctx.caller().client);
        let signed_in = refresh::refresh_session(auth, &input.refresh_token, client).await;
        auth_payload(ctx, signed_in).await
    }

    /// Ends the current session. All servers reject its tokens within a second. A token of an external identity provider has
    /// no session here: then nothing ends, and `signedOut` is false.
    #[doc = example!("sign_out")]
    async fn sign_out(ctx) -> SignOutPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        Ok(SignOutPayload {
            signed_out: sessions::sign_out(auth, viewer, &ctx.caller().client).await?,
            user_errors: Vec::new(),
        })
    }

    /// Ends one of your sessions within a second. It can be the current one. NOT_FOUND if you have no open session with this
    /// id.
    /// `userErrors`: NOT_FOUND.
    #[doc = example!("revoke_session")]
    async fn revoke_session(ctx, input: RevokeSessionInput = "The session to end.") -> SessionsPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let session = input.session_id.0;
        let open = sessions::revoke_session(auth, viewer, session, &ctx.caller().client).await;
        respond(open.map(|rows| Session::list(rows, Some(*viewer))))
    }

    /// Ends all of your sessions except the current one within a second.
    #[doc = example!("revoke_other_sessions")]
    async fn revoke_other_sessions(ctx) -> SessionsPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let rows = sessions::revoke_other_sessions(auth, viewer, &ctx.caller().client).await?;
        respond(Ok(Session::list(rows, Some(*viewer))))
    }
}

/// The payload of a sign-in. Reads the user only if the caller selects it.
pub(crate) async fn auth_payload(
    ctx: &Context<'_>,
    signed_in: Result<SignedIn, Failure>,
) -> Result<AuthPayload, Error> {
    let (value, user_errors) = split(signed_in)?;
    let Some(signed_in) = value else {
        return Ok(AuthPayload {
            user_errors,
            ..AuthPayload::default()
        });
    };
    let user = match ctx.look_ahead().field("user").exists() {
        true => users::find(&ctx.services().database, signed_in.session.user_id).await?,
        false => None,
    };
    Ok(AuthPayload {
        user: user.map(|row| User::signed_in_as(signed_in.viewer(), row)),
        session: Some(Session {
            row: signed_in.session,
            current: true,
        }),
        access_token: Some(signed_in.access_token),
        access_token_expires_at: Some(DateTime(signed_in.access_token_expires_at)),
        refresh_token: Some(signed_in.refresh_token),
        user_errors,
    })
}
