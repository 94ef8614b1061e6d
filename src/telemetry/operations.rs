//! The durations of GraphQL operations, by type, name and error code.
//!
//! Clients choose the names of their operations, and each name takes memory here and in Prometheus. So only names of documents
//! that passed validation have series of their own, and only the first [`MAX_NAMES`]; all others count as `other`. Anonymous callers
//! can add no more than [`MAX_ANONYMOUS_NAMES`] of them, so that they cannot use up the names.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{Exposition, Series, Source};

/// Maximum number of named operations with series of their own.
const MAX_NAMES: usize = 200;
/// Maximum number of names while only anonymous callers add them.
const MAX_ANONYMOUS_NAMES: usize = 50;
/// Maximum length of such a name in bytes, also in the log.
const MAX_LENGTH: usize = 100;
/// Maximum number of error codes, including none. The API has fewer.
const MAX_CODES: usize = 24;
/// The name of operations beyond [`MAX_NAMES`].
const OTHER: &str = "other";
/// Number of hexadecimal digits of a hash in the log.
const HASH_DIGITS: usize = 16;

/// The type and the name of an operation.
type Name = (&'static str, Box<str>);

/// The series of all operations of a process.
#[derive(Debug, Default)]
pub(crate) struct OperationMetrics {
    by_name: Mutex<HashMap<Name, Arc<OperationSeries>>>,
    /// Requests whose document was not valid, so that they have no operation.
    rejected: OnceLock<OperationSeries>,
}

/// The durations of one operation by error code. `""`: no error.
#[derive(Debug)]
struct OperationSeries(Series<&'static str>);

impl OperationSeries {
    fn new() -> OperationSeries {
        OperationSeries(Series::new(MAX_CODES))
    }

    fn observe(&self, code: &'static str, duration: Duration) {
        self.0.of(code).observe(duration);
    }
}

/// The names of an operation in metrics and the log. It is made once for each prepared document.
#[derive(Debug)]
pub(crate) struct OperationLabel {
    /// `query`, `mutation` or `subscription`.
    pub(crate) kind: &'static str,
    /// The name; empty if the operation is anonymous.
    pub(crate) name: Box<str>,
    /// The first digits of the SHA-256 of the document's text. Manifests of persisted documents have the whole of it.
    pub(crate) hash: Box<str>,
    series: OnceLock<Arc<OperationSeries>>,
}

impl OperationLabel {
    pub(crate) fn new(kind: &'static str, name: &str, document: &str) -> OperationLabel {
        let digest = Sha256::digest(document);
        let digits = digest.iter().take(HASH_DIGITS / 2);
        OperationLabel {
            kind,
            name: shown_name(name).into(),
            hash: digits.map(|byte| format!("{byte:02x}")).collect(),
            series: OnceLock::new(),
        }
    }
}

/// The start of a name that a client gave its operation. Longer names are not shown.
pub(crate) fn shown_name(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_LENGTH)]
}

impl OperationMetrics {
    /// Counts an operation that has ended. `label`: `None` if its document was not valid. `is_signed_in`: whether its caller is. `code`: of
    /// its first error, or empty.
    pub(crate) fn observe(
        &self,
        label: Option<&OperationLabel>,
        is_signed_in: bool,
        code: &'static str,
        duration: Duration,
    ) {
        let Some(label) = label else {
            let rejected = self.rejected.get_or_init(OperationSeries::new);
            return rejected.observe(code, duration);
        };
        match label.series.get() {
            Some(series) => series.observe(code, duration),
            None => self.series(label, is_signed_in).observe(code, duration),
        }
    }

    /// The series of a label that has none yet. The label keeps it, unless a signed-in caller could still add the name.
    fn series(&self, label: &OperationLabel, is_signed_in: bool) -> Arc<OperationSeries> {
        let max = match is_signed_in {
            true => MAX_NAMES,
            false => MAX_ANONYMOUS_NAMES,
        };
        let mut by_name = self.by_name.lock();
        let own: Name = (label.kind, label.name.clone());
        let is_known = by_name.contains_key(&own) || by_name.len() < max;
        let key = if is_known {
            own
        } else {
            (label.kind, OTHER.into())
        };
        let is_full = by_name.len() >= MAX_NAMES;
        let series = by_name.entry(key);
        let series = series.or_insert_with(|| Arc::new(OperationSeries::new()));
        if is_known || is_full {
            let _ = label.series.set(series.clone());
        }
        series.clone()
    }
}

impl Source for OperationMetrics {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let by_name = self.by_name.lock();
        let known = by_name.iter().map(|((kind, name), series)| {
            let (kind, name): (&str, &str) = (kind, name);
            ((kind, name), &**series)
        });
        let rejected = self.rejected.get().map(|series| (("", ""), series));
        let histograms = known.chain(rejected).flat_map(|((kind, name), series)| {
            series.0.all().map(move |(code, histogram)| {
                let labels = [
                    ("graphql_operation_type", kind),
                    ("graphql_operation_name", name),
                    ("error_type", code.unwrap_or(OTHER)),
                ];
                (labels, histogram)
            })
        });
        let help = "Duration of GraphQL operations, by type, name and code of the first error. Operations whose document is not \
                    valid have no type and no name.";
        to.histograms("graphql_server_request_duration_seconds", help, histograms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Format, Metrics};

    #[test]
    fn names_beyond_the_limit_share_series_and_known_ones_keep_theirs() {
        let metrics = Arc::new(OperationMetrics::default());
        let observe = |name: &str, code| {
            let label = OperationLabel::new("query", name, "query { me { id } }");
            metrics.observe(Some(&label), true, code, Duration::from_millis(1));
        };
        for number in 0..MAX_NAMES + 50 {
            observe(&format!("Operation{number}"), "");
        }
        observe("Operation0", "TIMEOUT");
        metrics.observe(None, false, "PARSE_FAILED", Duration::from_millis(1));
        let text = Metrics::new([metrics.clone() as Arc<dyn Source>]).render(Format::Prometheus);
        let count = |labels: &str| {
            let name = "graphql_server_request_duration_seconds_count";
            let start = format!("{name}{{{labels}}} ");
            text.lines().find_map(|line| line.strip_prefix(&*start))
        };
        let labels = |kind: &str, name: &str, code: &str| {
            format!(
                "graphql_operation_type=\"{kind}\",graphql_operation_name=\"{name}\",error_type=\"{code}\""
            )
        };
        assert_eq!(count(&labels("query", "other", "")), Some("50"));
        assert_eq!(count(&labels("query", "Operation0", "")), Some("1"));
        assert_eq!(count(&labels("query", "Operation0", "TIMEOUT")), Some("1"));
        assert_eq!(count(&labels("query", "Operation220", "")), None);
        assert_eq!(count(&labels("", "", "PARSE_FAILED")), Some("1"));
    }

    #[test]
    fn anonymous_callers_leave_names_to_others() {
        let metrics = OperationMetrics::default();
        let label = |name: &str| OperationLabel::new("query", name, "query { me { id } }");
        let observe = |label: &OperationLabel, is_signed_in| {
            metrics.observe(Some(label), is_signed_in, "", Duration::ZERO);
        };
        for number in 0..MAX_NAMES {
            observe(&label(&format!("Invented{number}")), false);
        }
        // The first caller of a document may be anonymous.
        let real = label("Real");
        observe(&real, false);
        observe(&real, true);
        let by_name = metrics.by_name.lock();
        assert!(by_name.contains_key(&("query", "Real".into())));
        assert!(by_name.contains_key(&("query", "Invented0".into())));
        assert!(by_name.contains_key(&("query", OTHER.into())));
        assert_eq!(by_name.len(), MAX_ANONYMOUS_NAMES + 2);
    }

    #[test]
    fn a_label_has_the_start_of_the_hash_and_of_a_long_name() {
        let label = OperationLabel::new("query", &"é".repeat(99), "{ me { id } }");
        assert!(label.name.len() <= MAX_LENGTH);
        assert_eq!(&*label.hash, "c53d78fa4c9c65a9");
    }
}
