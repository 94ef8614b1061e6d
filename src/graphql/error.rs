//! Errors in responses: mistakes in inputs become `userErrors`, all other errors get an `extensions.code`.
//!
//! An [`Error`](crate::error::Error) travels as the source of the library's error. When the response is complete,
//! [`finish`] logs its cause once, with the request's id.

use std::{borrow::Cow, time::Duration};

use async_graphql::{Enum, ErrorExtensionValues, Pos, Response, ServerError, SimpleObject};
use graphql_gate::{Rejection, RejectionKind};

use crate::{
    error::{Code, Error, Failure, Refusal, RefusalCode},
    items::Updated,
};

/// A mistake in the input that the caller can fix. Nothing was changed.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// An English message for people. It may change.
    message: String,
    /// The kind of mistake, for programs. Stable.
    code: UserErrorCode,
    /// Path of the invalid argument, e.g. `["input", "title"]` or `["input", "ids", "3"]`. Null if no single argument is
    /// wrong.
    field: Option<Vec<String>>,
}

/// Why an input was rejected. Stable, since programs depend on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "RefusalCode")]
pub(crate) enum UserErrorCode {
    /// Empty, only white space, or null where a value is required.
    Blank,
    /// Longer than the field's maximum, or more ids than the maximum. Lengths are counted in Unicode code points.
    TooLong,
    /// Shorter than the field's minimum.
    TooShort,
    /// Not in the required format.
    Invalid,
    /// The email address or the id is in use.
    Taken,
    /// The object does not exist, or belongs to another user. The response does not reveal which.
    NotFound,
    /// The item has changed since the version that you sent. The payload contains its current version.
    Conflict,
    /// The item, or the course that you want to put it into, is in the trash.
    InTrash,
    /// Only items in the trash can be deleted permanently.
    NotInTrash,
    /// The email address or the password is wrong. The response does not reveal which.
    InvalidCredentials,
    /// The token is unknown, used or expired.
    InvalidToken,
    /// There must be at least one active admin.
    LastAdmin,
    /// The password is known from leaks or too easy to guess.
    WeakPassword,
    /// The image is too large. Maximum 20 MiB, 20,000 pixels per side and 100 million pixels in total.
    TooLarge,
    /// The image is not of a supported type: JPEG, PNG, WebP or GIF.
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

/// What every payload of a mutation is made from: the command's result, and the mistakes in the input.
pub(crate) struct PayloadParts<T> {
    /// `None` if the command failed.
    pub(crate) value: Option<T>,
    pub(crate) user_errors: Vec<UserError>,
}

impl<T> PayloadParts<T> {
    /// Turns refusals into `user_errors`.
    ///
    /// # Errors
    /// The errors that the caller cannot fix.
    pub(crate) fn of(result: Result<T, Failure>) -> Result<Self, Error> {
        match result {
            Ok(value) => Ok(PayloadParts {
                value: Some(value),
                user_errors: Vec::new(),
            }),
            Err(Failure::Refused(refusals)) => Ok(PayloadParts {
                value: None,
                user_errors: refusals.into_iter().map(UserError::from).collect(),
            }),
            Err(Failure::Error(error)) => Err(error),
        }
    }
}

/// The payload of a mutation.
///
/// # Errors
/// Same as [`PayloadParts::of`].
pub(crate) fn payload<T, P: From<PayloadParts<T>>>(result: Result<T, Failure>) -> Result<P, Error> {
    Ok(PayloadParts::of(result)?.into())
}

/// Like [`payload`], for an update: on a conflict, the payload has the current item and a `userErrors` entry.
///
/// # Errors
/// Same as [`PayloadParts::of`].
pub(crate) fn update_payload<T, P: From<PayloadParts<T>>>(
    result: Result<Updated<T>, Failure>,
) -> Result<P, Error> {
    let PayloadParts { value, user_errors } = PayloadParts::of(result)?;
    let (value, user_errors) = match value {
        Some(Updated::Done(item)) => (Some(item), user_errors),
        Some(Updated::Conflict(item)) => (Some(item), vec![conflict().into()]),
        None => (None, user_errors),
    };
    Ok(PayloadParts { value, user_errors }.into())
}

fn conflict() -> Refusal {
    let message = "The item has changed since this version. The payload contains the current one.";
    Refusal::of("version", RefusalCode::Conflict, message)
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

/// A response with this error and no data.
pub(crate) fn error_response(error: Error) -> Response {
    let mut error = async_graphql::Error::from(error).into_server_error(Pos::default());
    // The error concerns no position in the document.
    error.locations.clear();
    Response::from_errors(vec![error])
}

/// The response to a request that the gate rejected.
pub(crate) fn rejection_response(rejection: Rejection) -> Response {
    let code = match rejection.kind {
        RejectionKind::OperationName => Code::BadRequest,
        RejectionKind::Syntax => Code::ParseFailed,
        RejectionKind::Validation => Code::ValidationFailed,
        RejectionKind::Variables => Code::BadUserInput,
        RejectionKind::TooComplex => Code::QueryTooComplex,
    };
    Response::from_errors(rejection.into_server_errors(code.as_str()))
}

/// Maximum length in characters of a message that the library wrote.
const MAX_MESSAGE_LENGTH: usize = 200;

/// Completes a response: gives each error its code, and logs what the caller must not see with the request's id.
pub(crate) fn finish(response: &mut Response, request_id: &str) {
    for error in &mut response.errors {
        complete(error, request_id);
    }
}

fn complete(error: &mut ServerError, request_id: &str) {
    let cause = error.source::<Error>().cloned();
    let code = match &cause {
        Some(cause) => Cow::Borrowed(cause.code.as_str()),
        // While it executes, the library itself only fails on arguments that a scalar cannot parse.
        None => code_of(error).unwrap_or(Cow::Borrowed(Code::BadUserInput.as_str())),
    };
    if cause.is_none() && error.message.chars().count() > MAX_MESSAGE_LENGTH {
        // The library quotes an invalid value in full, however long it is.
        error.message = error
            .message
            .chars()
            .take(MAX_MESSAGE_LENGTH)
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
