//! What a statement costs in rows that PostgreSQL reads and writes: unlike its time, the same on a busy machine.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::number;

/// What one statement did with a table, its triggers included.
#[derive(Debug)]
pub(crate) struct Cost {
    /// Rows and index entries that it read.
    pub(crate) read: i64,
    /// Rows that it inserted, updated or deleted.
    pub(crate) written: i64,
}

/// The counters of a transaction. They may begin with those of earlier transactions, so only their differences count.
async fn counters(conn: &mut AsyncPgConnection, table: &str) -> Cost {
    let read = format!(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class
         WHERE oid = '{table}'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = '{table}'::regclass)"
    );
    let written = format!(
        "SELECT pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
            + pg_stat_get_xact_tuples_deleted(oid) FROM pg_class WHERE oid = '{table}'::regclass"
    );
    Cost {
        read: number(conn, &read).await,
        written: number(conn, &written).await,
    }
}

/// What a statement does with a table; it is rolled back.
pub(crate) async fn cost(conn: &mut AsyncPgConnection, statement: &str, table: &str) -> Cost {
    conn.batch_execute("BEGIN").await.unwrap();
    let before = counters(conn, table).await;
    conn.batch_execute(statement).await.unwrap();
    let after = counters(conn, table).await;
    conn.batch_execute("ROLLBACK").await.unwrap();
    Cost {
        read: after.read - before.read,
        written: after.written - before.written,
    }
}
