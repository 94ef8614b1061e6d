//! Request errors in responses: each gets an `extensions.code`. `payload` has the errors in inputs.
//!
//! An [`Error`] travels as the source of the library's error. When the response is complete,
//! `finish` logs its cause once, with the request's id.

use std::{borrow::Cow, collections::HashSet, time::Duration};

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError};
use graphql_gate::{Rejection, RejectionKind};

use crate::error::{Code, Error};

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

/// Rounded up: a retry before the end of the wait fails again.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
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
        RejectionKind::Values => Code::BadUserInput,
        RejectionKind::TooComplex => Code::QueryTooComplex,
    };
    Response::from_errors(rejection.into_server_errors(code.as_str()))
}

/// Whether the service or its database failed, in contrast to errors of the request.
pub(crate) fn is_of_service(response: &Response) -> bool {
    let failed = |error: &ServerError| {
        let cause = error.source::<Error>();
        cause.is_some_and(|cause| {
            matches!(
                cause.code,
                Code::Unavailable | Code::Timeout | Code::Internal
            )
        })
    };
    response.errors.iter().any(failed)
}

/// Maximum length in characters of a message that the library wrote.
const MAX_MESSAGE_LENGTH: usize = 200;

/// Completes a response: gives each error its code, and logs what the caller must not see with the request's id. If the fields of a page fail
/// for the same reason, it is logged once.
pub(crate) fn finish(response: &mut Response, request_id: &str) {
    let mut logged = HashSet::new();
    for error in &mut response.errors {
        let Some(cause) = complete(error, request_id) else {
            continue;
        };
        let path = &error.path;
        let is_new = logged.insert(cause.log_text());
        if is_new && cause.code == Code::Internal {
            tracing::error!(
                request_id,
                error = cause.log_text(),
                ?path,
                "a request failed"
            );
        } else if is_new && !cause.detail.is_empty() {
            tracing::warn!(
                request_id,
                error = cause.log_text(),
                ?path,
                "a request failed"
            );
        }
    }
}

/// Returns the cause, if it is an error of the service.
fn complete(error: &mut ServerError, request_id: &str) -> Option<Error> {
    let cause = error.source::<Error>().cloned();
    let own_code = code_of(error);
    let has_code = own_code.is_some();
    let code = match &cause {
        Some(cause) => Cow::Borrowed(cause.code.as_str()),
        // While it executes, the library itself only fails on arguments. The gate should have rejected them.
        None => own_code.unwrap_or(Cow::Borrowed(Code::BadUserInput.as_str())),
    };
    if cause.is_none() && !has_code {
        error.message = in_own_words(&error.message);
    }
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", code.as_ref());
    if cause
        .as_ref()
        .is_some_and(|cause| cause.code == Code::Internal)
    {
        extensions.set("requestId", request_id);
    }
    cause
}

/// An error of the library about an argument, such as `Failed to parse "Int": … (occurred while parsing "Filter")`. It quotes
/// the value in full, however long it is.
fn in_own_words(message: &str) -> String {
    let (message, _) = message
        .split_once(" (occurred while")
        .unwrap_or((message, ""));
    let cause = match message.strip_prefix("Failed to parse ") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, cause)| cause),
        None => message,
    };
    let cause: String = cause.chars().take(MAX_MESSAGE_LENGTH).collect();
    format!("An argument is invalid: {}.", cause.trim_end_matches('.'))
}

fn code_of(error: &ServerError) -> Option<Cow<'static, str>> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(Cow::Owned(code.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::in_own_words;

    #[test]
    fn an_error_of_the_library_becomes_a_short_sentence() {
        let message = r#"Failed to parse "DateTime": It must have an offset. (occurred while parsing "CreateTaskInput")"#;
        let expected = "An argument is invalid: It must have an offset.";
        assert_eq!(in_own_words(message), expected);
        assert!(in_own_words(&"é".repeat(1_000)).chars().count() < 250);
    }
}
