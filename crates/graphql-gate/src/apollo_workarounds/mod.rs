//! Workarounds for faults of apollo-compiler 1.33 and its parser. Nothing else in this crate compensates for them.
//!
//! | fault | workaround | upstream |
//! |---|---|---|
//! | The parser drops an argument or input field that has a name but no colon. | `missing_colons` | no upstream issue known |
//! | Variables inside lists and input objects are compared by their named type alone: nullability and lists are ignored. | `input_values` | fixed in the unreleased version 2 by [1030] |
//! | Variables inside custom scalars need not be declared. | `input_values` | no upstream issue known; [883] fixed it for other types |
//! | A default of `null` makes a nullable variable valid where null is not allowed. | `input_values` | no upstream issue known |
//! | A literal of an input object may contain a field twice. | `input_values` | no upstream issue known |
//! | `@oneOf` is not validated, and `__Type.isOneOf` does not exist. | `input_values`, [`is_one_of`], [`with_is_one_of`] | [882], in the unreleased version 2 by [1030] |
//! | Two lists are equal if the longer one starts with the shorter one, so root fields with different arguments merge. | `list_lengths` | no upstream issue known |
//! | The parser rejects descriptions of operations, fragments and variables (September 2025 specification). | `descriptions.rs` | no upstream issue known |
//! | Errors that follow from others are reported too: an invalid field makes its parent's selection set empty and its variables unused. | `problems/consequential.rs` | no upstream issue known |
//! | `coerce_variable_values` keeps numeric ids as numbers, does not coerce the defaults of variables and input fields, names the type but not the variable in errors, repeats the whole value there, and copies each text twice. | `variables.rs` replaces it | no upstream issue known |
//! | `coerce_variable_values` rejects whole numbers above 2^53 as `Float`. | `variables.rs` replaces it | since [1011] |
//!
//! When an upgrade fixes a fault, delete its workaround and its row. The tests in `tests/rejected.rs` and
//! `tests/variables.rs` stay; the latter fails if apollo-compiler starts to agree with `variables.rs`.
//!
//! [882]: https://github.com/apollographql/apollo-rs/issues/882
//! [883]: https://github.com/apollographql/apollo-rs/pull/883
//! [1011]: https://github.com/apollographql/apollo-rs/pull/1011
//! [1030]: https://github.com/apollographql/apollo-rs/pull/1030

mod input_values;
mod list_lengths;
mod missing_colons;

use std::collections::HashSet;

use apollo_compiler::executable::{ExecutableDocument, Operation};
use apollo_compiler::schema::InputObjectType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};

pub(crate) use self::missing_colons::find as find_missing_colon;
use crate::problems::Source;
use crate::rejection::{MAX_PROBLEMS, Rejection, RejectionKind};
use crate::scalars::CustomScalar;

/// Checks what apollo-compiler does not check in one operation of a document that it accepted.
///
/// Returns the nullable variables that are used where null is not allowed. That is valid if the variable or its position
/// has a default. The variable may then be omitted, but it must not be null.
pub(crate) fn check_operation(
    source: &Source<'_>,
    scalars: &[CustomScalar],
    document: &ExecutableDocument,
    operation: &Operation,
) -> Result<HashSet<Name>, Rejection> {
    let mut checked = input_values::check(source, scalars, document, operation);
    list_lengths::check(document, operation, source.map, &mut checked.problems);
    for (kind, mut problems) in [
        (RejectionKind::Validation, checked.problems),
        (RejectionKind::Values, checked.invalid_scalars),
    ] {
        if !problems.is_empty() {
            problems.truncate(MAX_PROBLEMS);
            return Err(Rejection::new(kind, problems));
        }
    }
    Ok(checked.null_forbidden)
}

/// Adds `__Type.isOneOf` to the schema in `sdl`, because async-graphql resolves it.
pub(crate) fn with_is_one_of(schema: Valid<Schema>, sdl: &str) -> Valid<Schema> {
    if schema.type_field("__Type", "isOneOf").is_ok() {
        return schema;
    }
    let extended = format!("{sdl}\nextend type __Type {{ isOneOf: Boolean }}");
    Schema::parse_and_validate(extended, "schema.graphql").expect("a new field keeps it valid")
}

/// Whether values of this type must contain exactly one field.
pub(crate) fn is_one_of(input: &InputObjectType) -> bool {
    input.directives.has("oneOf")
}

/// The words for a value of a `@oneOf` type with a different number of fields, or with null.
pub(crate) fn one_field(path: &str, ty: &str) -> String {
    format!("`{path}` of type `{ty}` must have exactly one field, which must not be null.")
}
