//! The right to lease a connection: permits from the holder's share, and from the limit of events.

use deadpool::managed::TimeoutType;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{Database, PoolError};
use crate::{
    db::{
        Connection,
        share::{self, SharePermit},
    },
    error::Error,
};

/// The right to lease a connection.
pub(crate) struct Reservation {
    database: Database,
    permits: Permits,
}

impl Reservation {
    /// Leases the connection.
    ///
    /// # Errors
    /// As [`Database::connection`].
    pub(crate) async fn connection(self) -> Result<Connection, Error> {
        let object = self.database.inner.pool.get().await;
        let object = object.map_err(|error| self.database.unavailable(&error))?;
        Ok(Connection::new(object, self.database, self.permits))
    }
}

/// Permits for one leased connection, held until it can be leased again.
#[derive(Default)]
pub(in crate::db) struct Permits {
    /// From the holder's share.
    _share: Option<SharePermit>,
    /// From the limit of `with_half_the_pool`.
    _half: Option<OwnedSemaphorePermit>,
}

impl Database {
    /// Waits until the current holder may lease a connection. For work that waits for something else before it leases the connection:
    /// meanwhile, it takes no connection from others.
    ///
    /// # Errors
    /// UNAVAILABLE if the holder's other work uses all connections that it may lease.
    pub(crate) async fn reserve(&self) -> Result<Reservation, Error> {
        let share = match share::current() {
            Some(share) => {
                self.inner.activity.note_use();
                let permit = timeout(self.inner.wait, share.acquire()).await;
                let in_use =
                    "this user or address already leases its maximum number of connections";
                Some(permit.map_err(|_| Error::unavailable(in_use))??)
            }
            None => None,
        };
        let half = match self.half.clone() {
            Some(half) => {
                let permit = timeout(self.inner.wait, half.acquire_owned()).await;
                let in_use = "events already lease half of the connections";
                let permit = permit.map_err(|_| Error::unavailable(in_use))?;
                Some(permit.map_err(Error::internal)?)
            }
            None => None,
        };
        Ok(Reservation {
            database: self.clone(),
            permits: Permits {
                _share: share,
                _half: half,
            },
        })
    }

    fn unavailable(&self, error: &PoolError) -> Error {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                Error::unavailable("all connections to the database are in use")
            }
            other => {
                self.inner.activity.note_outage();
                Error::unavailable(format!("no connection to the database: {other}"))
            }
        }
    }
}
