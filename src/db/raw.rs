//! Rows as the database sends them. Columns are read where they are needed, so that no values are built for a row.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use tokio::time::timeout;
use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};
use uuid::Uuid;

use super::{SharedText, SqlText, share, shared_reads::SharedReads};

/// How long a read waits for its user's other reads.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Maximum number of texts whose prepared statements are found again.
const MAX_TEXTS: usize = 1_000;

/// The reads of one request, whose rows have a maximum size.
pub(crate) struct RawReads<'a> {
    shared: &'a SharedReads,
    /// The size of all rows that have arrived, in bytes.
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl<'a> RawReads<'a> {
    pub(crate) fn new(shared: &'a SharedReads, max_bytes: usize) -> Self {
        RawReads {
            shared,
            bytes: AtomicUsize::new(0),
            max_bytes,
        }
    }

    /// Sends a statement that only reads and that an index bounds. `None` if a shared connection cannot read it now, or if the rows of
    /// all reads exceed the maximum size. In that case, no more rows are kept in memory.
    pub(crate) async fn rows(&self, statement: &SqlText) -> Option<Vec<RawRow>> {
        let text = shared_text(statement.text());
        // The reads of a user share what the user may lease, so that they leave the connections to others, too.
        let _permit = match share::current() {
            Some(share) => Some(timeout(MAX_WAIT, share.acquire()).await.ok()?.ok()?),
            None => None,
        };
        let fits = |row: &Row| {
            let bytes = row.raw_size_bytes();
            self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.max_bytes
        };
        let rows = self.shared.fitting_rows(&text, statement.values(), fits);
        Some(rows.await.ok()?.into_iter().map(RawRow).collect())
    }
}

/// Text for shared connections: the same for each statement with this text, unless it was not sent for long.
fn shared_text(sql: &str) -> SharedText {
    static TEXTS: LazyLock<Cache<Box<str>, SharedText>> = LazyLock::new(|| Cache::new(MAX_TEXTS));
    TEXTS.get(sql).unwrap_or_else(|| {
        let text = SharedText::new(sql.to_owned());
        TEXTS.insert(sql.into(), text.clone());
        text
    })
}

/// A row in PostgreSQL's binary format.
pub(crate) struct RawRow(Row);

impl RawRow {
    /// The bytes of a column. `None` is NULL, or a column that does not exist.
    pub(crate) fn column(&self, at: usize) -> Option<&[u8]> {
        let Bytes(bytes) = self.0.try_get::<_, Option<Bytes<'_>>>(at).ok()??;
        Some(bytes)
    }

    /// A column of type `uuid`.
    pub(crate) fn uuid(&self, at: usize) -> Option<Uuid> {
        Uuid::from_slice(self.column(at)?).ok()
    }

    /// A column of type `bigint`.
    pub(crate) fn bigint(&self, at: usize) -> Option<i64> {
        Some(i64::from_be_bytes(self.column(at)?.try_into().ok()?))
    }

    /// A column of type `boolean`.
    pub(crate) fn boolean(&self, at: usize) -> Option<bool> {
        Some(*self.column(at)?.first()? != 0)
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(
        _: &Type,
        bytes: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Bytes(bytes))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Microseconds from the start of 1970 to that of 2000, from which PostgreSQL counts.
const START_OF_2000: i64 = 946_684_800_000_000;

/// A time of type `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    Finite(DateTime<Utc>),
    Infinity,
    NegativeInfinity,
}

impl Time {
    /// Reads the bytes of a column.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match i64::from_be_bytes(bytes.try_into().ok()?) {
            i64::MAX => Some(Time::Infinity),
            i64::MIN => Some(Time::NegativeInfinity),
            micros => {
                let since_1970 = micros.checked_add(START_OF_2000)?;
                DateTime::from_timestamp_micros(since_1970).map(Time::Finite)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_start_of_2000() {
        let read = |micros: i64| Time::read(&micros.to_be_bytes());
        let time = |text: &str| Some(Time::Finite(text.parse().expect(text)));
        assert_eq!(read(0), time("2000-01-01T00:00:00Z"));
        assert_eq!(read(-1), time("1999-12-31T23:59:59.999999Z"));
        assert_eq!(read(1_000_000), time("2000-01-01T00:00:01Z"));
        assert_eq!(read(i64::MAX), Some(Time::Infinity));
        assert_eq!(read(i64::MIN), Some(Time::NegativeInfinity));
        assert_eq!(read(i64::MAX - 1), None);
        assert_eq!(Time::read(&[0; 4]), None);
    }
}
