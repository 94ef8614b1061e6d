//! Connections that no longer fit the server are replaced: their prepared statements are gone, or it is not the
//! primary.

use super::{TestDatabase, number};
use crate::{
    db::Statement,
    error::{Code, Error},
};

const SETUP: &str = "CREATE TABLE counters (id integer PRIMARY KEY, n bigint NOT NULL); INSERT INTO counters VALUES (1, 0)";
const PID: &str = "SELECT pg_backend_pid()::bigint";

fn increment() -> Statement<()> {
    Statement::new("UPDATE counters SET n = n + 1")
}

/// Executes a statement on a connection after this SQL, which makes the connection outdated. Returns its error, and
/// whether the next caller gets another connection, on which the statement succeeds.
async fn after(sql: &str) -> (Error, bool) {
    let database = TestDatabase::of(1, SETUP).await;
    let mut conn = database.conn().await;
    conn.execute(increment()).await.unwrap();
    let first = number(&mut conn, PID).await;
    conn.batch(sql).await.unwrap();
    let error = conn.execute(increment()).await.unwrap_err();
    drop(conn);
    let mut conn = database.conn().await;
    conn.execute(increment()).await.unwrap();
    (error, number(&mut conn, PID).await != first)
}

#[tokio::test]
async fn a_connection_without_its_prepared_statements_is_replaced() {
    let (error, replaced) = after("DEALLOCATE ALL").await;
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.detail.contains("PgBouncer"), "{}", error.detail);
    assert!(replaced);
}

#[tokio::test]
async fn a_connection_to_a_server_that_only_reads_is_replaced() {
    let (error, replaced) = after("SET default_transaction_read_only = on").await;
    assert_eq!(error.code, Code::Unavailable);
    assert!(replaced);
}

#[tokio::test]
async fn a_connection_with_statements_from_before_a_migration_is_replaced() {
    let database = TestDatabase::of(1, SETUP).await;
    let mut conn = database.conn().await;
    let all = || Statement::<(i32, i64)>::new("SELECT * FROM counters");
    assert_eq!(conn.rows(all()).await.unwrap(), [(1, 0)]);
    let first = number(&mut conn, PID).await;
    conn.batch("ALTER TABLE counters ADD COLUMN more text")
        .await
        .unwrap();
    let error = conn.rows(all()).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    drop(conn);
    let mut conn = database.conn().await;
    assert_ne!(number(&mut conn, PID).await, first);
}
