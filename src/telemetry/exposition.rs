//! Metrics as Prometheus reads them, in its own text format or as OpenMetrics.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
        prometheus_text, text,
    },
    metrics::MetricType,
    registry::Registry,
};

use super::Histogram;

/// The labels of a metric that has none.
pub(crate) const NO_LABELS: [(&str, &str); 0] = [];

/// A part of the service that has metrics.
pub(crate) trait Source: Send + Sync + 'static {
    /// Writes the current values. It must not wait, and must not query the database: a scrape every few seconds would keep a
    /// serverless database awake.
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result;
}

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => prometheus_text::CONTENT_TYPE,
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The metrics of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
}

impl Metrics {
    pub(crate) fn new(sources: impl IntoIterator<Item = Arc<dyn Source>>) -> Metrics {
        let mut registry = Registry::default();
        for source in sources {
            registry.register_collector(Box::new(Part(source)));
        }
        Metrics {
            registry: Arc::new(registry),
        }
    }

    /// All metrics with their current values.
    pub fn render(&self, format: Format) -> String {
        let mut written = String::new();
        // Writing to a string does not fail.
        let _ = match format {
            Format::Prometheus => prometheus_text::encode(&mut written, &self.registry),
            Format::OpenMetrics => text::encode(&mut written, &self.registry),
        };
        written
    }
}

struct Part(Arc<dyn Source>);

impl fmt::Debug for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Part")
    }
}

impl Collector for Part {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.write(&mut Exposition { encoder })
    }
}

/// The metrics that are being written. Names of counters are given without `_total`.
pub(crate) struct Exposition<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Exposition<'_> {
    /// A counter for each set of labels.
    pub(crate) fn counters<V, N, L>(&mut self, name: &str, help: &str, values: V) -> fmt::Result
    where
        V: IntoIterator<Item = (L, N)>,
        N: EncodeCounterValue,
        L: EncodeLabelSet,
    {
        let kind = MetricType::Counter;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    /// A counter without labels.
    pub(crate) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.counters(name, help, [(NO_LABELS, value)])
    }

    /// A gauge for each set of labels.
    pub(crate) fn gauges<V, N, L>(&mut self, name: &str, help: &str, values: V) -> fmt::Result
    where
        V: IntoIterator<Item = (L, N)>,
        N: EncodeGaugeValue,
        L: EncodeLabelSet,
    {
        let kind = MetricType::Gauge;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A gauge without labels.
    pub(crate) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.gauges(name, help, [(NO_LABELS, value)])
    }

    /// A histogram of seconds for each set of labels.
    pub(crate) fn histograms<'h, V, L>(&mut self, name: &str, help: &str, values: V) -> fmt::Result
    where
        V: IntoIterator<Item = (L, &'h Histogram)>,
        L: EncodeLabelSet,
    {
        let kind = MetricType::Histogram;
        let mut metric = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, histogram) in values {
            let value = histogram.snapshot();
            let mut one = metric.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(value.sum, value.count, &value.buckets, None)?;
        }
        Ok(())
    }

    /// A histogram of seconds without labels.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, value: &Histogram) -> fmt::Result {
        self.histograms(name, help, [(NO_LABELS, value)])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Sample;

    impl Source for Sample {
        fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
            to.counters("reads", "Reads.", [([("of", "a \"b\"\n")], 2_u64)])?;
            to.gauge("open", "Open.", 3_i64)?;
            let histogram = Histogram::default();
            histogram.observe(Duration::from_millis(20));
            to.histogram("time_seconds", "Times.", &histogram)
        }
    }

    #[test]
    fn both_formats_have_all_values_and_quote_labels() {
        let metrics = Metrics::new([Arc::new(Sample) as Arc<dyn Source>]);
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let text = metrics.render(format);
            for line in [
                r#"reads_total{of="a \"b\"\n"} 2"#,
                "open 3",
                r#"time_seconds_bucket{le="0.025"} 1"#,
                r#"time_seconds_bucket{le="+Inf"} 1"#,
                "time_seconds_sum 0.02",
                "time_seconds_count 1",
            ] {
                assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            }
            let is_open = format == Format::OpenMetrics;
            assert_eq!(text.ends_with("# EOF\n"), is_open, "{text}");
        }
    }
}
