//! The number of statements that the service sends.

use super::{Client, TestApp};

/// The number of statements that a query sends. Jobs, and the list of revocations once a second, send others, so this is the
/// smallest number of several times.
pub(crate) async fn statements_of(app: &TestApp, client: &Client, query: &str) -> u64 {
    let mut smallest = u64::MAX;
    for _ in 0..10 {
        let before = app.pool.statements();
        client.query(query).await;
        smallest = smallest.min(app.pool.statements() - before);
    }
    smallest
}
