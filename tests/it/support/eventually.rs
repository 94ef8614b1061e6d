//! Waiting for something that another task, process or server does.
//!
//! Tests have no fixed pauses: a pause that is long enough on an idle machine is too short on a busy one, and a pause
//! proves nothing when nothing happens. To show that something does not happen, a test waits for a later event.

use std::{fmt::Debug, time::Duration};

use tokio::time::{Instant, sleep};

/// Far longer than anything takes on a busy machine, so that only what never happens reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What a probe returns: whether the condition holds, or what it saw instead.
pub(crate) trait Outcome {
    type Value;

    fn into_result(self) -> Result<Self::Value, String>;
}

impl Outcome for bool {
    type Value = ();

    fn into_result(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "false".to_owned())
    }
}

impl<T, S: Debug> Outcome for Result<T, S> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Polls until the condition holds, and returns its value. Fails after [`LIMIT`] with what the probe saw last.
#[track_caller]
pub(crate) fn eventually<O: Outcome>(
    what: &str,
    mut probe: impl AsyncFnMut() -> O,
) -> impl Future<Output = O::Value> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        loop {
            match probe().await.into_result() {
                Ok(value) => return value,
                Err(seen) => assert!(
                    began.elapsed() < LIMIT,
                    "{caller}: never: {what}; last saw {seen}"
                ),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Polls until the probe returns this value.
#[track_caller]
pub(crate) fn eventually_eq<T: PartialEq + Debug>(
    what: &str,
    expected: T,
    mut probe: impl AsyncFnMut() -> T,
) -> impl Future<Output = ()> {
    let what = format!("{what}: {expected:?}");
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        loop {
            let seen = probe().await;
            if seen == expected {
                return;
            }
            assert!(
                began.elapsed() < LIMIT,
                "{caller}: never: {what}; last saw {seen:?}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits for a future that must end, however busy the machine is.
#[track_caller]
pub(crate) fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        tokio::time::timeout(LIMIT, future)
            .await
            .unwrap_or_else(|_| panic!("{caller}: never: {what}"))
    }
}

/// Lets at least this much time pass. Only for tests that stay right if it is much longer.
pub(crate) async fn at_least(duration: Duration) {
    sleep(duration).await;
}
