//! The fields that a caller selects in a connection, and their arguments, known before the connection is loaded.

use std::collections::HashMap;

use async_graphql::{Context, InputType, Name, Pos, SelectionField, Value};

use super::page::PageArguments;
use crate::error::Error;

/// What a caller selects in a connection.
pub(crate) struct Selected<'a> {
    /// The selected fields of its nodes, under `nodes` and `edges { node }`. A field may occur several times.
    pub(crate) fields: Vec<SelectionField<'a>>,
    /// Whether `totalCount` is selected.
    pub(crate) total: bool,
}

impl<'a> Selected<'a> {
    /// What is selected in the connection that this resolver returns.
    pub(crate) fn of(ctx: &'a Context<'a>) -> Self {
        Selected::of_connection(ctx.look_ahead().selection_fields().into_iter().next())
    }

    /// What is selected in a connection below that of the current resolver.
    pub(crate) fn of_connection(connection: Option<SelectionField<'a>>) -> Self {
        let mut selected = Selected {
            fields: Vec::new(),
            total: false,
        };
        for part in connection.iter().flat_map(SelectionField::selection_set) {
            match part.name() {
                "totalCount" => selected.total = true,
                "nodes" => selected.fields.extend(part.selection_set()),
                "edges" => {
                    let nodes = part.selection_set().filter(|field| field.name() == "node");
                    selected
                        .fields
                        .extend(nodes.flat_map(|node| node.selection_set().collect::<Vec<_>>()));
                }
                _ => {}
            }
        }
        selected
    }

    /// Whether a field of the nodes is selected, by the name of its column.
    pub(crate) fn has(&self, column: &str) -> bool {
        let is_column = |field: &str| {
            let letters = field.chars().flat_map(|letter| {
                let underscore = letter.is_uppercase().then_some('_');
                underscore.into_iter().chain(letter.to_lowercase())
            });
            letters.eq(column.chars())
        };
        self.fields.iter().any(|field| is_column(field.name()))
    }
}

/// The arguments of a selected field.
pub(crate) struct FieldArguments(HashMap<Name, Value>);

impl FieldArguments {
    pub(crate) fn new(values: impl IntoIterator<Item = (Name, Value)>) -> Self {
        FieldArguments(values.into_iter().collect())
    }

    pub(crate) fn of(field: &SelectionField<'_>) -> Result<Self, Error> {
        let arguments = field
            .arguments()
            .map_err(|error| Error::bad_input(error.message))?;
        Ok(FieldArguments::new(arguments))
    }

    /// One argument; `None` if it is omitted or null.
    pub(crate) fn take<T: InputType>(&mut self, name: &str) -> Result<Option<T>, Error> {
        Option::<T>::parse(self.0.remove(name))
            .map_err(|error| Error::bad_input(error.into_server_error(Pos::default()).message))
    }

    /// The pagination arguments.
    pub(crate) fn page(&mut self) -> Result<PageArguments, Error> {
        Ok(PageArguments {
            first: self.take("first")?,
            after: self.take("after")?,
            last: self.take("last")?,
            before: self.take("before")?,
            offset: self.take("offset")?,
        })
    }
}
