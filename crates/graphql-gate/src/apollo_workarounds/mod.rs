//! What apollo-compiler lets through.

pub(crate) mod input_values;
pub(crate) mod missing_colons;
