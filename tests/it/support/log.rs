//! The service's log, captured in memory.

use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};

use tracing::{
    Event, Metadata,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::fmt::format::FmtSpan;

/// A captured log. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// How many lines contain all of these parts.
    pub(crate) fn lines(&self, parts: &[&str]) -> usize {
        let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        self.text().lines().filter(has_all).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The subscriber of threads without a log. tracing caches for each call site whether any subscriber wants its events. If a thread reaches
/// a call site for the first time while another one begins a log, the cache can miss that log. This subscriber wants to be asked each time.
struct Undecided;

impl tracing::Subscriber for Undecided {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Runs a test on its own runtime, and keeps its log down to this level.
pub(crate) fn with_log<T, F>(level: tracing::Level, test: impl FnOnce(Log) -> F) -> T
where
    F: Future<Output = T>,
{
    static ASK_EACH_TIME: Once = Once::new();
    ASK_EACH_TIME.call_once(|| {
        tracing::subscriber::set_global_default(Undecided).expect("no test sets another one");
    });
    let log = Log::default();
    let writer = log.clone();
    // At the lowest level, the fields of spans count as logged, too: traces export them.
    let spans = match level {
        tracing::Level::TRACE => FmtSpan::NEW,
        _ => FmtSpan::NONE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_span_events(spans)
        .with_max_level(level)
        .with_writer(move || writer.clone())
        .finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let of_threads = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(move || {
            std::mem::forget(tracing::dispatcher::set_default(&of_threads));
        })
        .build()
        .unwrap();
    tracing::dispatcher::with_default(&dispatch, || runtime.block_on(test(log)))
}
