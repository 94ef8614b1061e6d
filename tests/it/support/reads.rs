//! What PostgreSQL reads for the service, by its own counters: unlike time, the same on a busy machine.

use super::{Client, TestApp};

/// How a table was read since the counters were reset.
#[derive(Debug)]
pub(crate) struct Read {
    /// How often the whole table was read.
    pub(crate) whole: i64,
    /// Rows that were read by an index.
    pub(crate) fetched: i64,
    /// Entries of its indexes that were read.
    pub(crate) entries: i64,
}

pub(crate) async fn read_of(app: &TestApp, table: &str) -> Read {
    let of_table =
        |column| format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = '{table}'");
    let entries =
        format!("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = '{table}'");
    Read {
        whole: app.number(&of_table("seq_scan")).await,
        fetched: app.number(&of_table("idx_tup_fetch")).await,
        entries: app.number(&entries).await,
    }
}

/// How often an index was used since the counters were reset.
pub(crate) async fn index_scans(app: &TestApp, index: &str) -> i64 {
    let scans = format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{index}'");
    app.number(&scans).await
}

/// Makes requests to a service of their own. Its connections start with counters at zero, and report when they end.
pub(crate) async fn asked_alone(app: &TestApp, client: &Client, ask: impl AsyncFnOnce(&Client)) {
    app.pool.close().await;
    let service = app.unverified().await;
    app.sql("SELECT pg_stat_reset()").await;
    ask(&client.at(&service)).await;
    service.stop().await;
    app.eventually_disconnected().await;
}
