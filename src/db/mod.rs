//! The database: connections to it, and the only way to send statements.
//!
//! - [`pool`]: [`Database`], the bounded pool of connections.
//! - `connection`: a leased [`Connection`]: statements, transactions, and repeating those that lost a conflict.
//! - `shared_reads`: connections that many requests share for short reads. `reader`: look-ups on either kind of connection.
//! - `connection_manager`: opens connections, and recovers those whose future was dropped in the middle of a statement.
//! - `failure`: maps the database's errors to the service's.
//! - [`connect`]: from a URL to a connection, with TLS. [`pooler`]: what a pooler in between does to sessions.
//! - `share`: what the requests of one user or address may lease at the same time.
//! - [`activity`]: when callers last used the database, and what an idle process does.
//! - `metrics`: counts statements and waits for connections.
//! - [`replica`]: a read replica, and which queries may use it.
//! - [`sharding`]: what differs if Citus distributes the tables over several servers.
//! - `writes`: the users whose items were changed, for the change feed.
//! - `sql`: statements with handwritten text, prepared once. `row`: the rows that they return. `raw`: rows as the database
//!   sends them. `time_text`: the text of times.
//! - [`background`]: background jobs, and the supervisor that keeps them running.
//! - `keyset`: pages of lists by cursor. `current`: reads lists while operations are pending.
//! - [`migrate`]: the schema's versions; `schema` is generated from them.
//! - `checkup`: what the log and `snapnote check` say about the database. `backup`: what backups and restores read and run.
//!
//! The SQL of each noun is in its `store.rs`, never here.

pub mod activity;
pub mod background;
pub(crate) mod backup;
pub(crate) mod checkup;
pub mod connect;
mod connection;
mod connection_manager;
pub(crate) mod current;
pub(crate) mod cursor;
mod failure;
pub(crate) mod keyset;
pub(crate) mod metrics;
pub mod migrate;
pub mod pool;
pub mod pooler;
pub(crate) mod raw;
mod reader;
pub mod replica;
pub(crate) mod row;
#[rustfmt::skip]
#[expect(unreachable_pub, reason = "it is generated")]
pub(crate) mod schema;
pub mod sharding;
pub(crate) mod share;
pub(crate) mod shared_reads;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
pub(crate) mod time_text;
pub(crate) mod writes;

pub use connection::Connection;
pub use pool::{Database, PoolSettings};
pub(crate) use reader::Reader;
pub(crate) use row::{Columns, Load, Row, named, numbered, row};
pub(crate) use shared_reads::SharedText;
pub use sql::Origin;
pub(crate) use sql::{SqlText, Statement};
pub(crate) use writes::{Writers, Writes};
