//! What the tests stand on: a throw-away PostgreSQL that all test processes share, a database for each test cloned from
//! a migrated template, and the service in this process, spoken to over HTTP.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use snapnote::db::embedded::{Embedded, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
};
