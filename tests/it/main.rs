//! The tests, through the API as a client would use it: one binary, a PostgreSQL of its own, a database for each test.
//!
//! A file a subject: `first_session`, `people`, `addresses`, `sessions`, `session_list`, `recovery`, `issuers`, `throttles`, `admins`, `import`,
//! `leaving`, `log` (the audit log), `secrets`, `keeping`, `images`, `search`, `changes` (the feed, in pages and live), `live`
//! (WebSocket and server-sent events), `walks` (of lists), `isolation`, `edge` (HTTP), `http`; and below
//! the API `mail_worker`, `forgetting`, `jobs`, `program`, `schema`, `migrations`, `house`. What they stand on is in `support`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod admins;
mod changes;
mod edge;
mod first_session;
mod forgetting;
mod hang_ups;
mod house;
mod http;
mod images;
mod import;
mod isolation;
mod issuers;
mod jobs;
mod keeping;
mod large;
mod leaving;
mod live;
mod log;
mod mail_worker;
mod migrations;
mod people;
mod program;
mod recovery;
mod schema;
mod search;
mod secrets;
mod session_list;
mod sessions;
mod support;
mod throttles;
mod walks;
