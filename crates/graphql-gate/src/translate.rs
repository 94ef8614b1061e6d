//! Translates apollo-compiler's valid document to async-graphql's: the selected operation and the fragments that it uses.
//!
//! async-graphql's own parser does not see the text, so no second grammar can read it differently. async-graphql
//! silently drops a fragment on a union inside another type (no upstream issue known). It becomes one fragment per member.
//!
//! Nothing is checked here: the document is valid, and `analysis.rs` has limited its size.

use std::collections::HashMap;

use apollo_compiler::ast::{self, Argument, Directive};
use apollo_compiler::executable::{self as valid, DirectiveList};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{self as apollo, Schema};
use apollo_compiler::{Node, parser::SourceSpan};
use async_graphql::parser::types;
use async_graphql::{Name, Pos, Positioned, Value as ConstValue};
use async_graphql_value::Value;

use crate::source_map::SourceMap;

/// The document for async-graphql. It contains only this operation, without a name.
pub(crate) fn translate(
    schema: &Valid<Schema>,
    document: &valid::ExecutableDocument,
    operation: &valid::Operation,
    source_map: &SourceMap,
) -> types::ExecutableDocument {
    let mut translation = Translation {
        schema,
        document,
        source_map,
        fragments: HashMap::new(),
    };
    let set = &operation.selection_set;
    let selection_set = translation.selections(set, &set.ty);
    let operation = types::OperationDefinition {
        ty: operation_type(operation.operation_type),
        variable_definitions: operation.variables.iter().map(variable).collect(),
        // No directive in the schema is valid on an operation.
        directives: Vec::new(),
        selection_set,
    };
    types::ExecutableDocument {
        operations: types::DocumentOperations::Single(unpositioned(operation)),
        fragments: translation.fragments,
    }
}

pub(crate) fn operation_type(of: ast::OperationType) -> types::OperationType {
    match of {
        ast::OperationType::Query => types::OperationType::Query,
        ast::OperationType::Mutation => types::OperationType::Mutation,
        ast::OperationType::Subscription => types::OperationType::Subscription,
    }
}

struct Translation<'a> {
    schema: &'a Schema,
    document: &'a valid::ExecutableDocument,
    source_map: &'a SourceMap,
    fragments: HashMap<Name, Positioned<types::FragmentDefinition>>,
}

impl<'a> Translation<'a> {
    /// `parent` is the narrowest type that the selected object is known to have.
    fn selections(
        &mut self,
        set: &'a valid::SelectionSet,
        parent: &'a apollo::Name,
    ) -> Positioned<types::SelectionSet> {
        let mut items = Vec::with_capacity(set.selections.len());
        for selection in &set.selections {
            match selection {
                valid::Selection::Field(field) => items.push(self.field(field)),
                valid::Selection::FragmentSpread(spread) => {
                    self.spread(spread, parent, &mut items);
                }
                valid::Selection::InlineFragment(inline) => {
                    let set = &inline.selection_set;
                    let condition = inline.type_condition.as_ref();
                    self.inline(condition, &inline.directives, set, parent, &mut items);
                }
            }
        }
        unpositioned(types::SelectionSet { items })
    }

    fn field(&mut self, field: &'a Node<valid::Field>) -> Positioned<types::Selection> {
        let at = self.at(field.location());
        let set = &field.selection_set;
        let translated = types::Field {
            alias: field.alias.as_ref().map(name),
            name: name(&field.name),
            arguments: self.arguments(&field.arguments, &field.definition.arguments),
            directives: self.directives(&field.directives),
            selection_set: self.selections(set, &set.ty),
        };
        Positioned::new(types::Selection::Field(Positioned::new(translated, at)), at)
    }

    fn spread(
        &mut self,
        spread: &'a valid::FragmentSpread,
        parent: &'a apollo::Name,
        items: &mut Vec<Positioned<types::Selection>>,
    ) {
        let fragment = &self.document.fragments[&spread.fragment_name];
        let condition = fragment.type_condition();
        if self.is_foreign_union(condition, parent) {
            let set = &fragment.selection_set;
            return self.inline(Some(condition), &spread.directives, set, parent, items);
        }
        self.fragment(fragment);
        items.push(unpositioned(types::Selection::FragmentSpread(
            unpositioned(types::FragmentSpread {
                fragment_name: name(&spread.fragment_name),
                directives: self.directives(&spread.directives),
            }),
        )));
    }

    fn fragment(&mut self, fragment: &'a valid::Fragment) {
        if self.fragments.contains_key(fragment.name.as_str()) {
            return;
        }
        let set = &fragment.selection_set;
        let translated = types::FragmentDefinition {
            type_condition: type_condition(fragment.type_condition()),
            directives: Vec::new(),
            selection_set: self.selections(set, &set.ty),
        };
        self.fragments
            .insert(Name::new(&fragment.name), unpositioned(translated));
    }

    fn inline(
        &mut self,
        condition: Option<&'a apollo::Name>,
        directives: &'a DirectiveList,
        set: &'a valid::SelectionSet,
        parent: &'a apollo::Name,
        items: &mut Vec<Positioned<types::Selection>>,
    ) {
        let is_object = self.schema.get_object(parent).is_some();
        let foreign = condition.filter(|condition| self.is_foreign_union(condition, parent));
        let union = foreign.and_then(|union| self.schema.get_union(union));
        match union {
            // The parent is an object type, so a valid fragment on a union always applies.
            Some(_) if is_object => items.push(self.inline_on(None, directives, set, parent)),
            Some(union) => {
                for member in &union.members {
                    items.push(self.inline_on(Some(member), directives, set, member));
                }
            }
            None => {
                let narrower = condition.filter(|_| !is_object).unwrap_or(parent);
                items.push(self.inline_on(condition, directives, set, narrower));
            }
        }
    }

    fn inline_on(
        &mut self,
        condition: Option<&apollo::Name>,
        directives: &DirectiveList,
        set: &'a valid::SelectionSet,
        parent: &'a apollo::Name,
    ) -> Positioned<types::Selection> {
        unpositioned(types::Selection::InlineFragment(unpositioned(
            types::InlineFragment {
                type_condition: condition.map(type_condition),
                directives: self.directives(directives),
                selection_set: self.selections(set, parent),
            },
        )))
    }

    fn is_foreign_union(&self, condition: &apollo::Name, parent: &apollo::Name) -> bool {
        condition != parent
            && matches!(
                self.schema.types.get(condition),
                Some(ExtendedType::Union(_))
            )
    }

    fn directives(&self, directives: &[Node<Directive>]) -> Vec<Positioned<types::Directive>> {
        let translate = |directive: &Node<Directive>| {
            unpositioned(types::Directive {
                name: name(&directive.name),
                arguments: self.arguments(&directive.arguments, &[]),
            })
        };
        directives.iter().map(translate).collect()
    }

    fn arguments(
        &self,
        arguments: &[Node<Argument>],
        definitions: &[Node<ast::InputValueDefinition>],
    ) -> Vec<(Positioned<Name>, Positioned<Value>)> {
        let translate = |argument: &Node<Argument>| {
            let at = self.at(argument.value.location());
            let definition = definitions.iter().find(|one| one.name == argument.name);
            let ty = definition.map(|one| one.ty.inner_named_type());
            let value = typed(self.schema, &argument.value, ty);
            (name(&argument.name), Positioned::new(value, at))
        };
        arguments.iter().map(translate).collect()
    }

    fn at(&self, span: Option<SourceSpan>) -> Pos {
        self.source_map.start(span).unwrap_or_default()
    }
}

/// The value of a literal without variables, such as a default.
pub(crate) fn constant(
    schema: &Schema,
    literal: &ast::Value,
    ty: &ast::Type,
) -> Option<ConstValue> {
    typed(schema, literal, Some(ty.inner_named_type())).into_const()
}

/// As [`value`], but the integers of an `ID` become text, because they can have any number of digits.
fn typed(schema: &Schema, literal: &ast::Value, ty: Option<&apollo::Name>) -> Value {
    match (literal, ty) {
        (ast::Value::Int(digits), Some(ty)) if ty == "ID" => Value::String(digits.to_string()),
        (ast::Value::List(items), ty) => {
            Value::List(items.iter().map(|item| typed(schema, item, ty)).collect())
        }
        (ast::Value::Object(fields), Some(ty)) => {
            let input = schema.get_input_object(ty);
            let field = |(name, literal): &(apollo::Name, Node<ast::Value>)| {
                let definition = input.and_then(|input| input.fields.get(name));
                let ty = definition.map(|one| one.ty.inner_named_type());
                (Name::new(name), typed(schema, literal, ty))
            };
            Value::Object(fields.iter().map(field).collect())
        }
        _ => value(literal),
    }
}

pub(crate) fn value(literal: &ast::Value) -> Value {
    match literal {
        ast::Value::Null => Value::Null,
        ast::Value::Variable(variable) => Value::Variable(Name::new(variable)),
        ast::Value::Enum(value) => Value::Enum(Name::new(value)),
        ast::Value::String(text) => Value::String(text.clone()),
        ast::Value::Boolean(value) => Value::Boolean(*value),
        ast::Value::Int(digits) => number(digits.as_str()),
        ast::Value::Float(digits) => number(digits.as_str()),
        ast::Value::List(items) => Value::List(items.iter().map(|item| value(item)).collect()),
        ast::Value::Object(fields) => {
            let field = |(name, literal): &(apollo::Name, Node<ast::Value>)| {
                (Name::new(name), value(literal))
            };
            Value::Object(fields.iter().map(field).collect())
        }
    }
}

/// A number that is too large for JSON becomes text. Only an `ID` can be so large.
fn number(digits: &str) -> Value {
    match digits.parse() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::String(digits.to_owned()),
    }
}

/// Omits the default: the coerced variables include it.
fn variable(variable: &Node<ast::VariableDefinition>) -> Positioned<types::VariableDefinition> {
    let ty = types::Type::new(&variable.ty.to_string());
    unpositioned(types::VariableDefinition {
        name: name(&variable.name),
        var_type: unpositioned(ty.expect("both libraries print types in GraphQL syntax")),
        directives: Vec::new(),
        default_value: None,
    })
}

fn type_condition(on: &apollo::Name) -> Positioned<types::TypeCondition> {
    unpositioned(types::TypeCondition { on: name(on) })
}

fn name(name: &apollo::Name) -> Positioned<Name> {
    unpositioned(Name::new(name))
}

/// For nodes that no error of async-graphql refers to.
fn unpositioned<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}
