//! How errors and refusals are answered: the contract's `UserError`, and `extensions.code` for everything else.
//!
//! An [`Error`](crate::error::Error) travels inside the library's error as its source; [`finish`] logs its cause once,
//! under the request's id, when the answer is complete.

use std::{borrow::Cow, time::Duration};

use async_graphql::{
    Context, Enum, ErrorExtensionValues, Pos, Response, ServerError, SimpleObject,
};
use graphql_gate::{Rejection, RejectionKind};

use super::context::ContextExt;
use crate::{
    error::{Code, Error, Failure, Refusal, RefusalCode},
    items::{self, Updated},
};

/// Something in the input that the caller can put right; nothing was changed.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// For people, in English; not stable.
    message: String,
    /// For programs; stable.
    code: UserErrorCode,
    /// Path to the argument that is at fault, e.g. `["input", "title"]` or `["input", "ids", "3"]`; null where it is no
    /// one argument's.
    field: Option<Vec<String>>,
}

/// Why an input was refused. Programs decide by it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "RefusalCode")]
pub(crate) enum UserErrorCode {
    /// Empty, only white space, or null where there must be a value.
    Blank,
    /// Longer than the field may be, or more ids than one mutation takes. Lengths are counted in code points.
    TooLong,
    /// Shorter than the field must be.
    TooShort,
    /// Not of the form that the field must have.
    Invalid,
    /// The e-mail address, or the id, is in use.
    Taken,
    /// No such object, or not yours: the two are told apart to nobody.
    NotFound,
    /// The item has changed since the version you sent; it comes back in the payload as it is now.
    Conflict,
    /// The item, or the course it would go into, is in the trash.
    InTrash,
    /// Only what is in the trash can be deleted for good.
    NotInTrash,
    /// The e-mail address or the password is wrong: the two are told apart to nobody.
    InvalidCredentials,
    /// The token is unknown, used or expired.
    InvalidToken,
    /// There must be one active admin.
    LastAdmin,
    /// The password is known from leaks or too easy to guess.
    WeakPassword,
    /// More bytes, or more pixels, than a picture may have: 20 MiB; 20,000 pixels a side and 100 million in all.
    TooLarge,
    /// No picture of a type that is taken: JPEG, PNG, WebP or GIF.
    UnsupportedType,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        UserError {
            message: refusal.message,
            code: refusal.code.into(),
            field: refusal.field,
        }
    }
}

impl UserError {
    /// An update was not made: the item has changed since the version that the caller sent.
    pub(crate) fn conflict() -> Self {
        let message = "The item has changed since this version. Here it is as it is now.";
        Refusal::of("version", RefusalCode::Conflict, message).into()
    }
}

/// What a mutation answers: its value, or why there is none.
pub(crate) struct Outcome<T> {
    pub(crate) value: Option<T>,
    pub(crate) user_errors: Vec<UserError>,
}

/// A command's result as a payload's parts: refusals become `userErrors`, anything else an error of the request.
pub(crate) fn outcome<T>(result: Result<T, Failure>) -> Result<Outcome<T>, Error> {
    match result {
        Ok(value) => Ok(Outcome {
            value: Some(value),
            user_errors: Vec::new(),
        }),
        Err(Failure::Refused(refusals)) => Ok(Outcome {
            value: None,
            user_errors: refusals.into_iter().map(UserError::from).collect(),
        }),
        Err(Failure::Error(error)) => Err(error),
    }
}

/// Creates an item.
pub(crate) async fn create<C, N>(ctx: &Context<'_>, input: &C) -> Result<Outcome<N>, Error>
where
    C: items::Create,
    N: From<C::Item>,
{
    let viewer = ctx.viewer()?;
    let created = items::create(&mut ctx.connection().await?, viewer, input).await;
    let Outcome { value, user_errors } = outcome(created)?;
    let value = value.map(N::from);
    Ok(Outcome { value, user_errors })
}

/// Updates an item. A conflict becomes a `userErrors` entry beside the current item.
pub(crate) async fn update<U, N>(ctx: &Context<'_>, input: &U) -> Result<Outcome<N>, Error>
where
    U: items::Update,
    N: From<U::Item>,
{
    let viewer = ctx.viewer()?;
    let updated = items::update(&mut ctx.connection().await?, viewer, input).await;
    let Outcome { value, user_errors } = outcome(updated)?;
    let (item, user_errors) = match value {
        Some(Updated::Done(item)) => (Some(item), user_errors),
        Some(Updated::Conflict(item)) => (Some(item), vec![UserError::conflict()]),
        None => (None, user_errors),
    };
    let value = item.map(N::from);
    Ok(Outcome { value, user_errors })
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code.as_str());
        if let Some(wait) = error.retry_after {
            extensions.set("retryAfterMs", milliseconds(wait));
        }
        async_graphql::Error {
            message: error.message.clone().into_owned(),
            source: Some(std::sync::Arc::new(error)),
            extensions: Some(extensions),
        }
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// An answer that is nothing but this error.
pub(crate) fn refused(error: Error) -> Response {
    let mut error = async_graphql::Error::from(error).into_server_error(Pos::default());
    // It is at no place of the document.
    error.locations.clear();
    Response::from_errors(vec![error])
}

/// The response to a request that the gate rejected.
pub(crate) fn rejected(rejection: Rejection) -> Response {
    let code = match rejection.kind {
        RejectionKind::OperationName => Code::BadRequest,
        RejectionKind::Syntax => Code::ParseFailed,
        RejectionKind::Validation => Code::ValidationFailed,
        RejectionKind::Variables => Code::BadUserInput,
        RejectionKind::TooComplex => Code::QueryTooComplex,
    };
    Response::from_errors(rejection.into_server_errors(code.as_str()))
}

/// Characters of an error's message at most, where the library words it.
const LONGEST_MESSAGE: usize = 200;

/// Completes an answer: each error has a code, and what the caller must not see is logged under the request's id.
pub(crate) fn finish(response: &mut Response, request_id: &str) {
    for error in &mut response.errors {
        complete(error, request_id);
    }
}

fn complete(error: &mut ServerError, request_id: &str) {
    let cause = error.source::<Error>().cloned();
    let code = match &cause {
        Some(cause) => Cow::Borrowed(cause.code.as_str()),
        // What the library itself finds while it runs is an argument that a scalar cannot be made of.
        None => code_of(error).unwrap_or(Cow::Borrowed(Code::BadUserInput.as_str())),
    };
    if cause.is_none() && error.message.chars().count() > LONGEST_MESSAGE {
        // The library repeats a value that it cannot use, however long it is.
        error.message = error
            .message
            .chars()
            .take(LONGEST_MESSAGE)
            .chain(['…'])
            .collect();
    }
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", code.as_ref());
    if let Some(cause) = cause {
        if cause.code == Code::Internal {
            extensions.set("requestId", request_id);
            tracing::error!(request_id, error = cause.log_text(), path = ?error.path, "a request failed");
        } else if !cause.detail.is_empty() {
            tracing::warn!(request_id, error = cause.log_text(), path = ?error.path, "a request failed");
        }
    }
}

fn code_of(error: &ServerError) -> Option<Cow<'static, str>> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(Cow::Owned(code.clone())),
        _ => None,
    }
}
