//! The number of prepared statements is limited, however many texts are sent.

use super::{TestDatabase, number};
use crate::db::connection_manager::MAX_PREPARED;

#[tokio::test]
async fn a_connection_that_has_prepared_too_many_statements_is_replaced() {
    let database = TestDatabase::of(1, "").await;
    let session = "SELECT pg_backend_pid()::bigint";
    let first = database.number(session).await;
    for text in 2..MAX_PREPARED {
        database.number(&format!("SELECT {text}::bigint")).await;
    }
    let mut conn = database.conn().await;
    assert_eq!(number(&mut conn, session).await, first);
    let prepared = "SELECT count(*) FROM pg_prepared_statements";
    let count = number(&mut conn, prepared).await;
    assert_eq!(usize::try_from(count).unwrap(), MAX_PREPARED);
    drop(conn);
    assert_ne!(database.number(session).await, first);
    assert!(database.number(prepared).await < 10);
}
