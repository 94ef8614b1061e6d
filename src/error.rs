//! What can go wrong, in two kinds that never mix.
//!
//! A [`Refusal`] is a mistake that the caller made and can put right: it becomes a `userErrors` entry, and nothing was
//! changed. An [`Error`] is everything else: it becomes a GraphQL error with a [`Code`], its cause is logged once and
//! never shown. A command that can do both returns [`Failure`].
//!
//! This module knows neither GraphQL nor HTTP nor SQL; `graphql::error` and `http` say how each kind is answered.

use std::{borrow::Cow, fmt, time::Duration};

/// What stands in `extensions.code` of a GraphQL error. Stable: programs decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No token, or one that is bad, expired, revoked or of somebody who is gone.
    Unauthenticated,
    /// Signed in, but not allowed to.
    Forbidden,
    /// Too often of late: carries `retryAfterMs`.
    RateLimited,
    /// The request is not one that GraphQL over HTTP allows, or names no operation.
    BadRequest,
    /// The document is no GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// A variable or an argument has a value that it cannot have.
    BadUserInput,
    /// The operation would cost more than one request may: carries `cost` and `limit`.
    QueryTooComplex,
    /// The cursor of the change feed is too old, or of another database: what it would go on with must be read afresh.
    CursorExpired,
    /// The request passed its deadline; what it had not committed is rolled back.
    Timeout,
    /// The database is away or too busy; the request can be sent again later.
    Unavailable,
    /// A fault of the service: carries the `requestId` under which it was logged.
    Internal,
}

impl Code {
    /// The code as the API writes it, e.g. `BAD_USER_INPUT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::Forbidden => "FORBIDDEN",
            Code::RateLimited => "RATE_LIMITED",
            Code::BadRequest => "BAD_REQUEST",
            Code::ParseFailed => "PARSE_FAILED",
            Code::ValidationFailed => "VALIDATION_FAILED",
            Code::BadUserInput => "BAD_USER_INPUT",
            Code::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Code::CursorExpired => "CURSOR_EXPIRED",
            Code::Timeout => "TIMEOUT",
            Code::Unavailable => "UNAVAILABLE",
            Code::Internal => "INTERNAL",
        }
    }
}

/// How long a caller should wait before it asks an unavailable service again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An error of the request: what the caller may know, and what only the log may.
///
/// It has no `Display`, so that nothing can show its detail by accident.
#[derive(Debug, Clone)]
pub struct Error {
    /// What kind it is.
    pub code: Code,
    /// For people, in English; safe to show.
    pub message: Cow<'static, str>,
    /// What happened, for the log alone; empty where the message says it all.
    pub detail: String,
    /// How long the caller should wait before asking again; `None` if that would not help.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error whose message says all there is to say.
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

    /// A fault of the service: `detail` is logged, never shown.
    pub fn internal(detail: impl fmt::Display) -> Self {
        let message = "The service made a mistake. It has been logged under this request's id.";
        Error::with_detail(Code::Internal, message, detail)
    }

    /// Something that the service needs is away for now; `detail` is logged, never shown.
    pub fn unavailable(detail: impl fmt::Display) -> Self {
        let message = "The service is busy or its database is away. Try again in a moment.";
        Error {
            retry_after: Some(RETRY_AFTER),
            ..Error::with_detail(Code::Unavailable, message, detail)
        }
    }

    /// The request passed its deadline.
    pub fn timeout(detail: impl fmt::Display) -> Self {
        let message =
            "The request took too long and was stopped. What it had not finished is undone.";
        Error::with_detail(Code::Timeout, message, detail)
    }

    /// Too often of late; asking again helps after a while.
    pub fn rate_limited(wait: Duration) -> Self {
        Error {
            retry_after: Some(wait),
            ..Error::new(
                Code::RateLimited,
                "That was tried too often. Try again later.",
            )
        }
    }

    /// Signed in, but not allowed to.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::Forbidden, message)
    }

    /// Nobody is signed in where somebody must be, or the token is no good.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::Unauthenticated, message)
    }

    /// An argument has a value that it cannot have.
    pub fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Code::BadUserInput, message)
    }

    /// A cursor of the change feed from which no reader can go on.
    pub fn cursor_expired() -> Self {
        let message = "This cursor has expired. Take a new one (changesCursor), and read afresh what you keep.";
        Error::new(Code::CursorExpired, message)
    }

    /// The same error, its log entry saying what was being done.
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
    /// What the log says of it: everything.
    pub fn log_text(&self) -> String {
        let said = if self.detail.is_empty() {
            &*self.message
        } else {
            &self.detail
        };
        format!("{}: {said}", self.code.as_str())
    }
}

/// Why a caller's input was refused. The contract's `UserErrorCode`; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// Empty, only white space, or null where there must be a value.
    Blank,
    /// Longer than the field may be.
    TooLong,
    /// Shorter than the field must be.
    TooShort,
    /// Not of the form that the field must have.
    Invalid,
    /// The e-mail address, or the id, is in use.
    Taken,
    /// No such object, or not the caller's: the two are told apart to nobody.
    NotFound,
    /// The item has changed since the version that was sent.
    Conflict,
    /// The item, or the course that it would go into, is in the trash.
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
    /// More bytes, or more pixels, than a picture may have.
    TooLarge,
    /// No picture of a type that is taken.
    UnsupportedType,
}

/// One mistake in a caller's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of mistake.
    pub code: RefusalCode,
    /// Path to the argument at fault, e.g. `["input", "title"]`; `None` where it is no one argument's.
    pub field: Option<Vec<String>>,
    /// For people, in English; not stable.
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

    /// A refusal of the `index`th id of `input.ids`.
    pub fn of_id(index: usize, code: RefusalCode, message: impl Into<String>) -> Self {
        let field = Some(vec![
            "input".to_owned(),
            "ids".to_owned(),
            index.to_string(),
        ]);
        Refusal {
            code,
            field,
            message: message.into(),
        }
    }

    /// A refusal that is no one argument's.
    pub fn general(code: RefusalCode, message: impl Into<String>) -> Self {
        Refusal {
            code,
            field: None,
            message: message.into(),
        }
    }
}

/// Why a command did nothing.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The caller's mistakes, at least one, in the order of the arguments.
    Refused(Vec<Refusal>),
    /// Anything else.
    Error(Error),
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
