//! Passwords, addresses and leaving in the API: what somebody does about their own account.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    context::ContextExt,
    error::{UserError, outcome},
    loaders::{Loaders, ViewersUser},
    session::{AuthPayload, auth_payload},
    trash::DeletePayload,
    user::{User, UserPayload},
};
use crate::{
    auth::{credentials, recovery},
    error::{Error, Failure},
    scalars::id_of,
    users,
};

/// Who has forgotten their password.
#[derive(InputObject)]
pub(crate) struct RequestPasswordResetInput {
    /// The email address of the account. ASCII case does not matter.
    email: String,
}

/// A new password for a token.
#[derive(InputObject)]
pub(crate) struct ResetPasswordInput {
    /// The token of the mail: good for 30 minutes, once.
    #[graphql(secret)]
    token: String,
    /// 8 to 128 characters, and not known from leaks.
    #[graphql(secret)]
    new_password: String,
}

/// A new password for the current one.
#[derive(InputObject)]
pub(crate) struct ChangePasswordInput {
    /// The password as it is.
    #[graphql(secret)]
    current_password: String,
    /// 8 to 128 characters, and not known from leaks.
    #[graphql(secret)]
    new_password: String,
}

/// A token that shows that an address is yours.
#[derive(InputObject)]
pub(crate) struct VerifyEmailInput {
    /// The token of the mail: good for 24 hours, once.
    #[graphql(secret)]
    token: String,
}

/// The password can be left out by who has none (signed in through an outside issuer); then the sign-in there must have
/// been within the last 5 minutes.
#[derive(InputObject)]
pub(crate) struct RequestEmailChangeInput {
    /// An email address. Maximum 255 characters, also with its domain in ASCII (xn--…). White space around it is ignored.
    /// INVALID if the part before the `@` is not in NFC, or if the domain is not a valid domain name. Enter an
    /// internationalized domain in lower case or in ASCII.
    new_email: String,
    /// Your password.
    #[graphql(secret)]
    password: Option<String>,
}

/// The password can be left out by who has none (signed in through an outside issuer); then the sign-in there must have
/// been within the last 5 minutes.
#[derive(InputObject)]
pub(crate) struct ConfirmPasswordInput {
    /// Your password.
    #[graphql(secret)]
    password: Option<String>,
}

/// What asking for a mail answers.
#[derive(SimpleObject)]
pub(crate) struct RequestPayload {
    /// Whether the request was taken. It does not tell whether a mail was sent: that would tell who has an account.
    accepted: bool,
    /// What was wrong with the input; then no mail is sent.
    user_errors: Vec<UserError>,
}

/// Mutations of one's own account.
#[derive(Default)]
pub(crate) struct RecoveryMutation;

#[Object]
impl RecoveryMutation {
    /// Sends a mail with a token if there is such a user; the answer is the same if there is none. The token is good for 30
    /// minutes; a newer one voids it. At most 3 such mails an hour go to one address, if the operator sets nothing else.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        input: RequestPasswordResetInput,
    ) -> Option<Result<RequestPayload, Error>> {
        let (auth, client) = (&ctx.services().auth, &ctx.asker().client);
        let done = recovery::request_password_reset(auth, &input.email, client).await;
        Some(request_payload(done))
    }

    /// Sets a new password by a mailed token and signs in. All sessions end, the address counts as verified, and every
    /// other token is void; if it was not verified before, outside accounts are removed. Who was deactivated stays so:
    /// INVALID_TOKEN.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        input: ResetPasswordInput,
    ) -> Option<Result<AuthPayload, Error>> {
        let (auth, client) = (&ctx.services().auth, &ctx.asker().client);
        let done = recovery::reset_password(auth, &input.token, input.new_password, client).await;
        Some(auth_payload(ctx, done).await)
    }

    /// Changes your password and ends all your other sessions; a mail tells you. Who has none yet sets one by
    /// requestPasswordReset.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(change_password(ctx, input).await)
    }

    /// Sends a mail with a token that shows that your address is yours; nothing is sent if that is known.
    async fn request_email_verification(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<RequestPayload, Error>> {
        Some(request_email_verification(ctx).await)
    }

    /// Sends a token to the new address; verifyEmail with it makes the change; the old address is told. The answer is the
    /// same if somebody else has the address. RATE_LIMITED at the fourth within an hour, if the operator sets nothing else.
    async fn request_email_change(
        &self,
        ctx: &Context<'_>,
        input: RequestEmailChangeInput,
    ) -> Option<Result<RequestPayload, Error>> {
        Some(request_email_change(ctx, input).await)
    }

    /// Verifies your address, or makes the change of address that you asked for. Works only signed in as the user whose
    /// token it is: otherwise INVALID_TOKEN.
    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        input: VerifyEmailInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(verify_email(ctx, input).await)
    }

    /// Signs you out everywhere and bars signing in, until an admin lifts it; nothing is deleted. LAST_ADMIN if you are the
    /// only active admin.
    async fn deactivate_me(
        &self,
        ctx: &Context<'_>,
        input: ConfirmPasswordInput,
    ) -> Option<Result<UserPayload, Error>> {
        Some(deactivate_me(ctx, input).await)
    }

    /// Deletes the viewer's account and everything in it permanently. The viewer is signed out everywhere and the email
    /// address is free at once; the rest may take a moment longer to be deleted. `deletedIds` contains only the viewer's id.
    /// LAST_ADMIN if the viewer is the only active admin.
    async fn delete_me(
        &self,
        ctx: &Context<'_>,
        input: ConfirmPasswordInput,
    ) -> Option<Result<DeletePayload, Error>> {
        Some(delete_me(ctx, input).await)
    }
}

fn request_payload(done: Result<(), Failure>) -> Result<RequestPayload, Error> {
    let done = outcome(done)?;
    Ok(RequestPayload {
        accepted: done.value.is_some(),
        user_errors: done.user_errors,
    })
}

/// The viewer as they are now.
async fn viewer_payload(
    ctx: &Context<'_>,
    done: Result<(), Failure>,
) -> Result<UserPayload, Error> {
    let done = outcome(done)?;
    let user = match done.value {
        Some(()) => Some(Loaders::of(ctx).one(ViewersUser).await?),
        None => None,
    };
    Ok(UserPayload::new(user, done.user_errors))
}

async fn change_password(
    ctx: &Context<'_>,
    input: ChangePasswordInput,
) -> Result<UserPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let (current, new) = (input.current_password, input.new_password);
    let client = &ctx.asker().client;
    let done = credentials::change_password(auth, viewer, current, new, client).await;
    viewer_payload(ctx, done).await
}

async fn request_email_verification(ctx: &Context<'_>) -> Result<RequestPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    recovery::request_email_verification(auth, viewer, &ctx.asker().client).await?;
    request_payload(Ok(()))
}

async fn request_email_change(
    ctx: &Context<'_>,
    input: RequestEmailChangeInput,
) -> Result<RequestPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let (new_email, password) = (&input.new_email, input.password);
    let client = &ctx.asker().client;
    let done = recovery::request_email_change(auth, viewer, new_email, password, client).await;
    request_payload(done)
}

async fn verify_email(ctx: &Context<'_>, input: VerifyEmailInput) -> Result<UserPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let done = recovery::verify_email(auth, viewer, &input.token, &ctx.asker().client).await;
    viewer_payload(ctx, done).await
}

async fn deactivate_me(
    ctx: &Context<'_>,
    input: ConfirmPasswordInput,
) -> Result<UserPayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let client = &ctx.asker().client;
    let done = users::deactivate(auth, viewer, input.password, client).await;
    let done = outcome(done)?;
    Ok(UserPayload::new(
        done.value.map(User::from),
        done.user_errors,
    ))
}

async fn delete_me(ctx: &Context<'_>, input: ConfirmPasswordInput) -> Result<DeletePayload, Error> {
    let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
    let client = &ctx.asker().client;
    let done = users::delete(auth, viewer, input.password, client).await;
    let done = outcome(done)?;
    let deleted: Option<Vec<ID>> = done.value.map(|()| vec![id_of(viewer.user_id.0)]);
    Ok(DeletePayload::new(deleted, done.user_errors))
}
