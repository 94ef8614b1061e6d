//! The log, metrics and traces. This module knows nothing of the product: each module below `app` keeps its own measurements in
//! the types of this one.
//!
//! - [`log`]: the log, and its filter, which can change at run time. `text`: the time of log lines. `json`: messages that do not
//!   pass through the log.
//! - `histogram`: durations, counted without locks. `exposition`: metrics as Prometheus reads them. `process`: CPU, memory and
//!   file descriptors.
//! - `operations`: the durations of GraphQL operations, by name. `work`: what the current operation has used of the database.
//! - `panics`: what may be logged of a panic.
//! - `trace_context`: the trace that a request belongs to. [`traces`]: spans for a collector.

mod exposition;
mod histogram;
mod json;
pub mod log;
mod operations;
pub(crate) mod panics;
mod process;
mod text;
mod trace_context;
pub mod traces;
pub(crate) mod work;

pub(crate) use exposition::{Exposition, NO_LABELS, Source};
pub use exposition::{Format, Metrics};
pub(crate) use histogram::{Histogram, Series};
pub use json::message as json_message;
pub use log::{LogFormat, LogSettings};
pub(crate) use operations::{OperationLabel, OperationMetrics, shown_name};
pub(crate) use process::Process;
pub(crate) use trace_context::TraceContext;
