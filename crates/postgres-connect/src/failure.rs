//! Explains why a connection could not be opened, in one line for the operator: the cause and a remedy.
//!
//! `target` adds the address and the user. Nothing here affects behavior.

use std::{error::Error as _, io};

use rustls::CertificateError;
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use crate::tls::is_authority;

/// The cause of a failure, and a remedy if one is known.
pub(crate) fn explain(error: &Error) -> String {
    let Some(source) = error.source() else {
        return format!("{error}; check that a PostgreSQL server listens on this port");
    };
    let (cause, remedy) = if let Some(error) = source.downcast_ref::<DbError>() {
        (text_of(error), remedy_for_server_error(error))
    } else if let Some(error) = source.downcast_ref::<io::Error>() {
        (error.to_string(), remedy_for_io_error(error))
    } else {
        (source.to_string(), remedy_for_text(&source.to_string()))
    };
    remedy.map_or_else(|| cause.clone(), |remedy| format!("{cause}; {remedy}"))
}

fn text_of(error: &DbError) -> String {
    let more = [error.detail(), error.hint()];
    let parts = std::iter::once(error.message()).chain(more.into_iter().flatten());
    parts.collect::<Vec<_>>().join(" - ").replace('\n', " ")
}

fn remedy_for_server_error(error: &DbError) -> Option<&'static str> {
    let says = |text| error.message().contains(text);
    match *error.code() {
        SqlState::INVALID_PASSWORD => {
            Some("check user and password; in a URL, percent-encode their special characters")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("no encryption") => {
            Some("the server may require TLS: add sslmode=require or stronger")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("client certificate") => {
            Some("add sslcert and sslkey")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION if says("channel binding") => {
            Some("a proxy or an impostor terminates TLS before the server")
        }
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Some("check the user, and that the server's pg_hba.conf accepts it from this machine")
        }
        SqlState::INVALID_CATALOG_NAME => Some("create the database, or correct its name"),
        SqlState::INSUFFICIENT_PRIVILEGE => Some("allow the user with GRANT CONNECT ON DATABASE"),
        SqlState::TOO_MANY_CONNECTIONS => {
            Some("use a smaller connection pool, or raise the server's max_connections")
        }
        SqlState::CANNOT_CONNECT_NOW => Some("try again in a moment"),
        SqlState::UNDEFINED_OBJECT | SqlState::INVALID_PARAMETER_VALUE => {
            Some("check `options` in the connection string")
        }
        _ if says("startup parameter") => {
            Some("a pooler does not support it: omit it from the connection string")
        }
        _ => None,
    }
}

fn remedy_for_io_error(failure: &io::Error) -> Option<&'static str> {
    let inner = failure.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return remedy_for_handshake(error);
    }
    match failure.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some("check that PostgreSQL is running there, and the port")
        }
        io::ErrorKind::NotFound => Some(
            "check that PostgreSQL is running, and that its unix_socket_directories contains this folder",
        ),
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Some("check the address and any firewall"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            Some("check that a PostgreSQL server listens on this port")
        }
        _ if failure.to_string().starts_with("failed to lookup") => Some("check the host name"),
        _ => None,
    }
}

fn remedy_for_handshake(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Problem;
    let problem = match error {
        rustls::Error::InvalidCertificate(problem) => problem,
        rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => {
            return Some(
                "the server must support TLS 1.2 or 1.3, and may require sslcert and sslkey",
            );
        }
        _ => return None,
    };
    match problem {
        Problem::UnknownIssuer | Problem::BadSignature => Some(
            "set sslrootcert to the certificate of the authority that signed the server's certificate",
        ),
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => Some(
            "use a host name that the certificate lists as a subject alternative name; the common name is ignored",
        ),
        Problem::Expired | Problem::ExpiredContext { .. } => Some("renew the server's certificate"),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => Some("correct the clock"),
        _ if is_authority(error) => Some(
            "set sslrootcert to the server's own certificate, or use a server certificate that is not an authority's",
        ),
        _ => Some("use an X.509 version 3 certificate for the server"),
    }
}

fn remedy_for_text(problem: &str) -> Option<&'static str> {
    match problem {
        "server does not support TLS" => {
            Some("enable ssl in the server, or use sslmode=disable on a trusted network")
        }
        "server did not use channel binding" => {
            Some("channel_binding=require needs TLS and a scram-sha-256 password")
        }
        "password missing" => Some("add the user's password to the connection string"),
        _ => None,
    }
}
