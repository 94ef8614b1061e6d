//! Payloads of mutations: the result of a command, or its errors in `userErrors`.

use async_graphql::SimpleObject;

use crate::{
    error::{Error, Failure, Refusal, RefusalCode},
    items::Outcome,
};

/// An error in the input that the caller can fix. Nothing was changed.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// An English message for developers and users. Its wording may change.
    message: String,
    /// The kind of error, for programs. Stable.
    code: RefusalCode,
    /// Path of the invalid argument, e.g. `["input", "title"]` or `["input", "ids", "3"]`. In the results of a batch, the
    /// path starts with the index of the entry, counted from 0: `["3", "title"]`. Null if no single argument is invalid.
    field: Option<Vec<String>>,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        UserError {
            message: refusal.message,
            code: refusal.code,
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

/// Declares mutations, each with the description of its input. Their fields are nullable, so that a failed mutation does not
/// affect the others of its request.
macro_rules! mutations {
    (
        $(#[$doc:meta])* $Mutation:ident;
        $(
            $(#[$field_doc:meta])*
            async fn $name:ident($ctx:ident $(, $input:ident: $Input:ident = $desc:literal)? $(,)?) -> $Payload:ident
                $body:block
        )+
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $Mutation;

        #[async_graphql::Object]
        impl $Mutation {
            $(
                $(#[$field_doc])*
                async fn $name(
                    &self,
                    $ctx: &async_graphql::Context<'_>,
                    $(#[graphql(desc = $desc)] $input: $Input,)?
                ) -> Option<Result<$Payload, $crate::error::Error>> {
                    let payload = async { $body };
                    Some(payload.await)
                }
            )+
        }
    };
}
pub(crate) use mutations;

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

/// The payload of an entry. On a conflict, it has the current item and an error.
fn of_entry<T: Into<P::Value>, P: Payload>(
    outcome: Outcome<T>,
    located: impl Fn(Refusal) -> Refusal,
) -> P {
    let (item, refusals) = match outcome {
        Outcome::Done(item) => (Some(item), Vec::new()),
        Outcome::Conflict(item) => (Some(item), vec![conflict()]),
        Outcome::Refused(refusals) => (None, refusals),
        Outcome::Withheld => (None, Vec::new()),
    };
    let refusals = refusals.into_iter().map(located);
    P::new(item.map(T::into), refusals.map(UserError::from).collect())
}

fn conflict() -> Refusal {
    let message = "The item has changed meanwhile. The payload contains the current one.";
    Refusal::of("version", RefusalCode::Conflict, message)
}

/// The payload of a mutation of one item.
///
/// # Errors
/// Same as [`split`].
pub(crate) fn respond_to_one<T: Into<P::Value>, P: Payload>(
    outcomes: Result<Vec<Outcome<T>>, Failure>,
) -> Result<P, Error> {
    match outcomes {
        Ok(outcomes) => {
            let payloads = outcomes
                .into_iter()
                .map(|outcome| of_entry(outcome, |it| it));
            let payload = payloads.last();
            payload.ok_or_else(|| Error::internal("an entry has no outcome"))
        }
        Err(failure) => respond(Err::<T, Failure>(failure)),
    }
}

/// The results of a batch, and the errors of the batch as a whole.
///
/// # Errors
/// Same as [`split`].
pub(crate) fn respond_to_batch<T: Into<P::Value>, P: Payload>(
    outcomes: Result<Vec<Outcome<T>>, Failure>,
) -> Result<(Vec<P>, Vec<UserError>), Error> {
    let (outcomes, user_errors) = split(outcomes)?;
    let entries = outcomes.into_iter().flatten().enumerate();
    let results = entries.map(|(index, outcome)| of_entry(outcome, |it| it.in_entry(index)));
    Ok((results.collect(), user_errors))
}
