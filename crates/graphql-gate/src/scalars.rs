//! Checks of custom scalars, so that a wrong value is reported with its path before anything runs.
//!
//! async-graphql would report it while it executes the operation, without the name of the argument.

use apollo_compiler::ast;
use async_graphql::Value;

use crate::translate;

/// A custom scalar of the schema, and the check of its values.
#[derive(Debug, Clone, Copy)]
pub struct CustomScalar {
    /// The name in the schema.
    pub name: &'static str,
    /// Checks a value that is not null. An error completes the path of the value to sentences, such as ``must be a URL; got
    /// `a`.``
    pub check: fn(&Value) -> Result<(), String>,
}

/// The error of a value of the type `ty`. None if the value is valid, or the type has no check.
pub(crate) fn problem(scalars: &[CustomScalar], ty: &str, value: &Value) -> Option<String> {
    let scalar = scalars.iter().find(|scalar| scalar.name == ty)?;
    (scalar.check)(value).err()
}

/// As [`problem`]. Variables inside the literal count as null.
pub(crate) fn literal_problem(
    scalars: &[CustomScalar],
    ty: &str,
    literal: &ast::Value,
) -> Option<String> {
    if literal.is_null() || !scalars.iter().any(|scalar| scalar.name == ty) {
        return None;
    }
    let value = translate::value(literal);
    let value = value.into_const_with(|_| Ok::<_, std::convert::Infallible>(Value::Null));
    problem(scalars, ty, &value.ok()?)
}
