//! The two kinds of failures: refusals and errors.
//!
//! A [`Refusal`] is an error in the input that the caller can fix. It becomes a `userErrors` entry, and nothing was changed. An
//! [`Error`] is everything else. It becomes a GraphQL error with a [`Code`]; its cause is logged once and never shown.
//! A command that can return both returns [`Failure`].
//!
//! This module knows neither HTTP nor SQL, and of GraphQL only the names of codes. `graphql` and `http` map failures to
//! responses.

use std::{borrow::Cow, fmt, time::Duration};

use async_graphql::Enum;
use tokio::task::JoinError;

use crate::telemetry::panics;

/// Declares the codes with their names in the API, in one list.
macro_rules! codes {
    ($($(#[$docs:meta])* $code:ident = $name:literal,)*) => {
        /// The `extensions.code` of a GraphQL error. Stable, since programs depend on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$docs])* $code,)*
        }

        impl Code {
            /// The code with this name in the API.
            pub(crate) fn named(name: &str) -> Option<Code> {
                match name {
                    $($name => Some(Code::$code),)*
                    _ => None,
                }
            }

            /// The code in the API, e.g. `BAD_USER_INPUT`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    /// There is no token, or it is invalid, expired, revoked, or its user was deleted.
    Unauthenticated = "UNAUTHENTICATED",
    /// The viewer is signed in but not allowed to do this.
    Forbidden = "FORBIDDEN",
    /// A rate limit was reached. Has `retryAfterMs`, except at the maximum number of subscriptions: waiting does not help.
    RateLimited = "RATE_LIMITED",
    /// The request does not conform to GraphQL over HTTP, or has no operation.
    BadRequest = "BAD_REQUEST",
    /// The request has only the hash of a persisted query, which this process does not know. The client must send the document with the
    /// hash.
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND",
    /// The request has only the hash of a persisted query, and persisted queries are off. The client must send documents.
    PersistedQueryNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED",
    /// The service runs only trusted documents, and this is not one of them.
    DocumentNotTrusted = "DOCUMENT_NOT_TRUSTED",
    /// The document is not valid GraphQL syntax.
    ParseFailed = "PARSE_FAILED",
    /// The document does not conform to the schema.
    ValidationFailed = "VALIDATION_FAILED",
    /// A variable or an argument has an invalid value.
    BadUserInput = "BAD_USER_INPUT",
    /// The operation would cost more than a request may. Has `cost` and `limit`.
    QueryTooComplex = "QUERY_TOO_COMPLEX",
    /// The response would exceed the maximum size. The client must request smaller pages.
    ResponseTooLarge = "RESPONSE_TOO_LARGE",
    /// The change feed's cursor is too old or of another database. The client must read everything again.
    CursorExpired = "CURSOR_EXPIRED",
    /// The request exceeded its deadline. Uncommitted changes were rolled back.
    Timeout = "TIMEOUT",
    /// The database is unreachable or too busy. The request can be retried later.
    Unavailable = "UNAVAILABLE",
    /// An internal error. Has the `requestId` under which it was logged.
    Internal = "INTERNAL",
}

/// How long a caller should wait before it retries when the service is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request error, with a message for the caller and a detail for the log only.
///
/// It does not implement `Display`, so that no code shows its detail by accident.
#[derive(Debug, Clone)]
pub struct Error {
    /// The kind of error.
    pub code: Code,
    /// An English message that is safe to show.
    pub message: Cow<'static, str>,
    /// What happened, only for the log. Empty if the message says everything.
    pub detail: String,
    /// How long the caller should wait before retrying. `None` if retrying does not help.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error without a detail.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Error {
            code,
            message: message.into(),
            detail: String::new(),
            retry_after: None,
        }
    }

    fn with_detail(
        code: Code,
        message: impl Into<Cow<'static, str>>,
        detail: impl fmt::Display,
    ) -> Self {
        Error {
            detail: detail.to_string(),
            ..Error::new(code, message)
        }
    }

    /// An internal error. `detail` is logged, never shown.
    pub fn internal(detail: impl fmt::Display) -> Self {
        let message = "An internal error occurred. It was logged with this request's id.";
        Error::with_detail(Code::Internal, message, detail)
    }

    /// A task that panicked or was canceled.
    pub(crate) fn of_task(error: JoinError) -> Self {
        Error::internal(format!("a task failed: {}", panics::of_task(error)))
    }

    /// Something that the service needs is unavailable. `detail` is logged, never shown.
    pub fn unavailable(detail: impl fmt::Display) -> Self {
        let message = "The service is busy or its database is unavailable. Retry in a moment.";
        Error {
            retry_after: Some(RETRY_AFTER),
            ..Error::with_detail(Code::Unavailable, message, detail)
        }
    }

    /// The request exceeded its deadline.
    pub fn timeout(detail: impl fmt::Display) -> Self {
        let message = "The request exceeded its time limit and was stopped. Unfinished changes were rolled back.";
        Error::with_detail(Code::Timeout, message, detail)
    }

    /// A rate limit was reached. Retrying helps after `wait`.
    pub fn rate_limited(wait: Duration) -> Self {
        let message = format!("Too many attempts. Try again in {}.", rounded_up(wait));
        Error {
            retry_after: Some(wait),
            ..Error::new(Code::RateLimited, message)
        }
    }

    /// The operations of a user or an address have used up a limit of cost points. Retrying helps after `wait`.
    pub fn over_cost_limit(limit: impl fmt::Display, wait: Duration) -> Self {
        let message = format!(
            "This user or address has reached the limit of {limit} cost points. Try again in {}, or request less.",
            rounded_up(wait)
        );
        Error {
            retry_after: Some(wait),
            ..Error::new(Code::RateLimited, message)
        }
    }

    /// The viewer is signed in but not allowed to do this.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::Forbidden, message)
    }

    /// The request requires a signed-in user, or its token is invalid.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::Unauthenticated, message)
    }

    /// An argument has an invalid value.
    pub fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::BadUserInput, message)
    }

    /// A cursor of the change feed that no longer works.
    pub fn cursor_expired() -> Self {
        let message = "This cursor has expired. Get a new one from `changesCursor`, then read all data again.";
        Error::new(Code::CursorExpired, message)
    }

    /// Adds to the detail what was being done.
    #[must_use]
    pub fn context(mut self, doing: &str) -> Self {
        self.detail = if self.detail.is_empty() {
            doing.to_owned()
        } else {
            format!("{doing}: {}", self.detail)
        };
        self
    }
}

impl Error {
    /// Code and detail for the log.
    pub fn log_text(&self) -> String {
        let said = if self.detail.is_empty() {
            &*self.message
        } else {
            &self.detail
        };
        format!("{}: {said}", self.code.as_str())
    }
}

/// A time for people, e.g. "1 second" or "10 minutes".
fn rounded_up(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000).max(1);
    let (unit, name) = match seconds {
        0..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_800 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    let number = seconds.div_ceil(unit);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {name}{plural}")
}

/// Why an input was rejected. Programs can rely on these codes.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "UserErrorCode")]
pub enum RefusalCode {
    /// Empty, only whitespace and invisible characters, or null where a value is required.
    Blank,
    /// Longer than the field's maximum, or more ids, entries or tags than allowed. Lengths are counted in Unicode code points, those
    /// of JSON in bytes.
    TooLong,
    /// Shorter than the field's minimum.
    TooShort,
    /// Not in the required format or range. Or in conflict with another value of the input: `dueAt` with `dueOn`, a tag both to add and
    /// to remove, or the id of an earlier entry of the batch.
    Invalid,
    /// The email address or the name of an active tag is in use, or the id is or was in use.
    Taken,
    /// The object does not exist, or belongs to another user. The response does not reveal which.
    NotFound,
    /// The item has changed since the version that you sent, or keeps changing. The payload contains its current version.
    Conflict,
    /// The item, its present or new course, or a tag in the input is in the trash.
    InTrash,
    /// The item is not in the trash. Only items in the trash can be deleted permanently.
    NotInTrash,
    /// You would have more items or bytes than a user may have. `me { usage }` shows the maximums.
    LimitReached,
    /// The email address or the password is wrong. The response does not reveal which.
    InvalidCredentials,
    /// The token is unknown, used or expired.
    InvalidToken,
    /// The change would leave no active admin.
    LastAdmin,
    /// The password is known from leaks or too easy to guess.
    WeakPassword,
    /// The image is too large. Maximum 20 MiB, 20,000 pixels per side and 100 million pixels in total.
    TooLarge,
    /// The image is not of a supported type: JPEG, PNG, WebP or GIF.
    UnsupportedType,
}

/// An error in an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of error.
    pub code: RefusalCode,
    /// Path of the invalid argument, e.g. `["input", "title"]`. `None` if no single argument is wrong.
    pub field: Option<Vec<String>>,
    /// An English message. Not stable.
    pub message: String,
}

impl Refusal {
    /// A refusal of the field `input.<name>`.
    pub fn of(name: &str, code: RefusalCode, message: impl Into<String>) -> Self {
        Refusal {
            code,
            field: Some(vec!["input".to_owned(), name.to_owned()]),
            message: message.into(),
        }
    }

    /// A refusal of the id at `index` in `input.ids`.
    pub fn of_id(index: usize, code: RefusalCode, message: impl Into<String>) -> Self {
        Refusal::of_element("ids", index, code, message)
    }

    /// A refusal of the element at `index` of the list `input.<name>`.
    pub fn of_element(
        name: &str,
        index: usize,
        code: RefusalCode,
        message: impl Into<String>,
    ) -> Self {
        let mut refusal = Refusal::of(name, code, message);
        refusal
            .field
            .get_or_insert_default()
            .push(index.to_string());
        refusal
    }

    /// The refusal with a path that starts with the index of an entry instead of `input`.
    #[must_use]
    pub fn in_entry(mut self, index: usize) -> Self {
        if let Some(start) = self.field.iter_mut().flatten().next() {
            *start = index.to_string();
        }
        self
    }

    /// A refusal of no single argument.
    pub fn general(code: RefusalCode, message: impl Into<String>) -> Self {
        Refusal {
            code,
            field: None,
            message: message.into(),
        }
    }
}

/// Why a command changed nothing.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The errors in the input in the order of the arguments. At least one.
    Refused(Vec<Refusal>),
    /// Everything else.
    Error(Error),
}

impl Failure {
    /// Whether it is a refusal with this code.
    pub(crate) fn is(&self, code: RefusalCode) -> bool {
        match self {
            Failure::Refused(refusals) => refusals.iter().any(|refusal| refusal.code == code),
            Failure::Error(_) => false,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(vec![refusal])
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_say_when_to_try_again() {
        for (milliseconds, expected) in [
            (0, "1 second"),
            (1, "1 second"),
            (1_001, "2 seconds"),
            (60_000, "60 seconds"),
            (119_001, "2 minutes"),
            (599_500, "10 minutes"),
            (600_001, "11 minutes"),
            (3_600_000, "60 minutes"),
            (7_200_001, "3 hours"),
            (604_800_000, "7 days"),
        ] {
            let error = Error::rate_limited(Duration::from_millis(milliseconds));
            let message = format!("Too many attempts. Try again in {expected}.");
            assert_eq!(error.message, message, "{milliseconds}");
        }
    }
}
