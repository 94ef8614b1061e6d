//! Checks of custom scalars, so that a wrong value is reported with its path before anything runs.
//!
//! async-graphql would report it while it executes the operation, without the name of the argument.

use apollo_compiler::ast;
use apollo_compiler::schema::InputObjectType;
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

/// The error of a value of the type `ty`, and the field of its input object that accepts it instead. None if the value is valid, or
/// the type has no check.
pub(crate) fn problem(
    scalars: &[CustomScalar],
    ty: &str,
    value: &Value,
    object: Option<&InputObjectType>,
) -> Option<String> {
    let check = |ty: &str| {
        let scalar = scalars.iter().find(|scalar| scalar.name == ty)?;
        Some((scalar.check)(value))
    };
    let problem = check(ty)?.err()?;
    let fields = object.into_iter().flat_map(|object| object.fields.values());
    let mut others = fields.filter(|field| check(field.ty.inner_named_type()) == Some(Ok(())));
    let hint = others.next().map(|other| {
        let name = &other.name;
        format!(" Or use `{name}`, which accepts this value.")
    });
    Some(problem + &hint.unwrap_or_default())
}

/// As [`problem`]. Variables inside the literal count as null.
pub(crate) fn literal_problem(
    scalars: &[CustomScalar],
    ty: &str,
    literal: &ast::Value,
    object: Option<&InputObjectType>,
) -> Option<String> {
    if literal.is_null() || !scalars.iter().any(|scalar| scalar.name == ty) {
        return None;
    }
    let value = translate::value(literal);
    let value = value.into_const_with(|_| Ok::<_, std::convert::Infallible>(Value::Null));
    problem(scalars, ty, &value.ok()?, object)
}
