//! The exported schema, and the description of the tables, held against what they describe.

/// `schema.graphql` is what clients generate their types from: it must be what the service serves.
#[test]
fn the_committed_schema_is_the_served_one() {
    let committed = include_str!("../../schema.graphql");
    let served = snapnote::graphql::sdl();
    assert!(
        committed == served,
        "schema.graphql is stale: run `cargo run -- schema > schema.graphql`"
    );
}
