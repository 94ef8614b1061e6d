//! Tests that use a database that is not sharded, even if there is a Citus cluster, with the reason.

/// Names of tests and folders of tests.
const EXCLUDED: &[(&str, &str)] = &[];

/// Why a test does not hold on a sharded database. `None` if it does.
pub(crate) fn reason(test: &str) -> Option<&'static str> {
    let excluded = EXCLUDED.iter().find(|(name, _)| test.starts_with(name));
    excluded.map(|(_, reason)| *reason)
}
