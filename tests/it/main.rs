//! The tests, through the API as a client would use it: one binary, a PostgreSQL of its own, a database for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;
