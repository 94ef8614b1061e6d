//! Maps the database's errors to the service's: the only place that knows what an SQLSTATE means for a caller.
//!
//! diesel-async passes SQLSTATEs on only as [`DatabaseErrorKind`], which covers few. The others are recognized in
//! [`STATES`] by PostgreSQL's English messages. `pooler` warns at start if the server writes its messages in another
//! language.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use crate::error::Error;

/// What to do if a pooler mixes up prepared statements.
pub(super) const POOLER_REMEDY: &str = "a pooler mixes up prepared statements: use PgBouncer 1.21 or later with \
    max_prepared_statements, or pooling by session";

/// What an error of the database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server rolled back the transaction only because of other transactions, so a repeat may succeed.
    Conflict,
    /// The server received a cancel request while the statement ran.
    Canceled,
    /// The statement ran longer than it may.
    Timeout,
    /// The server lacks a resource, is stopping or starting, or closed the connection. The same statement succeeds
    /// later.
    Unavailable,
    /// The connection is out of date: it leads to a former primary, or has statements from before a migration. The same
    /// statement succeeds on a new connection.
    Outdated,
    /// The server does not know the connection's prepared statements, or knows others under their names.
    MixedUp,
    /// The database's role lacks a right.
    Denied,
    /// An error in the service.
    Other,
}

impl Kind {
    /// The name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Conflict => "conflict",
            Kind::Canceled => "canceled",
            Kind::Timeout => "timeout",
            Kind::Unavailable => "unavailable",
            Kind::Outdated => "outdated",
            Kind::MixedUp => "mixed_up",
            Kind::Denied => "denied",
            Kind::Other => "other",
        }
    }
}

/// The messages of an SQLSTATE.
struct State {
    kind: Kind,
    code: &'static str,
    /// PostgreSQL's name of the code: the message of `RAISE` without one.
    name: &'static str,
    /// English messages. `*` stands for any text, at most once.
    messages: &'static [&'static str],
}

const fn state(
    kind: Kind,
    code: &'static str,
    name: &'static str,
    messages: &'static [&'static str],
) -> State {
    State {
        kind,
        code,
        name,
        messages,
    }
}

/// The first entry that matches decides. Unmentioned states are [`Kind::Other`].
#[rustfmt::skip]
const STATES: &[State] = &[
    state(Kind::Conflict, "40001", "serialization_failure", &["could not serialize access *", "canceling statement due to conflict with recovery*"]),
    state(Kind::Conflict, "40P01", "deadlock_detected", &["deadlock detected", "canceling the transaction since it was involved in a distributed deadlock"]),
    state(Kind::Canceled, "57014", "query_canceled", &["canceling statement due to user request"]),
    state(Kind::Unavailable, "55P03", "lock_not_available", &["canceling statement due to lock timeout", "could not obtain lock on *"]),
    state(Kind::Timeout, "57014", "query_canceled", &["canceling statement due to *", "query timeout", "query_timeout"]),
    // A standby, or a server that is being switched over. Functions that need a primary fail with 55000.
    state(Kind::Outdated, "25006", "read_only_sql_transaction", &["cannot execute * in a read-only transaction", "cannot execute * during recovery"]),
    state(Kind::Outdated, "55000", "object_not_in_prerequisite_state", &["recovery is in progress", "cannot assign TransactionIds during recovery"]),
    state(Kind::Outdated, "0A000", "feature_not_supported", &["cached plan must not change result type", "cannot access temporary or unlogged relations during recovery"]),
    state(Kind::MixedUp, "26000", "invalid_sql_statement_name", &["prepared statement * does not exist", "unnamed prepared statement does not exist"]),
    state(Kind::MixedUp, "42P05", "duplicate_prepared_statement", &["prepared statement * already exists"]),
    state(Kind::MixedUp, "34000", "invalid_cursor_name", &["portal * does not exist"]),
    state(Kind::MixedUp, "08P01", "protocol_violation", &["bind message supplies *", "bind message has *"]),
    state(Kind::Unavailable, "53000", "insufficient_resources", &[]),
    // Neon reports its limit of a project's size as 53100.
    state(Kind::Unavailable, "53100", "disk_full", &["could not extend file*", "could not *No space left on device", "could not *Disk quota exceeded",
        "could not *wrote only * bytes*", "No space left on device"]),
    state(Kind::Unavailable, "53200", "out_of_memory", &["out of memory*", "out of shared memory*"]),
    state(Kind::Unavailable, "53300", "too_many_connections", &["sorry, too many clients already", "remaining connection slots are reserved *",
        "too many connections for *", "no more connections allowed*"]),
    state(Kind::Unavailable, "53400", "configuration_limit_exceeded", &["temporary file size exceeds *"]),
    state(Kind::Unavailable, "57P01", "admin_shutdown", &["terminating connection *"]),
    state(Kind::Unavailable, "57P02", "crash_shutdown", &[]),
    state(Kind::Unavailable, "57P03", "cannot_connect_now", &["the database system is *"]),
    state(Kind::Unavailable, "57P04", "database_dropped", &[]),
    state(Kind::Unavailable, "57P05", "idle_session_timeout", &[]),
    state(Kind::Unavailable, "25P03", "idle_in_transaction_session_timeout", &["idle transaction timeout", "idle_transaction_timeout"]),
    state(Kind::Unavailable, "25P04", "transaction_timeout", &[]),
    state(Kind::Unavailable, "08000", "connection_exception", &[]),
    state(Kind::Unavailable, "08001", "sqlclient_unable_to_establish_sqlconnection", &[]),
    state(Kind::Unavailable, "08003", "connection_does_not_exist", &[]),
    state(Kind::Unavailable, "08004", "sqlserver_rejected_establishment_of_sqlconnection", &[]),
    state(Kind::Unavailable, "08006", "connection_failure", &["connection to client lost",
        // What Citus says when it cannot reach another server.
        "connection to the remote node *", "could not establish any connections to the node *"]),
    state(Kind::Unavailable, "08007", "transaction_resolution_unknown", &[]),
    // What PgBouncer says when it loses the server or has no connection left.
    state(Kind::Unavailable, "08P01", "protocol_violation", &["server conn crashed*", "query_wait_timeout", "server login has been failing*",
        "client_idle_timeout", "client_login_timeout*", "server connection closed", "server idle timeout", "connect timeout"]),
    state(Kind::Denied, "42501", "insufficient_privilege", &["permission denied *", "must be owner of *", "must have *", "must be *"]),
];

impl State {
    fn matches(&self, message: &str) -> bool {
        [self.code, self.name].contains(&message)
            || self.messages.iter().any(|like| is_like(message, like))
    }
}

/// Whether a message is like a pattern. The text before the first `*` must begin it, and the text after the last must
/// end it: what is quoted inside of a message may come from a caller.
fn is_like(message: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let start = parts.next().unwrap_or_default();
    let Some(mut rest) = message.strip_prefix(start) else {
        return false;
    };
    let Some(end) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(end)
}

/// What this error means.
pub(super) fn kind_of(error: &DieselError) -> Kind {
    match error {
        DieselError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::SerializationFailure => Kind::Conflict,
            DatabaseErrorKind::ReadOnlyTransaction => Kind::Outdated,
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                Kind::Unavailable
            }
            DatabaseErrorKind::Unknown => kind_of_message(information.message()),
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

/// What the error with this message means.
pub(super) fn kind_of_message(message: &str) -> Kind {
    let found = STATES.iter().find(|state| state.matches(message));
    found.map_or(Kind::Other, |state| state.kind)
}

/// Maps a database error to an [`Error`]. Only the log shows the database's message.
pub(crate) fn from_database(error: DieselError) -> Error {
    let DieselError::DatabaseError(kind, information) = &error else {
        return Error::internal(error);
    };
    let message = described(&**information);
    match kind_of(&error) {
        Kind::Conflict => Error::unavailable(format!("a conflict between transactions: {message}")),
        Kind::Canceled | Kind::Timeout => Error::timeout(message),
        Kind::Unavailable => Error::unavailable(format!("the database failed: {message}")),
        Kind::Outdated => Error::unavailable(format!(
            "the connection is out of date and will be replaced: {message}"
        )),
        Kind::MixedUp => Error::unavailable(format!("{message}; {POOLER_REMEDY}")),
        Kind::Denied => Error::internal(format!(
            "{message}; grant the right to the role in DATABASE_URL, or run `snapnote migrate up` as this role"
        )),
        // The signed-in user was deleted while the request ran.
        Kind::Other if is_missing_user(*kind, &**information) => {
            Error::unauthenticated("This user was deleted.")
        }
        Kind::Other => {
            let constraint = constraint(&**information).unwrap_or("none");
            Error::internal(format!("{message} (constraint: {constraint})"))
        }
    }
}

/// The message, with the server's own hint. Its details may contain users' data.
fn described(information: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    let message = information.message();
    match information.hint() {
        Some(hint) => format!("{message} ({hint})"),
        None => message.to_owned(),
    }
}

fn is_missing_user(
    kind: DatabaseErrorKind,
    information: &(dyn DatabaseErrorInformation + Send + Sync),
) -> bool {
    matches!(kind, DatabaseErrorKind::ForeignKeyViolation)
        && constraint(information).is_some_and(|name| name.ends_with("_user_id_fkey"))
}

/// The name of the unique constraint that the statement violated, if it failed for this reason.
pub(crate) fn violated_unique(error: &DieselError) -> Option<&str> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
            constraint(information.as_ref())
        }
        _ => None,
    }
}

/// The name of the violated constraint or index. The coordinator of a sharded database passes on only the message, where it is after the
/// word `constraint`.
fn constraint(information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Option<&str> {
    let in_message = || {
        let (_, named) = information.message().split_once("constraint \"")?;
        named.split('"').next()
    };
    let name = information.constraint_name().or_else(in_message);
    name.map(without_shard)
}

/// The name without the number of the shard, which servers of a sharded database add: `users_pkey_102008`.
fn without_shard(name: &str) -> &str {
    let (before, number) = name.rsplit_once('_').unwrap_or((name, ""));
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { before } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn names_of_constraints_do_not_depend_on_the_shard() {
        for name in ["audit_logs_created_once", "audit_logs_created_once_102013"] {
            assert_eq!(without_shard(name), "audit_logs_created_once");
        }
        for name in ["", "_", "users_email_key"] {
            assert_eq!(without_shard(name), name);
        }
    }

    #[test]
    fn the_message_names_a_constraint_that_the_server_does_not_name() {
        let violated = |message: &str| {
            let information = Box::new(message.to_owned());
            let error = DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information);
            violated_unique(&error).map(str::to_owned)
        };
        let message = "duplicate key value violates unique constraint \"tags_name_102013\"";
        assert_eq!(violated(message).as_deref(), Some("tags_name"));
        assert_eq!(violated("duplicate key"), None);
        let message = "update or delete on table \"owners_102009\" violates foreign key constraint \"tags_user_id_fkey_102013\" \
                       on table \"tags_102013\"";
        let information: Box<dyn DatabaseErrorInformation + Send + Sync> =
            Box::new(message.to_owned());
        assert_eq!(constraint(information.as_ref()), Some("tags_user_id_fkey"));
    }

    #[test]
    fn the_log_names_the_constraint_of_an_internal_error() {
        let detail = |message: &str| {
            let information = Box::new(message.to_owned());
            let check = DatabaseErrorKind::CheckViolation;
            from_database(DieselError::DatabaseError(check, information)).detail
        };
        let message =
            "new row for relation \"tags_102013\" violates check constraint \"tags_color_102013\"";
        assert!(detail(message).ends_with("(constraint: tags_color)"));
        assert!(detail("out of memory").ends_with("(constraint: none)"));
    }

    fn code(kind: DatabaseErrorKind, message: &str) -> Code {
        let information = Box::new(message.to_owned());
        from_database(DieselError::DatabaseError(kind, information)).code
    }

    #[test]
    fn outages_and_full_disks_are_unavailable() {
        for message in [
            "could not extend file \"base/16384/16397\": No space left on device",
            "could not extend file \"base/5/7\": wrote only 4096 of 8192 bytes at block 3",
            "could not extend file because project size limit (512 MB) has been exceeded",
            "could not write to file \"base/pgsql_tmp/pgsql_tmp12.0\": No space left on device",
            "could not resize shared memory segment \"/PostgreSQL.1\" to 8388608 bytes: No space left on device",
            "disk_full",
            "53100",
            "out of memory",
            "out of shared memory",
            "sorry, too many clients already",
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "temporary file size exceeds \"temp_file_limit\" (1kB)",
            "terminating connection due to administrator command",
            "terminating connection because of crash of another server process",
            "terminating connection due to idle-in-transaction timeout",
            "the database system is shutting down",
            "server conn crashed?",
            "query_wait_timeout",
            "connection_failure",
            "could not obtain lock on row in relation \"courses\"",
            "canceling statement due to lock timeout",
            "deadlock detected",
            "recovery is in progress",
            "cannot access temporary or unlogged relations during recovery",
            "cannot execute UPDATE in a read-only transaction",
            "cannot execute nextval() during recovery",
            "cached plan must not change result type",
            "prepared statement \"s17\" does not exist",
            "prepared statement \"s17\" already exists",
            "unnamed prepared statement does not exist",
            "bind message supplies 2 parameters, but prepared statement \"s4\" requires 1",
        ] {
            assert_eq!(
                code(DatabaseErrorKind::Unknown, message),
                Code::Unavailable,
                "{message}"
            );
        }
        for kind in [
            DatabaseErrorKind::SerializationFailure,
            DatabaseErrorKind::ReadOnlyTransaction,
            DatabaseErrorKind::ClosedConnection,
            DatabaseErrorKind::UnableToSendCommand,
        ] {
            assert_eq!(code(kind, "in another language"), Code::Unavailable);
        }
    }

    #[test]
    fn statements_that_run_too_long_are_timeouts() {
        for message in [
            "canceling statement due to statement timeout",
            "canceling statement due to user request",
        ] {
            assert_eq!(code(DatabaseErrorKind::Unknown, message), Code::Timeout);
        }
    }

    #[test]
    fn errors_in_statements_are_internal_whatever_they_quote() {
        for message in [
            "column \"deadlock detected\" does not exist",
            "relation \"users\" does not exist",
            "cannot execute SELECT FOR UPDATE in a parallel worker",
            "could not open file \"base/5/7\": No such file or directory",
            "invalid input syntax for type uuid: \"No space left on device\"",
            "permission denied for table courses",
        ] {
            assert_eq!(
                code(DatabaseErrorKind::Unknown, message),
                Code::Internal,
                "{message}"
            );
        }
        assert_eq!(
            code(DatabaseErrorKind::CheckViolation, "out of memory"),
            Code::Internal
        );
    }

    #[test]
    fn a_pooler_and_missing_rights_are_explained() {
        let error = |message: &str| {
            let information = Box::new(message.to_owned());
            let unknown = DatabaseErrorKind::Unknown;
            from_database(DieselError::DatabaseError(unknown, information)).detail
        };
        assert!(error("prepared statement \"s1\" does not exist").contains("PgBouncer 1.21"));
        assert!(error("permission denied for table courses").contains("grant"));
    }

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        assert!(is_like("ab", "ab") && is_like("ab", "a*b") && is_like("a-b-c", "a*b*c"));
        assert!(!is_like("abc", "ab") && !is_like("xab", "a*b") && !is_like("abx", "a*b"));
        assert!(!is_like("a", "a*a") && !is_like("a-c", "a*b*c"));
    }
}
