//! Finds the argument that contains a literal, and the path from the argument to the literal.

use apollo_compiler::ast::{
    Argument, Definition, Directive, Document, Selection, Value, VariableDefinition,
};
use apollo_compiler::{Name, Node};

use crate::rejection::short;

/// The path to the literal at a byte offset, such as `filter.priority[0]`, or `$first` in the default of a variable. None
/// if the offset is not in a literal.
pub(super) fn find(document: &Document, offset: usize) -> Option<String> {
    document
        .definitions
        .iter()
        .find_map(|definition| match definition {
            Definition::OperationDefinition(operation) if contains(operation, offset) => {
                in_directives(&operation.directives, offset)
                    .or_else(|| in_variables(&operation.variables, offset))
                    .or_else(|| in_selections(&operation.selection_set, offset))
            }
            Definition::FragmentDefinition(fragment) if contains(fragment, offset) => {
                in_selections(&fragment.selection_set, offset)
            }
            _ => None,
        })
}

/// Whether the text of a node contains a byte offset.
pub(super) fn contains<T>(node: &Node<T>, offset: usize) -> bool {
    node.location()
        .is_some_and(|span| (span.offset()..span.end_offset()).contains(&offset))
}

fn in_variables(variables: &[Node<VariableDefinition>], offset: usize) -> Option<String> {
    let variable = variables.iter().find(|one| contains(one, offset))?;
    if let Some(path) = in_directives(&variable.directives, offset) {
        return Some(path);
    }
    let default = variable.default_value.as_ref()?;
    contains(default, offset)
        .then(|| in_value(format!("${}", short(&variable.name)), default, offset))
}

fn in_selections(selections: &[Selection], offset: usize) -> Option<String> {
    selections.iter().find_map(|selection| match selection {
        Selection::Field(field) if contains(field, offset) => {
            in_arguments(&field.arguments, offset)
                .or_else(|| in_directives(&field.directives, offset))
                .or_else(|| in_selections(&field.selection_set, offset))
        }
        Selection::InlineFragment(inline) if contains(inline, offset) => {
            in_directives(&inline.directives, offset)
                .or_else(|| in_selections(&inline.selection_set, offset))
        }
        Selection::FragmentSpread(spread) if contains(spread, offset) => {
            in_directives(&spread.directives, offset)
        }
        _ => None,
    })
}

fn in_directives(directives: &[Node<Directive>], offset: usize) -> Option<String> {
    let mut directives = directives.iter();
    directives.find_map(|directive| in_arguments(&directive.arguments, offset))
}

fn in_arguments(arguments: &[Node<Argument>], offset: usize) -> Option<String> {
    let argument = arguments.iter().find(|one| contains(&one.value, offset))?;
    Some(in_value(short(&argument.name), &argument.value, offset))
}

fn in_value(path: String, value: &Value, offset: usize) -> String {
    match value {
        Value::List(items) => match items.iter().position(|item| contains(item, offset)) {
            Some(index) => in_value(format!("{path}[{index}]"), &items[index], offset),
            None => path,
        },
        Value::Object(fields) => {
            let holds = |(_, value): &&(Name, Node<Value>)| contains(value, offset);
            match fields.iter().find(holds) {
                Some((name, value)) => in_value(format!("{path}.{}", short(name)), value, offset),
                None => path,
            }
        }
        _ => path,
    }
}
