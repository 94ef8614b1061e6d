//! The JSON Schema (2020-12) of GraphQL input values.
//!
//! A value that may be null has the type `null`, too, because null and an omitted value can differ. Input objects are definitions, as they
//! can contain themselves.

use std::collections::HashMap;

use apollo_compiler::ast::{self, VariableDefinition};
use apollo_compiler::schema::{ExtendedType, InputObjectType, Schema};
use apollo_compiler::{Node, ast::Type};
use serde_json::{Map, Value as Json, json};

/// Makes the JSON Schemas of variables.
pub(crate) struct JsonSchemas<'a> {
    schema: &'a Schema,
    scalars: fn(&str) -> Option<Json>,
    /// The input objects that are used so far, by name.
    definitions: Map<String, Json>,
}

impl<'a> JsonSchemas<'a> {
    pub(crate) fn new(schema: &'a Schema, scalars: fn(&str) -> Option<Json>) -> Self {
        Self {
            schema,
            scalars,
            definitions: Map::new(),
        }
    }

    /// The schema of the object of variables. `descriptions`: those of the variables, by name.
    pub(crate) fn of_variables(
        mut self,
        variables: &[Node<VariableDefinition>],
        descriptions: &HashMap<String, String>,
    ) -> Map<String, Json> {
        let values = variables.iter().map(|variable| Value {
            name: &variable.name,
            ty: &variable.ty,
            default: variable.default_value.as_deref(),
            description: descriptions.get(variable.name.as_str()).map(String::as_str),
        });
        let mut object = self.object(values);
        if !self.definitions.is_empty() {
            object.insert("$defs".into(), Json::Object(self.definitions));
        }
        object
    }

    fn object<'v>(&mut self, values: impl Iterator<Item = Value<'v>>) -> Map<String, Json> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for value in values {
            if value.ty.is_non_null() && value.default.is_none() {
                required.push(Json::from(value.name));
            }
            properties.insert(value.name.to_owned(), Json::Object(self.value(&value)));
        }
        let mut object = Map::new();
        object.insert("type".into(), "object".into());
        object.insert("properties".into(), Json::Object(properties));
        if !required.is_empty() {
            object.insert("required".into(), Json::Array(required));
        }
        object.insert("additionalProperties".into(), false.into());
        object
    }

    fn value(&mut self, value: &Value<'_>) -> Map<String, Json> {
        let mut schema = self.of_type(value.ty);
        if let Some(description) = value.description {
            schema.insert("description".into(), description.into());
        }
        if let Some(default) = value.default.and_then(literal) {
            schema.insert("default".into(), default);
        }
        schema
    }

    fn of_type(&mut self, ty: &Type) -> Map<String, Json> {
        match ty {
            Type::NonNullNamed(name) => self.named(name),
            Type::NonNullList(item) => self.list(item),
            Type::Named(name) => or_null(self.named(name)),
            Type::List(item) => or_null(self.list(item)),
        }
    }

    fn list(&mut self, item: &Type) -> Map<String, Json> {
        let mut list = Map::new();
        list.insert("type".into(), "array".into());
        list.insert("items".into(), Json::Object(self.of_type(item)));
        list
    }

    fn named(&mut self, name: &str) -> Map<String, Json> {
        let of = |ty: &str| Map::from_iter([("type".to_owned(), Json::from(ty))]);
        match name {
            "Int" => return of("integer"),
            "Float" => return of("number"),
            "Boolean" => return of("boolean"),
            "String" | "ID" => return of("string"),
            _ => {}
        }
        match self.schema.types.get(name) {
            Some(ExtendedType::Enum(one)) => {
                let mut schema = of("string");
                let names = one.values.keys().map(|name| Json::from(name.as_str()));
                schema.insert("enum".into(), names.collect());
                schema
            }
            Some(ExtendedType::InputObject(input)) => {
                self.define(input);
                Map::from_iter([("$ref".to_owned(), format!("#/$defs/{name}").into())])
            }
            _ => match (self.scalars)(name) {
                Some(Json::Object(schema)) => schema,
                _ => Map::new(),
            },
        }
    }

    fn define(&mut self, input: &InputObjectType) {
        let name = input.name.as_str();
        if self.definitions.contains_key(name) {
            return;
        }
        // An input object can contain itself.
        self.definitions.insert(name.to_owned(), Json::Null);
        let fields = input.fields.values().map(|field| Value {
            name: &field.name,
            ty: &field.ty,
            default: field.default_value.as_deref(),
            description: field.description.as_deref(),
        });
        let mut object = self.object(fields);
        if let Some(description) = &input.description {
            object.insert("description".into(), description.as_str().into());
        }
        if input.directives.has("oneOf") {
            object.insert("minProperties".into(), 1.into());
            object.insert("maxProperties".into(), 1.into());
        }
        self.definitions
            .insert(name.to_owned(), Json::Object(object));
    }
}

/// A variable, or a field of an input object.
struct Value<'a> {
    name: &'a str,
    ty: &'a Type,
    default: Option<&'a ast::Value>,
    description: Option<&'a str>,
}

/// The schema that also accepts null.
fn or_null(mut schema: Map<String, Json>) -> Map<String, Json> {
    if let Some(ty) = schema.get_mut("type") {
        *ty = json!([ty.take(), "null"]);
        if let Some(Json::Array(values)) = schema.get_mut("enum") {
            values.push(Json::Null);
        }
        return schema;
    }
    // Without a type, it accepts everything.
    if schema.is_empty() {
        return schema;
    }
    let either = json!([schema, {"type": "null"}]);
    Map::from_iter([("anyOf".to_owned(), either)])
}

/// A literal without variables as JSON. None for a number that JSON cannot express.
fn literal(value: &ast::Value) -> Option<Json> {
    let const_value = crate::translate::value(value).into_const()?;
    const_value.into_json().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CostRules, Gate, Limits};

    const SDL: &str = "
        directive @oneOf on INPUT_OBJECT
        type Query { find(by: By!, where: Filter, page: Int! = 20): [String!] }
        \"One way to find it.\"
        input By @oneOf { id: ID name: String }
        input Filter {
            \"All of these.\"
            and: [Filter!]
            kinds: [Kind!]
            kind: Kind = A
            after: Time
            more: Anything
        }
        enum Kind { A B }
        scalar Time
        scalar Anything
    ";

    fn describe(text: &str) -> Option<crate::DescribedOperation> {
        let rules = CostRules {
            free_types: &[],
            default_page_size: 20,
            max_page_size: 100,
            filter_points: &[],
        };
        let gate = Gate::new(SDL, Limits::default(), rules);
        gate.prepare(text).expect("a valid document");
        gate.describe(text, |name| {
            (name == "Time").then(|| json!({"type": "string", "format": "date-time"}))
        })
    }

    #[test]
    fn variables_become_an_object() {
        let text = r#"
            """
            Finds things.

              In two ways.
            """
            query Find("How to \"find\"" $by: By!, $where: Filter, $page: Int! = 10) {
                find(by: $by, where: $where, page: $page)
                other: find(by: { name: "x" }) @skip(if: true)
                third: find(by: { id: "x" }) @include(if: false)
            }"#;
        let described = describe(text).expect("a description");
        assert_eq!(described.name, "Find");
        assert_eq!(described.description, "Finds things.\n\n  In two ways.");
        let expected = json!({
            "type": "object",
            "properties": {
                "by": {"$ref": "#/$defs/By", "description": "How to \"find\""},
                "where": {"anyOf": [{"$ref": "#/$defs/Filter"}, {"type": "null"}]},
                "page": {"type": "integer", "default": 10},
            },
            "required": ["by"],
            "additionalProperties": false,
            "$defs": {
                "By": {
                    "description": "One way to find it.",
                    "type": "object",
                    "properties": {"id": {"type": ["string", "null"]}, "name": {"type": ["string", "null"]}},
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
                "Filter": {
                    "type": "object",
                    "properties": {
                        "and": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Filter"}, "description": "All of these."},
                        "kinds": {"type": ["array", "null"], "items": {"type": "string", "enum": ["A", "B"]}},
                        "kind": {"type": ["string", "null"], "enum": ["A", "B", null], "default": "A"},
                        "after": {"type": ["string", "null"], "format": "date-time"},
                        "more": {},
                    },
                    "additionalProperties": false,
                },
            },
        });
        assert_eq!(Json::Object(described.variables), expected);
    }

    #[test]
    fn only_one_named_operation_with_a_description_is_described() {
        for text in [
            "query Find { find(by: {id: 1}) }",
            r#""Text" query { find(by: {id: 1}) }"#,
            r#""Text" query One { find(by: {id: 1}) } query Other { find(by: {id: 1}) }"#,
            r#"# "Text"
            query Find { find(by: {id: 1}) }"#,
            r#""Text" fragment F on Query { find(by: {id: 1}) } query Find { ...F }"#,
        ] {
            assert_eq!(describe(text), None, "{text}");
        }
        let text = r#""Of a fragment" fragment F on Query { find(by: {id: 1}) } "Text" query Find { ...F }"#;
        assert_eq!(describe(text).expect(text).description, "Text");
    }
}
