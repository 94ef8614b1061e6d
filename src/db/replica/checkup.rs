//! What `snapnote check` finds out about a replica.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;

use super::server::{facts_of, primary_facts};
use crate::{
    db::{Database, connect::Target},
    error::Error,
};

/// The pause between two looks at the replica.
const PAUSE: Duration = Duration::from_millis(20);
/// The number of connections that are opened to find out whether they lead to the same server.
const CONNECTIONS: usize = 4;

/// How long the replica needs until it shows what the primary has now. `None` if it needs longer than `max_lag`.
///
/// # Errors
/// UNAVAILABLE if one of them cannot be reached, or if the other server is no replica of the primary.
pub(crate) async fn lag(
    primary: &Database,
    replica: &Target,
    max_lag: Duration,
) -> Result<Option<Duration>, Error> {
    let began = Instant::now();
    let expected = primary_facts(primary).await?;
    let mut last: Option<(Client, String)> = None;
    for _ in 0..CONNECTIONS {
        let client = replica.open().await.map_err(Error::unavailable)?;
        let facts = facts_of(&client).await.map_err(Error::unavailable)?;
        facts.replayed_of(&expected).map_err(Error::unavailable)?;
        if last
            .as_ref()
            .is_some_and(|(_, server)| *server != facts.server)
        {
            let several = "the address leads to several servers; use the address of one of them";
            return Err(Error::unavailable(several));
        }
        last = Some((client, facts.server));
    }
    let (client, _) = last.ok_or_else(|| Error::internal("no connection was opened"))?;
    loop {
        let facts = facts_of(&client).await.map_err(Error::unavailable)?;
        let replayed = facts.replayed_of(&expected);
        if replayed.map_err(Error::unavailable)? >= expected.position {
            return Ok(Some(began.elapsed()));
        }
        if began.elapsed() > max_lag {
            return Ok(None);
        }
        sleep(PAUSE).await;
    }
}
