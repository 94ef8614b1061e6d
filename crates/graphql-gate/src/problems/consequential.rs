//! Errors that only follow from other errors. Reporting them would hide what to fix.

use std::collections::HashSet;

use apollo_compiler::ast::{Definition, Field, Selection};
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList};

use super::{Source, argument_path, names};
use crate::tokens::{Token, Tokens};

/// The errors without those that follow from others. At least one remains.
pub(super) fn without<'e>(
    source: &Source<'_>,
    errors: &'e DiagnosticList,
) -> Vec<&'e DiagnosticData> {
    let all: Vec<&DiagnosticData> = errors.iter().map(|one| one.error).collect();
    let used = used_names(source.text);
    let mut has_anonymous = false;
    let mut causes = all.clone();
    causes.retain(|error| {
        if error.unstable_error_name() == Some("AmbiguousAnonymousOperation") {
            return !std::mem::replace(&mut has_anonymous, true);
        }
        !follows(source, error, &all, &used)
    });
    match causes.is_empty() {
        true => all,
        false => causes,
    }
}

fn follows(
    source: &Source<'_>,
    error: &DiagnosticData,
    all: &[&DiagnosticData],
    used: &HashSet<&[u8]>,
) -> bool {
    let message = error.to_string();
    let names = names(&message);
    let is_composite = |name: &str| {
        let ty = source.schema.types.get(name);
        ty.is_none_or(|ty| ty.is_object() || ty.is_interface() || ty.is_union())
    };
    match (error.unstable_error_name().unwrap_or_default(), &*names) {
        // Each of the selected fields is an error of its own.
        ("MissingSubselection", _) => {
            field_at(source, error).is_some_and(|field| !field.selection_set.is_empty())
        }
        ("RequiredArgument", [argument]) => is_null_argument(source, error, argument, all),
        ("RequiredField", [field]) => {
            let name = field.split('.').nth(1).unwrap_or_default();
            let path = format!("{}.{name}", source.path(error.location()));
            has_invalid_value(source, error, &path, all)
        }
        // The type of the variable is unknown, which is an error of its own.
        ("DisallowedVariableUsage", [_, ty, ..]) => {
            let ty = ty.trim_matches(['[', ']', '!']);
            !source.schema.types.contains_key(ty)
        }
        // The variable or fragment is used in a selection that is an error of its own.
        ("UnusedVariable" | "UnusedFragment", [name]) => used.contains(name.as_bytes()),
        // The fragment is defined, but its type is unknown.
        ("UndefinedFragment", [name]) => defines_fragment(source, name),
        // The fragment is on a scalar, which is an error of its own.
        ("UndefinedField", [ty, _]) => !is_composite(ty),
        ("InvalidFragmentSpread", [.., condition, _]) => !is_composite(condition),
        _ => false,
    }
}

/// Whether a required argument, `field(argument:)`, is not missing but null, which is an error of its own.
fn is_null_argument(
    source: &Source<'_>,
    error: &DiagnosticData,
    argument: &str,
    all: &[&DiagnosticData],
) -> bool {
    let name = argument.split(['(', ':']).nth(1).unwrap_or_default();
    match field_at(source, error) {
        Some(field) => field.arguments.iter().any(|one| one.name == name),
        None => has_invalid_value(source, error, name, all),
    }
}

fn defines_fragment(source: &Source<'_>, name: &str) -> bool {
    let is_it = |one: &Definition| matches!(one, Definition::FragmentDefinition(fragment) if fragment.name == name);
    source.document.definitions.iter().any(is_it)
}

/// Whether another error is about a value inside this error's text, at this path.
fn has_invalid_value(
    source: &Source<'_>,
    error: &DiagnosticData,
    path: &str,
    all: &[&DiagnosticData],
) -> bool {
    let Some(span) = error.location() else {
        return false;
    };
    let mut others = all.iter().filter(|other| {
        let at = other.location().map(|other| other.offset());
        other.unstable_error_name() == Some("UnsupportedValueType")
            && at.is_some_and(|at| (span.offset()..span.end_offset()).contains(&at))
    });
    others.any(|other| source.path(other.location()) == path)
}

/// The fragments that a document spreads, and the variables that it uses, with their `$`.
fn used_names(text: &str) -> HashSet<&[u8]> {
    let tokens = Tokens::new(text).filter(|token| !token.is_ignored());
    let tokens: Vec<Token<'_>> = tokens.collect();
    let uses = tokens.windows(3).filter_map(|three| {
        let [sign, name, next] = three else {
            return None;
        };
        match sign.text {
            b"..." => Some(name.text),
            b"$" if next.text != b":" => {
                let end = name.offset + name.text.len();
                text.as_bytes().get(sign.offset..end)
            }
            _ => None,
        }
    });
    uses.collect()
}

/// The field that an error is about.
pub(super) fn field_at<'a>(source: &Source<'a>, error: &DiagnosticData) -> Option<&'a Field> {
    let offset = error.location()?.offset();
    let mut definitions = source.document.definitions.iter();
    definitions.find_map(|definition| match definition {
        Definition::OperationDefinition(operation) => find(&operation.selection_set, offset),
        Definition::FragmentDefinition(fragment) => find(&fragment.selection_set, offset),
        _ => None,
    })
}

/// The field that starts at a byte offset.
fn find(selections: &[Selection], offset: usize) -> Option<&Field> {
    selections.iter().find_map(|selection| match selection {
        Selection::Field(field) if argument_path::contains(field, offset) => {
            match field.location()?.offset() == offset {
                true => Some(&**field),
                false => find(&field.selection_set, offset),
            }
        }
        Selection::InlineFragment(inline) if argument_path::contains(inline, offset) => {
            find(&inline.selection_set, offset)
        }
        _ => None,
    })
}
