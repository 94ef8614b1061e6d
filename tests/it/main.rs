//! Tests through the API as clients use it: one binary, a PostgreSQL of its own, a database for each test.
//!
//! Each file is a subject; its first lines say what it tests. `support` has the helpers: tests start the service, sign users up
//! and call the API by typed methods, and wait for conditions instead of pausing.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod account_deletion;
mod accounts;
mod admins;
mod audit_log;
mod background_jobs;
mod batches;
mod blank_texts;
mod change_feed;
mod clean_up;
mod course_items;
mod due_dates;
mod email_addresses;
mod errors;
mod export;
mod faulty_network;
mod filters;
mod http;
mod identity_providers;
mod idle;
mod images;
mod import;
mod input_values;
mod isolation;
mod items;
mod large_operations;
mod layering;
mod load;
mod mail_delivery;
mod many_rows;
mod mcp;
mod metrics;
mod migrations;
mod new_user;
mod operation_log;
mod order_plans;
mod outages;
mod pagination;
mod password_reset;
mod password_spellings;
mod plans;
mod poolers;
mod positions;
mod program;
mod quotas;
mod rate_limits;
mod replicas;
mod response_size;
mod schema;
mod search;
mod secret_rotation;
mod secrets;
mod session_list;
mod sessions;
mod sharding;
mod shared_reads;
mod small_pools;
mod statements;
mod subscriptions;
mod support;
mod tags;
mod traces;
mod trusted_documents;
