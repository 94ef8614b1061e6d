//! From a document to a plan: the specification's CollectFields at every level, once instead of for each object.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition,
        OperationType, Selection, SelectionSet,
    },
};
use async_graphql_value::Value;

use super::{
    fields::{FieldOf, ObjectType},
    model::{
        Arguments, Child, EdgeValue, Key, List, ListValue, Nodes, ObjectValue, PageInfoValue, Plan,
        Root, Rows, Set,
    },
};
use crate::{db::Columns as _, items::ItemKind, tags::Tag};

/// The plan of a document's operation. `None` if it is not a query, or selects a field that plans do not support.
///
/// `variables`: the values of those that decide what is selected.
pub(super) fn compile(document: &ExecutableDocument, variables: &Variables) -> Option<Plan> {
    let DocumentOperations::Single(operation) = &document.operations else {
        return None;
    };
    if operation.node.ty != OperationType::Query {
        return None;
    }
    let compiler = Compiler {
        fragments: &document.fragments,
        variables,
    };
    compiler.root(&operation.node.selection_set.node)
}

/// The selection sets of a document's operations and fragments, without those in them.
fn outer_sets(document: &ExecutableDocument) -> Vec<&SelectionSet> {
    let fragments = document.fragments.values();
    let fragments = fragments.map(|it| &it.node.selection_set.node);
    let operations = document.operations.iter();
    let operations = operations.map(|(_, it)| &it.node.selection_set.node);
    fragments.chain(operations).collect()
}

/// Whether a document selects a field with one of these names, in any object.
pub(in crate::graphql) fn selects_any(document: &ExecutableDocument, names: &[&str]) -> bool {
    let mut sets = outer_sets(document);
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            if let Selection::Field(field) = &selection.node
                && names.contains(&field.node.name.node.as_str())
            {
                return true;
            }
            sets.extend(selections_of(&selection.node));
        }
    }
    false
}

/// The variables that decide what a document selects.
pub(super) fn deciding_variables(document: &ExecutableDocument) -> HashSet<Name> {
    let mut sets = outer_sets(document);
    let mut variables = HashSet::new();
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            sets.extend(selections_of(&selection.node));
            for directive in selection.node.directives() {
                if let Some(Value::Variable(name)) = condition(&directive.node) {
                    variables.insert(name.clone());
                }
            }
        }
    }
    variables
}

fn selections_of(selection: &Selection) -> Option<&SelectionSet> {
    match selection {
        Selection::Field(field) => Some(&field.node.selection_set.node),
        Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => None,
    }
}

/// The argument `if` of `@skip` and `@include`.
fn condition(directive: &Directive) -> Option<&Value> {
    Some(&directive.get_argument("if")?.node)
}

struct Compiler<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
}

/// A field of the response: the first selection of its key, and the selections of all.
struct Collected<'a> {
    field: &'a Field,
    sets: Vec<&'a SelectionSet>,
}

type Fields<'a> = IndexMap<&'a Name, Collected<'a>>;

impl<'a> Compiler<'a> {
    /// The fields that these sets select of an object. `is`: whether the object has a type.
    fn collect(&self, sets: &[&'a SelectionSet], is: impl Fn(&str) -> bool) -> Option<Fields<'a>> {
        let mut fields = Fields::new();
        let mut visited = HashSet::new();
        for set in sets {
            self.add(set, &is, &mut visited, &mut fields)?;
        }
        Some(fields)
    }

    fn add(
        &self,
        set: &'a SelectionSet,
        is: &impl Fn(&str) -> bool,
        visited: &mut HashSet<&'a Name>,
        fields: &mut Fields<'a>,
    ) -> Option<()> {
        for selection in &set.items {
            if !self.is_included(&selection.node)? {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let collected = fields.entry(&field.response_key().node).or_insert_with(|| {
                        let sets = Vec::new();
                        Collected { field, sets }
                    });
                    collected.sets.push(&field.selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    if condition.is_none_or(|it| is(&it.node.on.node)) {
                        self.add(&fragment.node.selection_set.node, is, visited, fields)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = &self.fragments.get(name)?.node;
                    if is(&fragment.type_condition.node.on.node) && visited.insert(name) {
                        self.add(&fragment.selection_set.node, is, visited, fields)?;
                    }
                }
            }
        }
        Some(())
    }

    fn is_included(&self, selection: &Selection) -> Option<bool> {
        let mut is_included = true;
        for directive in selection.directives() {
            let wanted = match directive.node.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => return None,
            };
            let value = match condition(&directive.node)? {
                Value::Boolean(value) => *value,
                Value::Variable(name) => match self.variables.get(name)? {
                    async_graphql::Value::Boolean(value) => *value,
                    _ => return None,
                },
                _ => return None,
            };
            is_included &= value == wanted;
        }
        Some(is_included)
    }

    fn root(&self, set: &'a SelectionSet) -> Option<Plan> {
        let mut fields = Vec::new();
        for (name, selected) in self.collect(&[set], |name| name == "Query")? {
            let value = match selected.field.name.node.as_str() {
                "__typename" => Root::Constant("Query".into()),
                "me" => Root::Me(self.set(ObjectType::User, &selected.sets)?),
                "node" => Root::Node(self.nodes(&selected)?),
                "nodes" => Root::Nodes(self.nodes(&selected)?),
                name => self.item_or_list(name, &selected)?,
            };
            fields.push((Key::new(fields.len(), name), value));
        }
        Some(Plan { fields })
    }

    fn item_or_list(&self, name: &str, selected: &Collected<'a>) -> Option<Root> {
        let kinds = ItemKind::ALL.into_iter();
        if let Some(kind) = kinds.clone().find(|kind| kind.name() == name) {
            let set = self.set(ObjectType::Item(kind), &selected.sets)?;
            return Some(Root::Item(Arguments::of(selected.field), set));
        }
        let kind = kinds.clone().find(|kind| kind.table() == name)?;
        Some(Root::List(self.list(kind, selected)?))
    }

    fn nodes(&self, selected: &Collected<'a>) -> Option<Nodes> {
        let set = |ty| self.set(ty, &selected.sets);
        Some(Nodes {
            arguments: Arguments::of(selected.field),
            sets: ObjectType::ALL
                .into_iter()
                .map(set)
                .collect::<Option<_>>()?,
        })
    }

    /// Objects of one type that are not in a list.
    fn set(&self, ty: ObjectType, sets: &[&'a SelectionSet]) -> Option<Set> {
        let mut rows = Rows::new(ty);
        let object = self.object(sets, &mut rows)?;
        Some(Set { rows, object })
    }

    /// The tags of items. Their statement does not count what is in them.
    fn tags(&self, selected: &Collected<'a>) -> Option<Set> {
        let tags = self.set(ObjectType::Item(ItemKind::Tag), &selected.sets)?;
        let mut columns = tags.rows.columns.iter();
        let counts = columns.any(|column| Tag::ON_DEMAND.contains(column));
        (!counts).then_some(tags)
    }

    fn object(
        &self,
        sets: &[&'a SelectionSet],
        rows: &mut Rows,
    ) -> Option<Vec<(Key, ObjectValue)>> {
        let ty = rows.ty;
        let mut object = Vec::new();
        for (name, selected) in self.collect(sets, |name| ty.is(name))? {
            let value = match selected.field.name.node.as_str() {
                "__typename" => ObjectValue::Constant(ty.name().into()),
                name => self.object_value(ty.field(name)?, &selected, rows)?,
            };
            object.push((Key::new(object.len(), name), value));
        }
        Some(object)
    }

    fn object_value(
        &self,
        field: FieldOf,
        selected: &Collected<'a>,
        rows: &mut Rows,
    ) -> Option<ObjectValue> {
        let course = || self.set(ObjectType::Item(ItemKind::Course), &selected.sets);
        let child = match field {
            FieldOf::Column(column, format) => {
                return Some(ObjectValue::Column(rows.column(column), format));
            }
            FieldOf::List(kind) => Child::List(self.list(kind, selected)?),
            FieldOf::Tags => Child::Tags(self.tags(selected)?),
            FieldOf::Owner => Child::Owner(self.set(ObjectType::User, &selected.sets)?),
            FieldOf::Course => Child::Course {
                id: rows.column("course_id"),
                set: course()?,
            },
            FieldOf::TrashedWith => Child::TrashedWith {
                id: rows.column("trashed_with"),
                deleted_at: rows.column("deleted_at"),
                set: course()?,
            },
        };
        rows.children.push(child);
        Some(ObjectValue::Child(rows.children.len() - 1))
    }

    fn list(&self, kind: ItemKind, selected: &Collected<'a>) -> Option<List> {
        let ty = ObjectType::Item(kind);
        let connection = format!("{}Connection", ty.name());
        let mut rows = Rows::new(ty);
        let mut fields = Vec::new();
        for (name, part) in self.collect(&selected.sets, |name| name == connection)? {
            let value = match part.field.name.node.as_str() {
                "__typename" => ListValue::Constant(connection.as_str().into()),
                "nodes" => ListValue::Nodes(self.object(&part.sets, &mut rows)?),
                "edges" => ListValue::Edges(self.edges(&part.sets, &mut rows)?),
                "pageInfo" => ListValue::PageInfo(self.page_info(&part.sets)?),
                "totalCount" => ListValue::TotalCount,
                _ => return None,
            };
            fields.push((Key::new(fields.len(), name), value));
        }
        Some(List {
            kind,
            arguments: Arguments::of(selected.field),
            rows,
            fields,
        })
    }

    fn edges(&self, sets: &[&'a SelectionSet], rows: &mut Rows) -> Option<Vec<(Key, EdgeValue)>> {
        let edge = format!("{}Edge", rows.ty.name());
        let mut fields = Vec::new();
        for (name, part) in self.collect(sets, |name| name == edge)? {
            let value = match part.field.name.node.as_str() {
                "__typename" => EdgeValue::Constant(edge.as_str().into()),
                "cursor" => EdgeValue::Cursor,
                "node" => EdgeValue::Node(self.object(&part.sets, rows)?),
                _ => return None,
            };
            fields.push((Key::new(fields.len(), name), value));
        }
        Some(fields)
    }

    fn page_info(&self, sets: &[&'a SelectionSet]) -> Option<Vec<(Key, PageInfoValue)>> {
        let mut fields = Vec::new();
        for (name, part) in self.collect(sets, |name| name == "PageInfo")? {
            let value = match part.field.name.node.as_str() {
                "__typename" => PageInfoValue::Constant("PageInfo".into()),
                "hasNextPage" => PageInfoValue::HasNext,
                "hasPreviousPage" => PageInfoValue::HasPrevious,
                "startCursor" => PageInfoValue::StartCursor,
                "endCursor" => PageInfoValue::EndCursor,
                _ => return None,
            };
            fields.push((Key::new(fields.len(), name), value));
        }
        Some(fields)
    }
}
