//! The SQL of throttles.

use uuid::Uuid;

use crate::{
    db::{Connection, Statement},
    error::Error,
};

const TAKE: &str = "SELECT take_tokens($1, $2, $3)";

/// One bucket to take a token from.
pub(super) struct Bucket {
    pub(super) key: Uuid,
    /// Tokens that it holds.
    pub(super) capacity: i32,
    /// Milliseconds after which it gets one back.
    pub(super) spacing: i32,
}

/// Takes a token from each bucket, or from none; answers how many milliseconds to wait until all have one.
pub(super) async fn take(conn: &mut Connection, buckets: &[Bucket]) -> Result<u64, Error> {
    let statement = Statement::<(i64,)>::new(TAKE)
        .bind(buckets.iter().map(|bucket| bucket.key).collect::<Vec<_>>())
        .bind(
            buckets
                .iter()
                .map(|bucket| bucket.capacity)
                .collect::<Vec<_>>(),
        )
        .bind(
            buckets
                .iter()
                .map(|bucket| bucket.spacing)
                .collect::<Vec<_>>(),
        );
    let wait = conn.row(statement).await?.map_or(0, |(wait,)| wait);
    Ok(u64::try_from(wait).unwrap_or(0))
}
