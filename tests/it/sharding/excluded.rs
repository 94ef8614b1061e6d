//! Tests that use a database that is not sharded, even if there is a Citus cluster: `excluded.txt`, with the reasons.

use std::{collections::BTreeMap, sync::LazyLock};

/// The start of each test's name, and the reason. A line without spaces in front is the reason of the lines after it.
static EXCLUDED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/sharding/excluded.txt"
    );
    let (mut excluded, mut reason) = (BTreeMap::new(), String::new());
    for line in std::fs::read_to_string(file).unwrap().lines() {
        match line.strip_prefix("    ") {
            Some(test) => drop(excluded.insert(test.to_owned(), reason.clone())),
            None => reason = line.to_owned(),
        }
    }
    excluded
});

/// Why a test does not hold on a sharded database. `None` if it does.
pub(crate) fn reason(test: &str) -> Option<&'static str> {
    let excluded = EXCLUDED
        .iter()
        .find(|(name, _)| test.starts_with(name.as_str()));
    excluded.map(|(_, reason)| reason.as_str())
}
