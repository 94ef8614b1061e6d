//! The size of responses is limited, and known before long values are loaded.
//!
//! Each request has a [`ResponseBudget`]. It counts the long values that are loaded ([`ResponseBudget::load`]), and the long values that
//! become parts of the response ([`ResponseBudget::write`]), because aliases can repeat a loaded value. Each of both may reach the maximum
//! size of a response. `http` checks the exact size when it writes the JSON.
//!
//! A process holds few large responses in memory at the same time ([`ResponseMemory`]). A request waits for its turn when either count passes
//! [`LARGE`], so it must hold no database connection then. The turn ends when the response has been sent. A subscription loads its next event
//! only after that, so its own events never wait for each other's turns.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, Response};
use serde::Serialize;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use crate::{
    db::share::{Holder, SharePermit, Shares},
    error::{Code, Error},
};

/// The size above which a response is large, in bytes.
const LARGE: u64 = 1 << 20;
/// Number of large responses in memory at the same time.
const LARGE_RESPONSES: usize = 4;
/// Number of them that belong to one user, or to anonymous clients of one network.
const LARGE_PER_HOLDER: usize = 2;
/// How long a request waits for its turn to make a large response.
const WAIT: Duration = Duration::from_secs(5);

/// The memory of responses, shared by all requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ResponseMemory {
    /// Maximum size of a response in bytes.
    max: u64,
    large: Arc<Semaphore>,
    shares: Shares,
}

impl ResponseMemory {
    pub(super) fn new(max: usize) -> ResponseMemory {
        ResponseMemory {
            max: max as u64,
            large: Arc::new(Semaphore::new(LARGE_RESPONSES)),
            shares: Shares::new(LARGE_PER_HOLDER),
        }
    }

    /// Maximum size of a response in bytes.
    pub(super) fn max_response(&self) -> usize {
        usize::try_from(self.max).unwrap_or(usize::MAX)
    }

    /// The budget of a request of this holder.
    pub(super) fn budget(&self, holder: Option<Holder>) -> ResponseBudget {
        ResponseBudget(Arc::new(Budget {
            memory: self.clone(),
            holder,
            loaded: AtomicU64::new(0),
            written: AtomicU64::new(0),
            turn: Mutex::default(),
        }))
    }

    async fn turn(&self, holder: Option<&Holder>) -> Result<Turn, Error> {
        let own = match holder {
            Some(holder) => Some(self.shares.of(holder.clone()).acquire().await?),
            None => None,
        };
        let large = self.large.clone().acquire_owned().await;
        Ok(Turn {
            _own: own,
            _large: large.map_err(Error::internal)?,
            end: watch::Sender::default(),
        })
    }
}

/// The permission to hold a large response in memory.
#[derive(Debug)]
struct Turn {
    _own: Option<SharePermit>,
    _large: OwnedSemaphorePermit,
    /// Dropped last, so that the permits are free when [`TurnEnd::wait`] returns.
    end: watch::Sender<()>,
}

/// The end of a response's turn.
#[derive(Debug, Default)]
pub(super) struct TurnEnd(Option<watch::Receiver<()>>);

impl TurnEnd {
    /// Returns when the turn has ended; at once if the response had none.
    pub(super) async fn wait(&mut self) {
        if let Some(end) = &mut self.0 {
            // Nothing is sent, so this returns when the sender is dropped.
            let _ = end.changed().await;
        }
    }
}

/// What one response may still take. Cheap to clone. A large response is in memory until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct ResponseBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    memory: ResponseMemory,
    holder: Option<Holder>,
    /// Bytes of long values that were loaded.
    loaded: AtomicU64,
    /// Bytes of long values in the response.
    written: AtomicU64,
    turn: Mutex<Option<Turn>>,
}

/// The size of long values to load.
pub(super) struct LongSize {
    /// The names of their fields.
    pub(super) fields: String,
    /// The number of items that have them.
    pub(super) objects: usize,
    /// Their size in bytes.
    pub(super) bytes: u64,
}

impl ResponseBudget {
    pub(super) fn of<'a>(ctx: &Context<'a>) -> &'a ResponseBudget {
        ctx.data_unchecked::<ResponseBudget>()
    }

    fn max(&self) -> u64 {
        self.0.memory.max
    }

    /// Counts long values before they are loaded. The caller must hold no connection, because this may wait.
    ///
    /// # Errors
    /// RESPONSE_TOO_LARGE if the response would exceed the maximum; UNAVAILABLE if too many large responses are in memory.
    pub(super) async fn load(&self, size: &LongSize) -> Result<(), Error> {
        let total = self.0.loaded.fetch_add(size.bytes, Ordering::Relaxed) + size.bytes;
        if total > self.max() {
            return Err(too_long(size, total, self.max()));
        }
        self.wait_if_large(total).await
    }

    /// Counts a value of a field before it becomes a part of the response. The caller must hold no connection, because this may
    /// wait.
    ///
    /// # Errors
    /// As [`ResponseBudget::load`].
    pub(super) async fn write(&self, field: &str, bytes: usize) -> Result<(), Error> {
        let bytes = bytes as u64;
        let total = self.0.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > self.max() {
            return Err(self.exceeded(&format!(" (reached in `{field}`)")));
        }
        self.wait_if_large(total).await
    }

    async fn wait_if_large(&self, total: u64) -> Result<(), Error> {
        if total <= LARGE {
            return Ok(());
        }
        let mut turn = self.0.turn.lock().await;
        if turn.is_none() {
            let next = timeout(WAIT, self.0.memory.turn(self.0.holder.as_ref())).await;
            let full = "the maximum number of large responses is in memory";
            *turn = Some(next.map_err(|_| Error::unavailable(full))??);
        }
        Ok(())
    }

    /// The size of the long values in the response, and the maximum size of the response, in bytes.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let written = self.0.written.load(Ordering::Relaxed).min(self.max());
        let in_memory = |size| usize::try_from(size).unwrap_or(usize::MAX);
        (in_memory(written), in_memory(self.max()))
    }

    /// Whether the response is large.
    pub(crate) fn is_large(&self) -> bool {
        self.0.turn.try_lock().map_or(true, |turn| turn.is_some())
    }

    /// Takes out the budget of the present response with its turn, and begins with the next one: each event of a subscription has
    /// its own.
    pub(super) fn take(&self) -> ResponseBudget {
        let Budget { memory, holder, .. } = &*self.0;
        let count = |count: &AtomicU64| AtomicU64::new(count.swap(0, Ordering::Relaxed));
        // No resolver is running, so the lock is free.
        let turn = self.0.turn.try_lock().ok().and_then(|mut it| it.take());
        ResponseBudget(Arc::new(Budget {
            memory: memory.clone(),
            holder: holder.clone(),
            loaded: count(&self.0.loaded),
            written: count(&self.0.written),
            turn: Mutex::new(turn),
        }))
    }

    /// The end of the response's turn.
    pub(super) fn turn_end(&self) -> TurnEnd {
        let turn = self.0.turn.try_lock().ok();
        TurnEnd(turn.and_then(|turn| Some(turn.as_ref()?.end.subscribe())))
    }

    /// RESPONSE_TOO_LARGE for a response whose JSON exceeds the maximum.
    pub(crate) fn too_large(&self) -> Error {
        self.exceeded("")
    }

    fn exceeded(&self, place: &str) -> Error {
        let max = self.max();
        Error::new(
            Code::ResponseTooLarge,
            format!(
                "The response exceeds the maximum of {max} bytes{place}. Request fewer items per page (`first`), or select fewer fields."
            ),
        )
    }
}

/// `total`: the size of all long values, including those that were loaded before.
fn too_long(size: &LongSize, total: u64, max: u64) -> Error {
    let LongSize {
        fields,
        objects,
        bytes,
    } = size;
    let fitting = (*objects as u64 * max) / bytes.max(&1);
    let remedy = match fitting {
        0 => "Request these fields in separate requests.".to_owned(),
        _ if total > *bytes => {
            "Request fewer items per page (`first`), or fewer lists per request.".to_owned()
        }
        _ => format!("Request fewer items per page, for example `first: {fitting}`."),
    };
    Error::new(
        Code::ResponseTooLarge,
        format!(
            "The response would contain {total} bytes of long values with {fields} of {objects} documents; the maximum is {max} bytes. {remedy}"
        ),
    )
}

/// The size of a value as JSON, in bytes.
pub(super) fn json_bytes(value: &impl Serialize) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // Neither the counter nor a JSON value can fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// The response of a request that was executed.
#[derive(Debug)]
pub struct Executed {
    /// The response.
    pub response: Response,
    /// Its budget, to be dropped when it has been sent. `None` for a response of the service's own, which is small.
    pub budget: Option<ResponseBudget>,
}

impl From<Response> for Executed {
    fn from(response: Response) -> Self {
        Executed {
            response,
            budget: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const MAX: usize = 16 << 20;

    fn values(objects: usize, bytes: u64) -> LongSize {
        LongSize {
            fields: "`originalText`".to_owned(),
            objects,
            bytes,
        }
    }

    fn holder(number: u128) -> Option<Holder> {
        Some(Holder::User(Uuid::from_u128(number)))
    }

    #[tokio::test]
    async fn texts_that_exceed_the_maximum_are_not_loaded_and_the_error_says_what_to_page() {
        let budget = ResponseMemory::new(MAX).budget(None);
        let error = budget
            .load(&values(60, 60_000_000))
            .await
            .expect_err("60 MB");
        assert_eq!(error.code, Code::ResponseTooLarge);
        for part in ["60000000 bytes", "`originalText`", "first: 16", "16777216"] {
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
    }

    #[tokio::test]
    async fn what_is_loaded_and_what_is_written_are_counted_apart() {
        let budget = ResponseMemory::new(MAX).budget(None);
        budget.load(&values(10, 10 << 20)).await.expect("10 MiB");
        for _ in 0..16 {
            budget.write("originalText", 1 << 20).await.expect("1 MiB");
        }
        let error = budget.write("formattedNote", 1).await.expect_err("full");
        assert_eq!(error.code, Code::ResponseTooLarge);
        let error = budget.load(&values(7, 7 << 20)).await.expect_err("17 MiB");
        assert!(error.message.contains("fewer lists"), "{}", error.message);
        drop(budget.take());
        budget
            .load(&values(10, 10 << 20))
            .await
            .expect("the next event");
    }

    #[tokio::test]
    async fn the_turn_of_an_event_ends_when_the_event_has_been_sent() {
        let memory = ResponseMemory::new(MAX);
        let subscription = memory.budget(holder(1));
        let large = values(1, LARGE + 1);
        subscription.load(&large).await.expect("an event");
        let event = subscription.take();
        let mut end = event.turn_end();
        assert!(event.is_large() && !subscription.is_large());
        assert_eq!(memory.large.available_permits(), LARGE_RESPONSES - 1);
        assert!(end.wait().now_or_never().is_none(), "it is not sent yet");
        drop(event);
        assert_eq!(memory.large.available_permits(), LARGE_RESPONSES);
        end.wait().await;
        subscription.load(&large).await.expect("the next event");
        drop(subscription);
        assert_eq!(memory.large.available_permits(), LARGE_RESPONSES);
        TurnEnd::default().wait().await;
    }

    #[tokio::test]
    async fn few_large_responses_are_in_memory_and_no_holder_takes_all_turns() {
        let memory = ResponseMemory::new(MAX);
        let load = |number| {
            let budget = memory.budget(holder(number));
            let loaded = budget.load(&values(1, LARGE + 1)).now_or_never();
            loaded.map(|loaded| loaded.map(|()| budget))
        };
        let own: Vec<_> = (0..LARGE_RESPONSES).filter_map(|_| load(1)).collect();
        assert_eq!(own.len(), LARGE_PER_HOLDER);
        let others: Vec<_> = (2..10).filter_map(load).collect();
        assert_eq!(own.len() + others.len(), LARGE_RESPONSES);
        let small = memory.budget(holder(1));
        small
            .load(&values(1, LARGE))
            .await
            .expect("small responses do not wait");
        drop(own);
        assert!(load(1).is_some(), "a response was sent");
    }
}
