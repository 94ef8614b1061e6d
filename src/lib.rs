//! SnapNote: a GraphQL API service for courses, documents, tasks and tags, on PostgreSQL.
//!
//! # Code map
//! One folder per noun holds its rules, columns and SQL. Above them is one GraphQL layer, because GraphQL types refer to
//! each other in cycles. A module uses only modules in rows below its own; `tests/it/layering.rs` reads this table and checks it.
//!
//! | module | responsibility |
//! | --- | --- |
//! | [`cli`] | the commands of the program |
//! | [`config`] | settings: the only module that reads the environment |
//! | [`app`] | builds, starts and stops everything that lives as long as the process |
//! | [`http`] | the only module that knows HTTP: requests, WebSockets, server-sent events, uploads, health |
//! | [`graphql`] | the schema: objects, resolvers, lookahead and loaders |
//! | [`demo`] | example data |
//! | [`export`] | all data of a user as a zip file |
//! | [`search`] | full-text search with highlights |
//! | [`changes`] | the change feed: past changes in pages, and new changes live |
//! | [`trash`] | moves items to the trash, restores them, deletes them permanently |
//! | [`audit`] [`mail`] | reads and prunes the audit log; writes and sends mails |
//! | [`images`] | images of documents: upload, check, store, remove |
//! | [`users`] [`courses`] [`documents`] [`tasks`] [`tags`] | the nouns: `mod` (commands), `model` (columns, inputs, limits), `store` (all SQL) |
//! | [`pending`] | work of commands on many rows that a background job finishes |
//! | [`items`] | what courses, documents, tasks and tags share |
//! | [`auth`] | authentication: passwords, tokens, sessions, external identity providers, rate limits |
//! | [`email_address`] | valid email addresses, and when two are equal |
//! | `rules` | checks of inputs |
//! | [`scalars`] | scalars of the API and types of input fields |
//! | [`db`] | connections, statements, transactions, pages, background jobs, migrations |
//! | [`error`] | the two kinds of errors |
//! | [`telemetry`] | the log, metrics and traces |
//!
//! Parts that do not depend on the product are crates in `crates/`: `graphql-gate` checks GraphQL requests before async-graphql
//! runs them, `embedded-postgres` runs a private PostgreSQL, `postgres-connect` opens connections, `image-intake` checks images,
//! `text-analysis` splits texts into words, `text-index` finds the items that contain words, and `docs-site` has the documentation.
//!
//! # Reading order
//! [`error`], then [`courses`] (the smallest noun) and [`items`], then `db::sql` and `db::row`, then `graphql::course` and
//! [`graphql::Api`], then `http::graphql`. `docs/architecture.md` follows two requests through the code, and
//! `docs/adding.md` explains how to add to it.
//!
//! # Rules
//! - Every statement on users' data takes the owner's id. For a caller, objects of other users do not exist.
//! - Only `store.rs` files and [`db`] contain SQL, and SQL text never contains what a caller sent.
//! - Only [`graphql`], [`http`], and the derives of inputs and enums know the GraphQL library. Only [`http`] knows HTTP.
//! - An error that the caller can fix is a [`error::Refusal`]. Every other error is an [`error::Error`], logged once and
//!   masked.
//! - Every change that the service acknowledges is committed.

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
pub mod export;
pub mod graphql;
pub mod http;
pub mod images;
pub mod items;
pub mod mail;
pub mod pending;
mod rules;
pub mod scalars;
pub mod search;
pub mod tags;
pub mod tasks;
pub mod telemetry;
pub mod trash;
pub mod users;
