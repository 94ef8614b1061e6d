//! The cost of lists of ids in input objects, such as the ids of an item's tags: one point per id.
//!
//! If the input object has a field `ids`, the other ids apply to each of them, and the lengths are multiplied. The objects in a list of
//! input objects have their own lists of ids. `field_cost.rs` counts the ids in `ids` and the entries of lists.
//!
//! Read on: `cost.rs`, which adds the points to those of the field.

use apollo_compiler::Schema;
use apollo_compiler::ast::{InputValueDefinition, Value as Literal};
use apollo_compiler::executable::Field;
use apollo_compiler::schema::InputObjectType;
use async_graphql::{Name, Variables};

use crate::cost::LengthSource;
use crate::field_cost::length_of_field;

/// The lists of ids in the input objects of a field.
#[derive(Default)]
pub(crate) struct IdCost {
    /// The lengths of lists, and the length of `ids` in the same input object.
    lengths: Vec<(LengthSource, Option<LengthSource>)>,
}

impl IdCost {
    pub(crate) fn of(schema: &Schema, field: &Field) -> Self {
        let mut cost = Self::default();
        for argument in &field.definition.arguments {
            let input = schema.get_input_object(argument.ty.inner_named_type());
            let value = field.specified_argument_by_name(&argument.name);
            if let (Some(input), Some(value)) = (input, value) {
                cost.add_object(input, value);
                cost.add_entries(schema, input, value);
            }
        }
        cost
    }

    fn add_object(&mut self, input: &InputObjectType, value: &Literal) {
        let ids = length_of_field(value, "ids");
        for list in id_lists(input) {
            let length = length_of_field(value, &list.name);
            let ids = ids.clone().filter(|_| input.fields.contains_key("ids"));
            self.lengths.extend(length.map(|length| (length, ids)));
        }
    }

    /// Adds the lists of ids in the objects of the lists in `input`.
    fn add_entries(&mut self, schema: &Schema, input: &InputObjectType, value: &Literal) {
        for entries in input.fields.values().filter(|field| field.ty.is_list()) {
            let Some(entry) = schema.get_input_object(entries.ty.inner_named_type()) else {
                continue;
            };
            let (variable, field) = match value {
                Literal::Variable(variable) => (variable, Some(Name::new(&entries.name))),
                Literal::Object(fields) => {
                    let given = fields.iter().find(|(name, _)| *name == entries.name);
                    match given.map(|(_, given)| &**given) {
                        Some(Literal::Variable(variable)) => (variable, None),
                        Some(Literal::List(objects)) => {
                            objects
                                .iter()
                                .for_each(|object| self.add_object(entry, object));
                            continue;
                        }
                        Some(object) => {
                            self.add_object(entry, object);
                            continue;
                        }
                        None => continue,
                    }
                }
                _ => continue,
            };
            let in_items = |list: &InputValueDefinition| LengthSource::InItems {
                variable: Name::new(variable),
                field: field.clone(),
                list: Name::new(&list.name),
            };
            self.lengths
                .extend(id_lists(entry).map(|list| (in_items(list), None)));
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.lengths.iter().all(|(length, ids)| {
            length.is_constant() && ids.as_ref().is_none_or(LengthSource::is_constant)
        })
    }

    /// The points with these variables.
    pub(crate) fn evaluate(&self, variables: &Variables) -> u64 {
        let points = self.lengths.iter().map(|(length, ids)| {
            let length = length.evaluate(variables).unwrap_or(0);
            let ids = ids.as_ref().map(|ids| ids.evaluate(variables).unwrap_or(0));
            length.saturating_mul(ids.unwrap_or(1))
        });
        points.fold(0, u64::saturating_add)
    }
}

/// The lists of ids in an input object, except `ids`.
fn id_lists(input: &InputObjectType) -> impl Iterator<Item = &InputValueDefinition> {
    let fields = input.fields.values().map(|field| &***field);
    fields.filter(|field| {
        field.ty.is_list() && field.ty.inner_named_type() == "ID" && field.name != "ids"
    })
}
