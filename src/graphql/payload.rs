//! Payloads of mutations: the result of a command, or its errors in `userErrors`.

use async_graphql::{Enum, SimpleObject};

use crate::{
    error::{Error, Failure, Refusal, RefusalCode},
    items::Updated,
};

/// An error in the input that the caller can fix. Nothing was changed.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// An English message for developers and users. Its wording may change.
    message: String,
    /// The kind of error, for programs. Stable.
    code: UserErrorCode,
    /// Path of the invalid argument, e.g. `["input", "title"]` or `["input", "ids", "3"]`. Null if no single argument
    /// is invalid.
    field: Option<Vec<String>>,
}

/// Why an input was rejected. Programs can rely on these codes.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "RefusalCode")]
pub(crate) enum UserErrorCode {
    /// Empty, only whitespace, or null where a value is required.
    Blank,
    /// Longer than the field's maximum, or more ids than allowed. Lengths are counted in Unicode code points, those of JSON in
    /// bytes.
    TooLong,
    /// Shorter than the field's minimum.
    TooShort,
    /// Not in the required format or range.
    Invalid,
    /// The email address is in use, or the id is or was in use.
    Taken,
    /// The object does not exist, or belongs to another user. The response does not reveal which.
    NotFound,
    /// The item has changed since the version that you sent. The payload contains its current version.
    Conflict,
    /// The item, or the course that you want to put it into, is in the trash.
    InTrash,
    /// The item is not in the trash. Only items in the trash can be deleted permanently.
    NotInTrash,
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

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        UserError {
            message: refusal.message,
            code: refusal.code.into(),
            field: refusal.field,
        }
    }
}

/// A payload that consists of the command's result and `userErrors`.
pub(crate) trait Payload {
    /// The result's GraphQL type.
    type Value;

    /// `value`: `None` if the command failed.
    fn new(value: Option<Self::Value>, user_errors: Vec<UserError>) -> Self;
}

/// Declares a [`Payload`] by its description and the field of its result.
macro_rules! payload {
    ($(#[$meta:meta])* $name:ident { $(#[$field_meta:meta])* $field:ident: $value:ty }) => {
        $(#[$meta])*
        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $name {
            $(#[$field_meta])*
            $field: Option<$value>,
            /// What was wrong with the input. If this is not empty, nothing was changed.
            user_errors: Vec<$crate::graphql::payload::UserError>,
        }

        impl $crate::graphql::payload::Payload for $name {
            type Value = $value;

            fn new(
                $field: Option<$value>,
                user_errors: Vec<$crate::graphql::payload::UserError>,
            ) -> Self {
                $name { $field, user_errors }
            }
        }
    };
}
pub(crate) use payload;

/// Separates the result of a command from the errors in its input. Exactly one of the two is empty.
///
/// # Errors
/// The errors that the caller cannot fix.
pub(crate) fn split<T>(result: Result<T, Failure>) -> Result<(Option<T>, Vec<UserError>), Error> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Failure::Refused(refusals)) => {
            Ok((None, refusals.into_iter().map(UserError::from).collect()))
        }
        Err(Failure::Error(error)) => Err(error),
    }
}

/// The payload of a command.
///
/// # Errors
/// Same as [`split`].
pub(crate) fn respond<T: Into<P::Value>, P: Payload>(
    result: Result<T, Failure>,
) -> Result<P, Error> {
    let (value, user_errors) = split(result)?;
    Ok(P::new(value.map(T::into), user_errors))
}

/// The payload of an update. On a conflict, it has the current item and an error.
///
/// # Errors
/// Same as [`split`].
pub(crate) fn respond_to_update<T: Into<P::Value>, P: Payload>(
    result: Result<Updated<T>, Failure>,
) -> Result<P, Error> {
    match result {
        Ok(Updated::Done(item)) => Ok(P::new(Some(item.into()), Vec::new())),
        Ok(Updated::Conflict(item)) => Ok(P::new(Some(item.into()), vec![conflict()])),
        Err(failure) => respond(Err::<T, Failure>(failure)),
    }
}

fn conflict() -> UserError {
    let message = "The item has changed since this version. The payload contains the current one.";
    Refusal::of("version", RefusalCode::Conflict, message).into()
}
