//! The words for each error of apollo-compiler's validation.
//!
//! apollo-compiler names the kind of an error, but shows its details only in a message. The names in that message are in
//! backticks, so they are read from there.

use apollo_compiler::Schema;
use apollo_compiler::ast::Definition;
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::DiagnosticData;

use super::consequential::field_at;
use super::suggestions::{did_you_mean, or};
use super::{Source, names};
use crate::rejection::{INT_RANGE, short};

pub(super) fn message(source: &Source<'_>, error: &DiagnosticData) -> String {
    let original = error.to_string();
    let kind = error.unstable_error_name().unwrap_or_default();
    let names: Vec<String> = names(&original).into_iter().map(short).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    None.or_else(|| of_selection(source, error, kind, &names))
        .or_else(|| of_fragment(source, kind, &names))
        .or_else(|| of_type_condition(source, kind, &names))
        .or_else(|| of_argument(source, error, kind, &names))
        .or_else(|| of_literal(source, error, kind, &names))
        .or_else(|| of_variable(source, kind, &names))
        .or_else(|| of_directive(source, kind, &original, &names))
        .or_else(|| of_operation(kind, &original, &names))
        .unwrap_or_else(|| sentence(&original))
}

/// A message without words of its own as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

fn of_selection(
    source: &Source<'_>,
    error: &DiagnosticData,
    kind: &str,
    names: &[&str],
) -> Option<String> {
    let field =
        || field_at(source, error).map_or_else(|| "field".to_owned(), |one| short(&one.name));
    Some(match (kind, names) {
        ("UndefinedField", [ty, field]) => {
            let hint = similar_fields(source.schema, ty, field);
            format!("`{ty}` has no field `{field}`.{hint}")
        }
        ("MissingSubselection", _) => {
            let field = field();
            format!(
                "`{field}` returns an object. Select the fields that you need: `{field} {{ … }}`."
            )
        }
        ("SubselectionOnScalarType" | "SubselectionOnEnumType", [ty]) => {
            format!(
                "`{}` of type `{ty}` has no fields. Remove the braces after it.",
                field()
            )
        }
        ("ConflictingFieldName", [key]) => {
            format!("`{key}` selects two different fields. Give one of them another alias.")
        }
        ("ConflictingFieldArgument", [key]) => conflicting_arguments(key),
        ("ConflictingFieldType", [key]) => {
            format!("`{key}` selects fields of different types. Give one of them another alias.")
        }
        _ => return None,
    })
}

/// The words for a response key that is selected with different arguments.
pub(crate) fn conflicting_arguments(key: &str) -> String {
    format!("`{key}` is selected with different arguments. Give one of them another alias.")
}

/// Suggests fields of the type. If there is none, suggests object types that have the field, because the type is
/// abstract.
fn similar_fields(schema: &Schema, ty: &str, field: &str) -> String {
    let fields = match schema.types.get(ty) {
        Some(ExtendedType::Object(object)) => Some(&object.fields),
        Some(ExtendedType::Interface(interface)) => Some(&interface.fields),
        _ => None,
    };
    let known = fields.into_iter().flat_map(|fields| fields.keys());
    let hint = did_you_mean("", field, known.map(|name| name.as_str()));
    if !hint.is_empty() {
        return hint;
    }
    let has_field = |name: &&str| {
        schema
            .get_object(name)
            .is_some_and(|one| one.fields.contains_key(field))
    };
    let members: Vec<&str> = match schema.types.get(ty) {
        Some(ExtendedType::Interface(_)) => {
            let objects = schema.types.iter().filter_map(|(name, one)| match one {
                ExtendedType::Object(one) if one.implements_interfaces.contains(ty) => Some(name),
                _ => None,
            });
            objects.map(|name| name.as_str()).collect()
        }
        Some(ExtendedType::Union(union)) => union.members.iter().map(|one| one.as_str()).collect(),
        _ => Vec::new(),
    };
    let members = members.into_iter().filter(has_field).take(3);
    or(members
        .map(|member| format!("`... on {member} {{ {field} }}`"))
        .collect())
}

fn of_fragment(source: &Source<'_>, kind: &str, names: &[&str]) -> Option<String> {
    Some(match (kind, names) {
        ("UndefinedFragment", [name]) => {
            let definitions = source.document.definitions.iter();
            let known = definitions.filter_map(|one| match one {
                Definition::FragmentDefinition(fragment) => Some(fragment.name.as_str()),
                _ => None,
            });
            let hint = did_you_mean("", name, known);
            format!("The fragment `{name}` is not defined.{hint}")
        }
        ("UnusedFragment", [name]) => {
            format!("The fragment `{name}` is not used. Spread it with `...{name}`, or remove it.")
        }
        ("RecursiveFragmentDefinition", [name]) => {
            format!("The fragment `{name}` includes itself.")
        }
        ("FragmentNameCollision", [name]) => {
            format!("Several fragments are named `{name}`. Rename one of them.")
        }
        _ => return None,
    })
}

fn of_type_condition(source: &Source<'_>, kind: &str, names: &[&str]) -> Option<String> {
    let similar_type = |ty: &str| {
        let types = source.schema.types.iter();
        let composite =
            types.filter(|(_, ty)| ty.is_object() || ty.is_interface() || ty.is_union());
        did_you_mean("", ty, composite.map(|(name, _)| name.as_str()))
    };
    Some(match (kind, names) {
        ("UndefinedTypeInNamedFragmentTypeCondition", [ty, name]) => {
            let hint = similar_type(ty);
            format!("The type `{ty}` of the fragment `{name}` does not exist.{hint}")
        }
        ("UndefinedTypeInInlineFragmentTypeCondition", [ty]) => {
            format!("The type `{ty}` does not exist.{}", similar_type(ty))
        }
        ("InvalidFragmentTarget", [name]) => {
            format!("The fragment `{name}` must be on an object, an interface or a union.")
        }
        ("InvalidFragmentTarget", _) => {
            "An inline fragment must be on an object, an interface or a union.".to_owned()
        }
        ("InvalidFragmentSpread", [name, condition, ty]) => {
            format!("The fragment `{name}` on `{condition}` can never apply to `{ty}`.")
        }
        ("InvalidFragmentSpread", [condition, ty]) => {
            format!("An inline fragment on `{condition}` can never apply to `{ty}`.")
        }
        _ => return None,
    })
}

fn of_argument(
    source: &Source<'_>,
    error: &DiagnosticData,
    kind: &str,
    names: &[&str],
) -> Option<String> {
    Some(match (kind, names) {
        ("UndefinedArgument", [argument, of]) => {
            let hint = similar_arguments(source.schema, of, argument);
            format!("`{of}` has no argument `{argument}`.{hint}")
        }
        ("UniqueArgument", [argument]) => {
            format!("The argument `{argument}` is given several times.")
        }
        ("RequiredArgument", [coordinate]) => {
            let (of, argument) = coordinate.split_once('(')?;
            let argument = argument.trim_end_matches([':', ')']);
            format!("`{of}` requires the argument `{argument}`.")
        }
        ("RequiredField", [coordinate]) => {
            let (ty, field) = coordinate.split_once('.')?;
            let path = source.path(error.location());
            format!("`{path}.{field}` is required in `{ty}`.")
        }
        _ => return None,
    })
}

/// Suggests arguments of a directive such as `@skip`, or of a field such as `Query.tasks`.
fn similar_arguments(schema: &Schema, of: &str, argument: &str) -> String {
    let definitions = match (of.strip_prefix('@'), of.split_once('.')) {
        (Some(name), _) => schema
            .directive_definitions
            .get(name)
            .map(|one| &one.arguments),
        (None, Some((ty, field))) => schema.type_field(ty, field).ok().map(|one| &one.arguments),
        _ => None,
    };
    let known = definitions.into_iter().flatten();
    did_you_mean("", argument, known.map(|one| one.name.as_str()))
}

fn of_literal(
    source: &Source<'_>,
    error: &DiagnosticData,
    kind: &str,
    names: &[&str],
) -> Option<String> {
    let path = || source.path(error.location());
    let got = || short(source.slice(error.location()));
    Some(match (kind, names) {
        ("UndefinedEnumValue", [value, ty]) => not_a_value(source.schema, &path(), value, ty),
        ("UndefinedInputValue", [field, ty]) => not_a_field(source.schema, &path(), field, ty),
        ("IntCoercionError", _) => format!("`{}` must be {INT_RANGE}; got `{}`.", path(), got()),
        ("FloatCoercionError", _) => {
            format!("`{}` must be a finite number; got `{}`.", path(), got())
        }
        ("UnsupportedValueType", _) => {
            let original = error.to_string();
            let (_, rest) = original.split_once("of type ")?;
            let (ty, found) = rest.rsplit_once(", found ")?;
            let hint = quotes(source.schema, ty, found);
            let found = match found {
                "an enum" => "an unquoted name",
                "a variable" => "a variable of another type",
                found => found,
            };
            format!("`{}` must be of type `{ty}`; got {found}.{hint}", path())
        }
        _ => return None,
    })
}

/// The words for a name that an enum does not have.
pub(crate) fn not_a_value(schema: &Schema, path: &str, value: &str, ty: &str) -> String {
    let known = schema
        .get_enum(ty)
        .into_iter()
        .flat_map(|ty| ty.values.keys());
    let hint = did_you_mean("", value, known.map(|name| name.as_str()));
    let value = short(value);
    format!("`{path}` must be a value of `{ty}`; got `{value}`.{hint}")
}

/// The words for a field that an input object does not have. `path` includes the field.
pub(crate) fn not_a_field(schema: &Schema, path: &str, field: &str, ty: &str) -> String {
    let input = schema.get_input_object(ty);
    let known = input.into_iter().flat_map(|ty| ty.fields.keys());
    let hint = did_you_mean("", field, known.map(|name| name.as_str()));
    format!("`{path}` is not a field of `{ty}`.{hint}")
}

/// A hint if a literal has quotes that it must not have, or lacks them.
fn quotes(schema: &Schema, ty: &str, found: &str) -> &'static str {
    let inner = ty.trim_matches(['[', ']', '!']);
    match (found, inner) {
        ("a string", "Int" | "Float" | "Boolean") => " Remove the quotes.",
        ("a string", _) if schema.get_enum(inner).is_some() => " Remove the quotes.",
        ("an enum", "String" | "ID") => " Put it in double quotes.",
        _ => "",
    }
}

fn of_variable(source: &Source<'_>, kind: &str, names: &[&str]) -> Option<String> {
    Some(match (kind, names) {
        ("UndefinedVariable", [name]) => undeclared_variable(source, name.trim_start_matches('$')),
        ("UnusedVariable", [name]) => {
            format!("The variable `{name}` is not used. Use it, or remove its declaration.")
        }
        ("UniqueVariable", [name]) => format!("The variable `{name}` is declared several times."),
        ("VariableInputType", [name]) => {
            format!(
                "The variable `{name}` must be of an input type: a scalar, an enum or an input object."
            )
        }
        ("UndefinedDefinition", [ty]) => {
            let types = source.schema.types.iter();
            let input = types.filter(|(_, ty)| ty.is_input_type());
            let hint = did_you_mean("", ty, input.map(|(name, _)| name.as_str()));
            format!("The type `{ty}` does not exist.{hint}")
        }
        ("DisallowedVariableUsage", [name, ty, argument, expected]) => {
            disallowed_usage(name, ty, argument, expected)
        }
        _ => return None,
    })
}

/// The words for a variable without its `$` that the operation does not declare.
pub(crate) fn undeclared_variable(source: &Source<'_>, name: &str) -> String {
    let operations = source
        .document
        .definitions
        .iter()
        .filter_map(|one| match one {
            Definition::OperationDefinition(operation) => Some(operation),
            _ => None,
        });
    let known = operations.flat_map(|operation| operation.variables.iter());
    let hint = did_you_mean("$", name, known.map(|one| one.name.as_str()));
    format!("The variable `${}` is not declared.{hint}", short(name))
}

/// The words for a variable of a type that does not fit its position.
pub(crate) fn disallowed_usage(variable: &str, ty: &str, path: &str, expected: &str) -> String {
    format!(
        "The variable `{variable}` of type `{ty}` cannot be used for `{path}` of type `{expected}`."
    )
}

fn of_directive(source: &Source<'_>, kind: &str, original: &str, names: &[&str]) -> Option<String> {
    Some(match (kind, names) {
        ("UndefinedDirective", [name]) => {
            let known = source.schema.directive_definitions.keys();
            let name = name.trim_start_matches('@');
            let hint = did_you_mean("@", name, known.map(|name| name.as_str()));
            format!("The directive `@{name}` does not exist.{hint}")
        }
        ("UnsupportedLocation", _) => {
            let (name, rest) = original.split_once(' ')?;
            let location = rest.rsplit(' ').nth(1)?;
            format!(
                "The directive `@{}` is not allowed on `{location}`.",
                short(name)
            )
        }
        ("UniqueDirective", _) => {
            let name = original.split(' ').nth(2)?;
            format!(
                "The directive `@{}` is allowed only once here.",
                short(name)
            )
        }
        _ => return None,
    })
}

fn of_operation(kind: &str, original: &str, names: &[&str]) -> Option<String> {
    Some(match (kind, names) {
        ("AmbiguousAnonymousOperation", _) => {
            "A document with several operations must name each of them. Set `operationName` to one of the names."
                .to_owned()
        }
        ("OperationNameCollision", [name]) => {
            format!("Several operations are named `{name}`. Rename one of them.")
        }
        ("UndefinedRootOperation", [operation]) => {
            format!("The schema has no operations of type `{operation}`.")
        }
        ("TypeSystemDefinition", _) => {
            let (_, definition) = original.split_once("contain ")?;
            format!("The document contains {definition}. Send only operations and fragments.")
        }
        ("SubscriptionUsesMultipleFields", _) => {
            "A subscription must select exactly one root field. Start one subscription per field."
                .to_owned()
        }
        ("SubscriptionUsesIntrospection", _) => {
            "A subscription must not select introspection fields at its root.".to_owned()
        }
        ("SubscriptionUsesConditionalSelection", _) => {
            "The root field of a subscription must not have `@skip` or `@include`.".to_owned()
        }
        ("RecursionError" | "RecursionLimitError", _) => {
            "The document is nested too deeply. Select fewer levels.".to_owned()
        }
        _ => return None,
    })
}
