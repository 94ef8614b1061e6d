//! SnapNote: a GraphQL API service for courses, documents and tasks, on PostgreSQL.
//!
//! # The map
//! A vertical core, a folder a noun, under one horizontal GraphQL edge. A module uses only what stands below it here; a test
//! reads the `use crate::…` lines and holds them against this table.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cli`] | the program's commands |
//! | [`config`] | the settings: the only reader of the environment |
//! | [`telemetry`] | the log |
//! | [`app`] | what lives as long as the process, put together |
//! | [`http`] | the only module that knows HTTP |
//! | [`graphql`] | the schema, the gate before it, and resolvers |
//! | [`demo`] | a semester to look around in |
//! | [`search`] | what somebody's items say, found: words, what resembles them, passages |
//! | [`changes`] | the change feed: what changed since a cursor, and live |
//! | [`trash`] | what goes to the trash, comes back, and is deleted for good |
//! | [`audit`] | the audit log: read and pruned |
//! | [`mail`] | the outbox: mails are written, sent, and tried again |
//! | [`images`] | pictures of documents: sent, checked, cleaned, kept and removed |
//! | [`users`] [`courses`] [`documents`] [`tasks`] | a noun each: `mod` (rules, commands), `model` (rows), `store` (all its SQL) |
//! | [`pending`] | what commands on many rows leave to a background job |
//! | [`items`] | what courses, documents and tasks have in common |
//! | [`auth`] | who somebody is: passwords, tokens, sessions, outside issuers, throttles |
//! | [`email_address`] `rules` | valid email addresses and when two are the same account; how inputs are checked |
//! | [`db`] | the database: pool, connections, pages, migrations |
//! | [`error`] | what can go wrong, in two kinds that never mix |
//!
//! Parts that know nothing of the product are crates of their own in `crates/`: the embedded PostgreSQL server, connection
//! strings and TLS, and the checks of uploaded images.
//!
//! # Reading order
//! [`error`], then [`courses`] (the smallest noun, whole), then [`db::pool`] and `db::sql`, then `graphql::course` and
//! [`graphql::Api`], then `http::graphql`. `docs/architecture.md` walks through two requests.
//!
//! # What always holds
//! - Every statement on what people keep takes its owner: what is not yours does not exist.
//! - Only `store` modules and [`db`] hold SQL; nothing that a caller sent stands in its text.
//! - Only [`graphql`] and [`http`] know the GraphQL library; only [`http`] knows HTTP.
//! - A caller's mistake is a [`error::Refusal`]; all else is an [`error::Error`], logged once and masked.
//! - Whatever is acknowledged is committed.

pub mod app;
pub mod audit;
pub mod auth;
pub mod changes;
pub mod cli;
pub mod config;
pub mod courses;
pub mod db;
pub mod demo;
pub mod documents;
pub mod email_address;
pub mod error;
pub mod graphql;
pub mod http;
pub mod images;
pub mod items;
pub mod mail;
pub mod pending;
mod rules;
pub mod scalars;
pub mod search;
pub mod tasks;
pub mod telemetry;
pub mod trash;
pub mod users;
