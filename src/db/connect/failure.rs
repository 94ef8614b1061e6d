//! Why a connection to the database could not be made, in one line for the operator: the cause, and what can be done.
//!
//! Where and as whom is said by `../connect.rs`. Nothing here decides anything, and no client ever reads it.

use std::{error::Error as _, io};

use diesel::ConnectionError;
use rustls::CertificateError;
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use super::tls::is_authority;

/// A failure's cause, and what can be done about it where that is known.
pub(super) fn explain(error: &Error) -> String {
    let Some(source) = error.source() else {
        return format!("{error}; check that it is PostgreSQL that listens there");
    };
    let (cause, remedy) = if let Some(refusal) = source.downcast_ref::<DbError>() {
        (words_of(refusal), remedy_for_refusal(refusal))
    } else if let Some(failure) = source.downcast_ref::<io::Error>() {
        (failure.to_string(), remedy_for_failure(failure))
    } else {
        (source.to_string(), remedy_for_text(&source.to_string()))
    };
    remedy.map_or_else(|| cause.clone(), |remedy| format!("{cause}; {remedy}"))
}

/// Why a connection that is open could not be made ready for use.
pub(super) fn explain_setup(error: &ConnectionError) -> String {
    let cause = format!("the session could not be set up: {error}");
    if !cause.contains("prepared statement") {
        return cause;
    }
    format!(
        "{cause}; a pooler stands between that mixes prepared statements up: it must be PgBouncer 1.21 or later with \
         max_prepared_statements, or pool by session"
    )
}

fn words_of(refusal: &DbError) -> String {
    let more = [refusal.detail(), refusal.hint()];
    let words = std::iter::once(refusal.message()).chain(more.into_iter().flatten());
    words.collect::<Vec<_>>().join(" - ").replace('\n', " ")
}

fn remedy_for_refusal(refusal: &DbError) -> Option<&'static str> {
    let says = |words| refusal.message().contains(words);
    match *refusal.code() {
        SqlState::INVALID_PASSWORD => {
            Some("check user and password; in a URL their special characters are percent-encoded")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("no encryption") => {
            Some("the server may want TLS: add sslmode=require or better")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("client certificate") => {
            Some("add sslcert and sslkey")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("channel binding") => {
            Some("somebody stands between who has TLS of their own, be it a proxy or an impostor")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Some("check the user, and that the server's pg_hba.conf lets it in from here")
        }
        SqlState::INVALID_CATALOG_NAME => Some("create the database, or correct its name"),
        SqlState::INSUFFICIENT_PRIVILEGE => Some("let the user in with GRANT CONNECT ON DATABASE"),
        SqlState::TOO_MANY_CONNECTIONS => {
            Some("keep fewer connections in the pool, or raise the server's max_connections")
        }
        SqlState::CANNOT_CONNECT_NOW => Some("try again in a moment"),
        SqlState::UNDEFINED_OBJECT | SqlState::INVALID_PARAMETER_VALUE => {
            Some("check `options` in the connection string")
        }
        _ if says("startup parameter") => {
            Some("a pooler does not know it: leave it out of the connection string")
        }
        _ => None,
    }
}

fn remedy_for_failure(failure: &io::Error) -> Option<&'static str> {
    let inner = failure.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return remedy_for_handshake(error);
    }
    match failure.kind() {
        io::ErrorKind::ConnectionRefused => Some("check that PostgreSQL runs there, and the port"),
        io::ErrorKind::NotFound => {
            Some("check that PostgreSQL runs, and that its unix_socket_directories has this folder")
        }
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => {
            Some("check the address, and that no firewall stands between")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            Some("check that it is PostgreSQL that listens there")
        }
        _ if failure.to_string().starts_with("failed to lookup") => Some("check the host's name"),
        _ => None,
    }
}

fn remedy_for_handshake(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Problem;
    let problem = match error {
        rustls::Error::InvalidCertificate(problem) => problem,
        rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => {
            return Some("the server must speak TLS 1.2 or 1.3, and may want sslcert and sslkey");
        }
        _ => return None,
    };
    match problem {
        Problem::UnknownIssuer | Problem::BadSignature => Some(
            "give the file of the authority that signed the server's certificate as sslrootcert",
        ),
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => Some(
            "use a host name that the certificate lists as an alternative name; its common name does not count",
        ),
        Problem::Expired | Problem::ExpiredContext { .. } => Some("renew the server's certificate"),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => Some("set the clock right"),
        _ if is_authority(error) => Some(
            "give the server's certificate itself as sslrootcert, or one that is no authority's to the server",
        ),
        _ => Some("give the server an X.509 version 3 certificate"),
    }
}

fn remedy_for_text(problem: &str) -> Option<&'static str> {
    match problem {
        "server does not support TLS" => {
            Some("turn ssl on in the server, or use sslmode=disable on a network that you trust")
        }
        "server did not use channel binding" => Some(
            "channel_binding=require needs TLS, and a password of the scram-sha-256 method in the server",
        ),
        "password missing" => Some("write the user's password into the connection string"),
        _ => None,
    }
}
