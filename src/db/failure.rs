//! Maps the database's errors to the service's, and recognizes those that can be retried.
//!
//! Messages are compared with PostgreSQL's English ones: diesel-async passes SQLSTATEs on only as [`DatabaseErrorKind`], which
//! covers few.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::Error;

/// Maps a database error to an [`Error`]. Only the log shows the database's message.
pub(crate) fn from_database(error: DieselError) -> Error {
    if is_conflict(&error) {
        return Error::unavailable(format!("a conflict between transactions: {error}"));
    }
    match &error {
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        ) => Error::unavailable(format!("the connection to the database failed: {error}")),
        // The signed-in user was deleted while the request ran.
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, information)
            if information
                .constraint_name()
                .is_some_and(|name| name.ends_with("_user_id_fkey")) =>
        {
            Error::unauthenticated("This user was deleted.")
        }
        DieselError::DatabaseError(_, information) => {
            let message = information.message();
            if message.starts_with("canceling statement due to") {
                return Error::timeout(message);
            }
            let outages = [
                "terminating connection",
                "the database system is",
                "cannot execute",
                // A standby cannot run functions that need a primary.
                "recovery is in progress",
            ];
            if outages.iter().any(|start| message.starts_with(start)) {
                return Error::unavailable(message);
            }
            let constraint = information.constraint_name().unwrap_or("none");
            Error::internal(format!("{message} (constraint: {constraint})"))
        }
        _ => Error::internal(error),
    }
}

/// Whether the server rolled back the transaction only because of other transactions, so that a repeat may succeed: 40001
/// (serialization_failure) or 40P01 (deadlock_detected).
pub(super) fn is_conflict(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            information.message() == "deadlock detected"
        }
        _ => false,
    }
}

/// Whether the server received a cancel request while the statement ran.
pub(super) fn is_cancelled(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(_, information) => {
            information.message() == "canceling statement due to user request"
        }
        _ => false,
    }
}

/// The name of the unique constraint that the statement violated, if it failed for this reason.
pub(crate) fn violated_unique(error: &DieselError) -> Option<&str> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
            information.constraint_name()
        }
        _ => None,
    }
}
