//! The prepared statements of a connection are limited, however many texts are sent, and however long they are.

use super::TestDatabase;
use crate::db::connection_manager::MAX_PREPARED_TEXT;

/// A statement of at least this length.
fn text_of(number: usize, length: usize) -> String {
    format!("SELECT {number}::bigint{}", " ".repeat(length))
}

#[tokio::test]
async fn a_connection_that_has_prepared_too_much_text_is_replaced() {
    let database = TestDatabase::of(1, "").await;
    let session = "SELECT pg_backend_pid()::bigint";
    let prepared = "SELECT coalesce(sum(length(statement)), 0)::bigint FROM pg_prepared_statements";
    let first = database.number(session).await;
    for length in [20, 200, 2_000, MAX_PREPARED_TEXT / 2] {
        for number in 0..10 {
            let before = database.number(prepared).await;
            let before = usize::try_from(before).unwrap();
            if before + length + 1_000 >= MAX_PREPARED_TEXT {
                break;
            }
            assert_eq!(database.number(session).await, first, "{before}");
            database.number(&text_of(number, length)).await;
        }
    }
    database.number(&text_of(0, MAX_PREPARED_TEXT)).await;
    assert_ne!(database.number(session).await, first);
    assert!(database.number(prepared).await < 1_000);
}
