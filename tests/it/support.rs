//! Helpers that all tests share.
//!
//! A test starts the service with [`TestApp`], signs users up as [`Person`]s and calls the API through the typed methods of
//! their [`Client`]: `ada.create_course("Algebra")`. It waits with [`eventually`] and holds locks with [`TestApp::begin`].

mod answer;
mod app;
pub(crate) mod citus;
mod client;
mod cost;
mod documented_codes;
mod eventually;
mod items;
mod log;
mod numbers;
mod person;
mod pgbouncer;
mod pooler;
mod postgres;
mod process;
mod raw;
mod reads;
mod replica;
mod scrape;
mod settings;
mod smtp;
mod statements;
mod values;

pub(crate) use answer::Answer;
pub(crate) use app::{BLOCKED, CONNECTIONS, TestApp};
pub(crate) use client::{Client, mutation};
pub(crate) use cost::cost;
pub(crate) use eventually::{at_least, eventually, eventually_eq, soon};
pub(crate) use items::ids;
pub(crate) use log::with_log;
pub(crate) use numbers::Numbers;
pub(crate) use person::{PASSWORD, Person, SIGNED_IN, newcomer};
pub(crate) use pgbouncer::{PgBouncer, named_pgbouncer, service_socket_of, service_url_of};
pub(crate) use pooler::{Pooler, percent_decoded};
pub(crate) use postgres::{
    Transaction, column, empty_database, execute, fresh_name, image_folder, migrated_database,
    number, revert, superuser, target_of, url_of,
};
pub(crate) use process::{Folder, Serving, output_of, program};
pub(crate) use raw::{listener_at, read_answer, read_some, sent, unfinished_request};
pub(crate) use reads::{asked_alone, index_scans, read_of};
pub(crate) use replica::Replicated;
pub(crate) use scrape::{REPLICA_METRICS, Scrape};
pub(crate) use settings::{SECRET, access_key, keep_mails, secrets, settings, trust_proxies};
pub(crate) use smtp::{Manner, SmtpServer};
pub(crate) use statements::statements_of;
pub(crate) use values::{codes, errors, list, text, texts};
