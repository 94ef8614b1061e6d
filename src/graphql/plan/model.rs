//! A plan: which rows are read, and what is written of each.

use async_graphql::{Name, Value as ConstValue, Variables, parser::types::Field};
use async_graphql_value::Value;

use super::fields::{Format, ObjectType};
use crate::{db::keyset::raw::Wanted, graphql::selection::FieldArguments, items::ItemKind};

/// How a query is executed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) fields: Vec<(Key, Root)>,
}

/// The key of a field in a response, as JSON, with the comma before it and the colon after it.
#[derive(Debug)]
pub(super) struct Key(pub(super) Box<str>);

impl Key {
    /// The key of the field that has `index` others before it. A name needs no escapes.
    pub(super) fn new(index: usize, name: &Name) -> Self {
        let comma = if index == 0 { "" } else { "," };
        Key(format!("{comma}\"{name}\":").into())
    }
}

/// A field of the query.
#[derive(Debug)]
pub(super) enum Root {
    Constant(Box<str>),
    Me(Set),
    /// The item with the id in the arguments.
    Item(Arguments, Set),
    List(List),
    /// The object with the id in the arguments.
    Node(Nodes),
    /// The objects with the ids in the arguments.
    Nodes(Nodes),
}

/// Objects of any type.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) arguments: Arguments,
    /// One for each type.
    pub(super) sets: Vec<Set>,
}

/// Objects of one type.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) rows: Rows,
    pub(super) object: Vec<(Key, ObjectValue)>,
}

/// A page of items.
#[derive(Debug)]
pub(super) struct List {
    pub(super) kind: ItemKind,
    pub(super) arguments: Arguments,
    pub(super) rows: Rows,
    pub(super) fields: Vec<(Key, ListValue)>,
}

impl List {
    /// What is read besides the columns.
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for (_, value) in &self.fields {
            match value {
                ListValue::Constant(_) | ListValue::Nodes(_) => {}
                ListValue::TotalCount => wanted.total = true,
                ListValue::Edges(edge) => {
                    let mut values = edge.iter().map(|(_, value)| value);
                    wanted.keys |= values.any(|value| matches!(value, EdgeValue::Cursor));
                }
                ListValue::PageInfo(info) => {
                    for (_, value) in info {
                        match value {
                            PageInfoValue::Constant(_) => {}
                            PageInfoValue::HasNext | PageInfoValue::HasPrevious => {
                                wanted.more = true;
                            }
                            PageInfoValue::StartCursor | PageInfoValue::EndCursor => {
                                wanted.keys = true;
                            }
                        }
                    }
                }
            }
        }
        wanted
    }
}

/// The rows of objects of one type: which columns are read, and what is loaded for all of them together.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) ty: ObjectType,
    /// Without the id, which is always read, before them.
    pub(super) columns: Vec<&'static str>,
    pub(super) children: Vec<Child>,
}

impl Rows {
    pub(super) fn new(ty: ObjectType) -> Self {
        Rows {
            ty,
            columns: Vec::new(),
            children: Vec::new(),
        }
    }

    /// The position of a column, counted from the id. Adds the column if needed.
    pub(super) fn column(&mut self, name: &'static str) -> usize {
        if name == "id" {
            return 0;
        }
        let known = self.columns.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        });
        at + 1
    }
}

/// What is loaded for the rows of a set. Columns are counted from the id.
#[derive(Debug)]
pub(super) enum Child {
    /// A list of the items in each course or with each tag.
    List(List),
    /// The active tags of each document or task.
    Tags(Set),
    /// The course with the id in a column.
    Course { id: usize, set: Set },
    /// The same, while the item is in the trash.
    TrashedWith {
        id: usize,
        deleted_at: usize,
        set: Set,
    },
    /// The viewer.
    Owner(Set),
}

/// A value of an object.
#[derive(Debug)]
pub(super) enum ObjectValue {
    Constant(Box<str>),
    /// The value of a column, counted from the id.
    Column(usize, Format),
    /// What was loaded for the row, by its position in [`Rows::children`].
    Child(usize),
}

/// A value of a connection.
#[derive(Debug)]
pub(super) enum ListValue {
    Constant(Box<str>),
    Nodes(Vec<(Key, ObjectValue)>),
    Edges(Vec<(Key, EdgeValue)>),
    PageInfo(Vec<(Key, PageInfoValue)>),
    TotalCount,
}

/// A value of an edge.
#[derive(Debug)]
pub(super) enum EdgeValue {
    Constant(Box<str>),
    Cursor,
    Node(Vec<(Key, ObjectValue)>),
}

/// A value of the page info.
#[derive(Debug)]
pub(super) enum PageInfoValue {
    Constant(Box<str>),
    HasNext,
    HasPrevious,
    StartCursor,
    EndCursor,
}

/// The arguments of a field, which may contain variables.
#[derive(Debug)]
pub(super) struct Arguments(Vec<(Name, Value)>);

impl Arguments {
    pub(super) fn of(field: &Field) -> Self {
        let arguments = field.arguments.iter();
        let arguments = arguments.map(|(name, value)| (name.node.clone(), value.node.clone()));
        Arguments(arguments.collect())
    }

    /// Their values in a request. Omits what is a variable without a value.
    pub(super) fn with(&self, variables: &Variables) -> FieldArguments {
        let values = self.0.iter();
        let values =
            values.filter_map(|(name, value)| Some((name.clone(), resolve(value, variables)?)));
        FieldArguments::new(values)
    }
}

/// A value without variables, as the library makes it: a variable without a value is omitted, and null in a list.
fn resolve(value: &Value, variables: &Variables) -> Option<ConstValue> {
    Some(match value {
        Value::Variable(name) => return variables.get(name).cloned(),
        Value::Null => ConstValue::Null,
        Value::Number(number) => ConstValue::Number(number.clone()),
        Value::String(text) => ConstValue::String(text.clone()),
        Value::Boolean(value) => ConstValue::Boolean(*value),
        Value::Binary(bytes) => ConstValue::Binary(bytes.clone()),
        Value::Enum(name) => ConstValue::Enum(name.clone()),
        Value::List(items) => {
            let items = items.iter();
            let items = items.map(|item| resolve(item, variables).unwrap_or_default());
            ConstValue::List(items.collect())
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields =
                fields.filter_map(|(name, value)| Some((name.clone(), resolve(value, variables)?)));
            ConstValue::Object(fields.collect())
        }
    })
}
