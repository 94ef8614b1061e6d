//! The database: how it is reached, and the one way in which statements are sent to it.
//!
//! - [`pool`]: [`Database`], the bounded pool of connections.
//! - `connection`: [`Connection`], one leased from it: statements, transactions, and repeating those that lost a conflict.
//! - `session`: opening connections, and recovering those whose user went away in the middle of a statement.
//! - `failure`: what the database's errors mean for callers.
//! - [`connect`]: from a connection string to a diesel connection, with the crate `postgres_connect`.
//! - `writes`: who has written lately, for the change feed.
//! - [`sql`]: statements with handwritten text, prepared once. [`row`]: what they return.
//! - [`background`]: background jobs, and the supervisor that keeps them running.
//! - [`keyset`]: pages of lists by cursor; `current`: what they read while operations are pending.
//! - [`migrate`]: the schema's versions; `schema` is generated from them.
//!
//! What is asked of the database stands in the `store.rs` of each noun, never here.

pub mod background;
pub mod connect;
mod connection;
pub(crate) mod current;
mod failure;
pub(crate) mod keyset;
pub mod migrate;
pub mod pool;
pub(crate) mod row;
#[rustfmt::skip]
#[expect(unreachable_pub, reason = "it is generated")]
pub(crate) mod schema;
mod session;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
pub(crate) mod writes;

pub use connection::Connection;
pub use pool::{Database, PoolSettings};
pub(crate) use row::{Columns, Load, Row, named, numbered, row};
pub use sql::Origin;
pub(crate) use sql::Statement;
pub(crate) use writes::{Writers, Writes};
