//! The SQL of the rate limits.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    db::{Connection, Statement},
    error::Error,
};

const TAKE: &str = "SELECT take_tokens($1, $2, $3)";

/// A token bucket.
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    pub(super) key: Uuid,
    /// Maximum number of tokens.
    pub(super) capacity: i32,
    /// Milliseconds after which a token is added.
    pub(super) spacing: i32,
}

impl Bucket {
    /// Maximum number of tokens, at least 1.
    pub(super) fn capacity(&self) -> u32 {
        u32::try_from(self.capacity).unwrap_or_default().max(1)
    }

    /// The time after which a token is added.
    pub(super) fn spacing(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.spacing).unwrap_or_default())
    }
}

/// Takes a token from each bucket, or from none. Returns the time until all have one; zero if the tokens were taken.
pub(super) async fn take(conn: &mut Connection, buckets: &[Bucket]) -> Result<Duration, Error> {
    if buckets.is_empty() {
        return Ok(Duration::ZERO);
    }
    let keys: Vec<Uuid> = buckets.iter().map(|bucket| bucket.key).collect();
    let capacities: Vec<i32> = buckets.iter().map(|bucket| bucket.capacity).collect();
    let spacings: Vec<i32> = buckets.iter().map(|bucket| bucket.spacing).collect();
    let statement = Statement::new(TAKE);
    let statement = statement.bind(keys).bind(capacities).bind(spacings);
    let wait: Option<i64> = conn.row(statement).await?;
    let wait = wait.and_then(|wait| u64::try_from(wait).ok());
    Ok(Duration::from_millis(wait.unwrap_or_default()))
}

const GIVE_BACK: &str =
    "UPDATE rate_limits SET full_at = full_at - $2 * interval '1 ms' WHERE key = $1";

/// Gives a token back to the bucket.
pub(super) async fn give_back(conn: &mut Connection, bucket: &Bucket) -> Result<(), Error> {
    let statement = Statement::new(GIVE_BACK)
        .bind(bucket.key)
        .bind(bucket.spacing);
    conn.execute(statement).await?;
    Ok(())
}
