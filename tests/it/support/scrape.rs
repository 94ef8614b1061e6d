//! Metrics as Prometheus reads them.

use std::collections::HashSet;

use snapnote::telemetry::Format;

use super::TestApp;

/// The metrics that a service has only with a read replica. A test of replicas checks that the list is complete.
pub(crate) const REPLICA_METRICS: [&str; 3] = [
    "snapnote_replica_lag_seconds",
    "snapnote_replica_queries_total",
    "snapnote_replica_ready",
];

/// The metrics of one scrape.
#[derive(Debug)]
pub(crate) struct Scrape(pub(crate) String);

impl Scrape {
    /// The sum of all samples with this name that have all of these labels. `None` if there are none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let samples = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_named = rest.starts_with(['{', ' ']);
            let (found, value) = rest.rsplit_once(' ')?;
            let has_all = labels.iter().all(|label| found.contains(&**label));
            (is_named && has_all).then(|| value.parse::<f64>().unwrap())
        });
        samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// As [`Scrape::value`]; 0 if there are none.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.value(name, labels).unwrap_or_default()
    }

    /// The names of all series, as expressions refer to them.
    pub(crate) fn names(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        for line in self.0.lines() {
            let Some(description) = line.strip_prefix("# TYPE ") else {
                continue;
            };
            let (name, kind) = description.split_once(' ').unwrap();
            match kind {
                "histogram" => {
                    names.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
                }
                _ => _ = names.insert(name.to_owned()),
            }
        }
        names
    }
}

impl TestApp {
    /// The present metrics, without a request.
    pub(crate) fn scrape(&self) -> Scrape {
        Scrape(self.metrics.render(Format::Prometheus))
    }
}
