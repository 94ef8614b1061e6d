//! The dashboard and the documentation name the metrics that the service has, and no others.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::Path,
};

use serde_json::Value;

use crate::support::{REPLICA_METRICS, TestApp};

/// Operators of PromQL that are words.
const KEYWORDS: [&str; 3] = ["or", "and", "unless"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All values of this key, at any depth.
fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => collect(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}

/// The metrics that an expression names: the words that are no functions, keywords, labels or texts.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let without_selectors = removed(&removed(expression, '{', '}'), '[', ']');
    let mut names = BTreeSet::new();
    let mut rest = without_selectors.as_str();
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_alphabetic()) {
        let word = &rest[start..];
        let end = word.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let (word, after) = word.split_at(end.unwrap_or(word.len()));
        let after = after.trim_start();
        rest = after;
        if matches!(word, "by" | "without" | "on") {
            // Labels.
            rest = after.split_once(')').map_or("", |(_, rest)| rest);
            continue;
        }
        // `rate(…)`, `sum by (…) (…)`
        let is_function = ["(", "by (", "without ("]
            .iter()
            .any(|start| after.starts_with(start));
        if !is_function && !KEYWORDS.contains(&word) {
            names.insert(word.to_owned());
        }
    }
    names
}

/// The text without what is between these characters.
fn removed(text: &str, open: char, close: char) -> String {
    let mut kept = String::new();
    let mut depth = 0;
    for letter in text.chars() {
        depth += i32::from(letter == open);
        if depth == 0 {
            kept.push(letter);
        }
        depth -= i32::from(letter == close);
    }
    kept
}

/// The names of all metrics, including those of a read replica.
async fn exposed() -> HashSet<String> {
    let mut names = TestApp::start().await.scrape().names();
    names.extend(REPLICA_METRICS.map(str::to_owned));
    names
}

#[test]
fn metrics_are_found_in_expressions() {
    let expression = r#"topk(10, histogram_quantile(0.95, sum by (le, name) (rate(a_bucket{b="c"}[$__rate_interval])))) or vector(0) - time() / d_total"#;
    let expected = ["a_bucket", "d_total"].map(str::to_owned);
    assert_eq!(metrics_of(expression), BTreeSet::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_names_only_metrics_that_exist() {
    let exposed = exposed().await;
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/snapnote.json")).unwrap();
    let mut expressions = Vec::new();
    collect(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 30, "{}", expressions.len());
    let mut shown = BTreeSet::new();
    for expression in expressions {
        let named = metrics_of(expression);
        assert!(!named.is_empty(), "{expression}");
        for name in &named {
            assert!(
                exposed.contains(name),
                "{name} does not exist: {expression}"
            );
        }
        shown.extend(named);
    }
    // Each metric is shown, by at least one of its series.
    let is_shown = |family: &str| shown.iter().any(|name| name.starts_with(family));
    for name in &exposed {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        assert!(is_shown(family.unwrap_or(name)), "{name} is not shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_metric_is_documented() {
    let app = TestApp::start().await;
    let text = app.scrape().0;
    let documentation = read("docs/operations.md");
    let families = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = families.map(|(name, _)| name).chain(REPLICA_METRICS);
    for name in names {
        let mention = format!("`{name}`");
        assert!(
            documentation.contains(&mention),
            "{name} is not in docs/operations.md"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_name_only_metrics_that_exist() {
    let exposed = exposed().await;
    let alerts = read("deploy/prometheus/snapnote-alerts.yml");
    let expressions = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut number = 0;
    for expression in expressions {
        number += 1;
        for name in metrics_of(expression) {
            // Prometheus itself has `up`.
            assert!(
                name == "up" || exposed.contains(&name),
                "{name} does not exist: {expression}"
            );
        }
    }
    assert_eq!(number, alerts.matches("- alert:").count());
}
