//! libpq-style connection strings, TLS and channel binding for tokio-postgres, without libpq.
//!
//! ```
//! use postgres_connect::Target;
//!
//! let target = Target::parse("postgres://ada:secret@db.example/notes?sslmode=verify-full")?
//!     .with_application_name("notes");
//! assert_eq!(target.to_string(), "database `notes` at db.example:5432 as `ada`");
//!
//! // Each error names the parameter, and never contains the password.
//! let error = Target::parse("host=db.example sslmode=verify").unwrap_err();
//! assert!(error.to_string().starts_with("`sslmode`: `verify` is invalid"));
//! # Ok::<(), postgres_connect::ParseError>(())
//! ```
//!
//! [`Target::connect`] then opens a connection within a time limit. Its error tells the operator where, as which user, why
//! it failed, and what to do.
//!
//! # Guarantees
//! - A protection that the string requests is enforced, or the string is rejected. It is never ignored.
//! - libpq's environment variables and files in home folders are not read.
//! - No text of this crate contains the password: not [`Target`]'s `Display` and `Debug`, and no error.
//!
//! See `connection_string` for the parameters, `tls` for what is verified, and `failure` for the remedies in errors.

mod connection_string;
mod failure;
mod libpq;
mod target;
mod tls;

pub use self::{
    connection_string::ParseError,
    target::{ConnectError, Connection, Target},
};
