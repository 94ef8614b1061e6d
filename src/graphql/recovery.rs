//! Passwords, email addresses and closing an account in the API: what users do with their own account.

use async_graphql::{Context, InputObject, SimpleObject};

use super::{
    context::ContextExt,
    loaders::{Loaders, ViewersUser},
    payload::{Payload, UserError, mutations, respond},
    session::{AuthPayload, auth_payload},
    trash::DeletePayload,
    user::UserPayload,
};
use crate::{
    auth::{credentials, recovery},
    error::{Error, Failure},
    scalars::id_of,
    users,
};

/// The user who forgot their password.
#[derive(InputObject)]
pub(crate) struct RequestPasswordResetInput {
    /// The user's email address, in any spelling that `signUp` treats as the same.
    email: String,
}

/// An emailed token and a new password.
#[derive(InputObject)]
pub(crate) struct ResetPasswordInput {
    /// The token from the email. It is valid for 30 minutes and can be used once.
    #[graphql(secret)]
    token: String,
    /// The new password. 8–128 characters after Unicode normalization (RFC 8265), and not known from leaks.
    #[graphql(secret)]
    new_password: String,
}

/// The current and the new password.
#[derive(InputObject)]
pub(crate) struct ChangePasswordInput {
    /// Your current password.
    #[graphql(secret)]
    current_password: String,
    /// The new password. 8–128 characters after Unicode normalization (RFC 8265), and not known from leaks.
    #[graphql(secret)]
    new_password: String,
}

/// An emailed token, which proves that an email address is yours.
#[derive(InputObject)]
pub(crate) struct VerifyEmailInput {
    /// The token from the email. It is valid for 24 hours and can be used once.
    #[graphql(secret)]
    token: String,
}

/// A new email address, confirmed with your password.
#[derive(InputObject)]
pub(crate) struct RequestEmailChangeInput {
    /// Your new email address. Maximum 254 characters, also in UTF-8 with its domain in ASCII (xn--…), and 64 bytes before
    /// the `@`. Surrounding whitespace is ignored. INVALID if mail cannot be sent to it: quotes, comments and IP addresses are
    /// not supported. Spellings that differ in Unicode normalization (NFC), IDNA or ASCII case are the same address.
    new_email: String,
    /// Your password. Omit it if you have none: then you must have signed in at your external identity provider within the last
    /// 5 minutes.
    #[graphql(secret)]
    password: Option<String>,
}

/// Your password, to confirm a sensitive operation.
#[derive(InputObject)]
pub(crate) struct ConfirmPasswordInput {
    /// Your password. Omit it if you have none: then you must have signed in at your external identity provider within the last
    /// 5 minutes.
    #[graphql(secret)]
    password: Option<String>,
}

/// The result of requesting an email.
#[derive(SimpleObject)]
pub(crate) struct RequestPayload {
    /// Whether the request was accepted. It does not reveal whether an email was sent, because that would reveal which addresses
    /// have accounts.
    accepted: bool,
    /// What was wrong with the input. If this is not empty, no email is sent.
    user_errors: Vec<UserError>,
}

impl Payload for RequestPayload {
    type Value = ();

    fn new(accepted: Option<()>, user_errors: Vec<UserError>) -> Self {
        RequestPayload {
            accepted: accepted.is_some(),
            user_errors,
        }
    }
}

mutations! {
    /// Mutations of the viewer's own account.
    RecoveryMutation;

    /// Emails a token to the user with this email address. The response is the same if there is no such user. The token is valid
    /// for 30 minutes, and a newer token invalidates it. Maximum 3 such emails per hour and address by default. Requires no
    /// sign-in.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: BLANK, INVALID, TOO_LONG.
    #[doc = example!("request_password_reset")]
    async fn request_password_reset(
        ctx,
        input: RequestPasswordResetInput = "The user's email address.",
    ) -> RequestPayload {
        let (auth, client) = (&ctx.services().auth, &ctx.caller().client);
        respond(recovery::request_password_reset(auth, &input.email, client).await)
    }

    /// Sets a new password with an emailed token and signs the user in. All other sessions end, the email address becomes
    /// verified, and all other emailed tokens become invalid. If the address was not verified before, the user's accounts at
    /// external identity providers are unlinked. INVALID_TOKEN if the user is deactivated. Requires no sign-in.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: INVALID, INVALID_TOKEN, TOO_LONG, TOO_SHORT, WEAK_PASSWORD.
    #[doc = example!("reset_password")]
    async fn reset_password(
        ctx,
        input: ResetPasswordInput = "The emailed token and the new password.",
    ) -> AuthPayload {
        let (auth, client) = (&ctx.services().auth, &ctx.caller().client);
        let (token, password) = (&input.token, input.new_password);
        let signed_in = recovery::reset_password(auth, token, password, client).await;
        auth_payload(ctx, signed_in).await
    }

    /// Changes your password and ends all your other sessions. You are notified by email. To set a first password, use
    /// `requestPasswordReset`.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: INVALID, INVALID_CREDENTIALS, TOO_LONG, TOO_SHORT, WEAK_PASSWORD.
    #[doc = example!("change_password")]
    async fn change_password(
        ctx,
        input: ChangePasswordInput = "The current and the new password.",
    ) -> UserPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let (current, new) = (input.current_password, input.new_password);
        let client = &ctx.caller().client;
        let changed = credentials::change_password(auth, viewer, current, new, client).await;
        viewer_payload(ctx, changed).await
    }

    /// Emails a token to your email address. Pass the token to `verifyEmail`. No email is sent if the address is already
    /// verified.
    #[doc = example!("request_email_verification")]
    async fn request_email_verification(ctx) -> RequestPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        recovery::request_email_verification(auth, viewer, &ctx.caller().client).await?;
        respond(Ok(()))
    }

    /// Emails a token to the new email address. Pass it to `verifyEmail` to make the change. The old address is notified by
    /// email. The response is the same if another user has the new address. RATE_LIMITED after 3 requests per hour by default.
    /// `userErrors`: BLANK, INVALID, INVALID_CREDENTIALS, TOO_LONG.
    #[doc = example!("request_email_change")]
    async fn request_email_change(
        ctx,
        input: RequestEmailChangeInput = "The new email address, and your password.",
    ) -> RequestPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let (new_email, password) = (&input.new_email, input.password);
        let client = &ctx.caller().client;
        respond(recovery::request_email_change(auth, viewer, new_email, password, client).await)
    }

    /// Verifies your email address, or makes the requested change of the address. INVALID_TOKEN if the token belongs to another
    /// user.
    /// `userErrors`: INVALID_TOKEN, TAKEN.
    #[doc = example!("verify_email")]
    async fn verify_email(ctx, input: VerifyEmailInput = "The emailed token.") -> UserPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let verified = recovery::verify_email(auth, viewer, &input.token, &ctx.caller().client).await;
        viewer_payload(ctx, verified).await
    }

    /// Deactivates your account: ends all your sessions, and prevents you from signing in until an admin reactivates you.
    /// Nothing is deleted. LAST_ADMIN if you are the only active admin.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: INVALID_CREDENTIALS, LAST_ADMIN.
    #[doc = example!("deactivate_me")]
    async fn deactivate_me(ctx, input: ConfirmPasswordInput = "Your password.") -> UserPayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let client = &ctx.caller().client;
        respond(users::deactivate(auth, viewer, input.password, client).await)
    }

    /// Permanently deletes your account and everything in it. All your sessions end and the email address becomes available
    /// immediately. Deleting the rest may take a moment longer. `deletedIds` contains only your id. LAST_ADMIN if you are the
    /// only active admin.
    /// RATE_LIMITED after too many attempts.
    /// `userErrors`: INVALID_CREDENTIALS, LAST_ADMIN.
    #[doc = example!("delete_me")]
    async fn delete_me(ctx, input: ConfirmPasswordInput = "Your password.") -> DeletePayload {
        let (auth, viewer) = (&ctx.services().auth, ctx.viewer()?);
        let client = &ctx.caller().client;
        let deleted = users::delete(auth, viewer, input.password, client).await;
        respond(deleted.map(|()| vec![id_of(viewer.user_id.0)]))
    }
}

/// The payload of a command that changed the viewer's user.
async fn viewer_payload(
    ctx: &Context<'_>,
    changed: Result<(), Failure>,
) -> Result<UserPayload, Error> {
    let user = match changed {
        Ok(()) => Ok(Loaders::of(ctx).get(ViewersUser).await?),
        Err(failure) => Err(failure),
    };
    respond(user)
}
