//! Items of other users do not exist: every field and argument that takes an id, found by introspection, has the same
//! response for another user's id as for an unknown one, byte for byte.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::{Client, Person, TestApp};

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields { name args { name type { ...T } } type { ...T } }
    inputFields { name defaultValue type { ...T } } enumValues { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The types of the schema by name, from introspection.
struct Schema(BTreeMap<String, Value>);

/// A call that takes an id somewhere.
struct Call {
    name: String,
    query: String,
    /// Makes the variables for an id.
    variables: Value,
}

const ID: &str = "<the id>";

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

/// A type as it is written, e.g. `[ID!]!`.
fn written(of: &Value) -> String {
    match of["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&of["ofType"])),
        "LIST" => format!("[{}]", written(&of["ofType"])),
        _ => name(of).to_owned(),
    }
}

fn innermost(of: &Value) -> &Value {
    if of["ofType"].is_null() {
        of
    } else {
        innermost(&of["ofType"])
    }
}

/// Whether a field has that type, or is a list of it.
fn is_type(field: &Value, expected: &str) -> bool {
    name(innermost(&field["type"])) == expected
}

impl Schema {
    async fn of(client: &Client) -> Schema {
        let data = client.query(INTROSPECTION).await;
        Schema(
            list(&data["__schema"]["types"])
                .map(|of| (name(of).to_owned(), of.clone()))
                .collect(),
        )
    }

    /// Whether a value of that type has an id somewhere.
    fn takes_id(&self, of: &Value) -> bool {
        let of = innermost(of);
        name(of) == "ID"
            || list(&self.0[name(of)]["inputFields"])
                .any(|field| !is_type(field, name(of)) && self.takes_id(&field["type"]))
    }

    /// A value of that type with the id in every place for one, and valid values elsewhere. Optional fields without an id are
    /// left out. `outer` is the type of the object around it: filters contain filters, here one level of them.
    fn value(&self, of: &Value, outer: &str) -> Value {
        match of["kind"].as_str().unwrap() {
            "NON_NULL" => return self.value(&of["ofType"], outer),
            "LIST" => return json!([self.value(&of["ofType"], outer)]),
            _ => {}
        }
        let known = &self.0[name(of)];
        match (known["kind"].as_str().unwrap(), name(of)) {
            ("INPUT_OBJECT", _) => {
                let mut object = Map::new();
                for field in list(&known["inputFields"]) {
                    let is_needed =
                        field["type"]["kind"] == "NON_NULL" || self.takes_id(&field["type"]);
                    let is_too_deep = name(of) == outer && is_type(field, outer);
                    if is_needed && !is_too_deep {
                        let value = self.value(&field["type"], name(of));
                        object.insert(name(field).to_owned(), value);
                    }
                }
                Value::Object(object)
            }
            ("ENUM", _) => known["enumValues"][0]["name"].clone(),
            (_, "ID") => json!(ID),
            (_, "String") => json!("text"),
            (_, "Int") => json!(1),
            (_, "Boolean") => json!(true),
            (_, "DateTime") => json!("2026-01-08T09:30:00Z"),
            (_, other) => panic!("the walk knows no value of the type {other}: teach it one"),
        }
    }

    /// What to select of a type: ids, counts and mistakes, as deep as payloads and connections go.
    fn selection(&self, of: &Value, depth: usize) -> String {
        let known = &self.0[name(innermost(of))];
        if matches!(known["kind"].as_str().unwrap(), "SCALAR" | "ENUM") {
            return String::new();
        }
        let mut selected = vec!["__typename".to_owned()];
        for field in list(&known["fields"]) {
            let inner = name(innermost(&field["type"]));
            let is_leaf = matches!(self.0[inner]["kind"].as_str().unwrap(), "SCALAR" | "ENUM");
            if is_leaf {
                selected.push(name(field).to_owned());
            } else if depth > 0 && list(&field["args"]).next().is_none() && inner != "User" {
                selected.push(format!(
                    "{} {}",
                    name(field),
                    self.selection(&field["type"], depth - 1)
                ));
            }
        }
        format!("{{ {} }}", selected.join(" "))
    }

    /// Every field of a root, and every list of a course, that takes an id.
    fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        for (root, keyword) in [("Query", "query"), ("Mutation", "mutation")] {
            for field in list(&self.0[root]["fields"]) {
                calls.extend(self.call(keyword, field, |inner| inner));
            }
        }
        for field in list(&self.0["Course"]["fields"]) {
            calls.extend(self.call("query", field, |inner| {
                format!("courses(first: 2) {{ nodes {{ {inner} }} }}")
            }));
        }
        // Creations come last, and that of a course at the very end: the id becomes the caller's own object's.
        calls.sort_by_key(|call| (call.name.starts_with("create"), call.name == "createCourse"));
        calls
    }

    fn call(&self, keyword: &str, field: &Value, wrap: impl Fn(String) -> String) -> Option<Call> {
        let takes_id = |argument: &&Value| self.takes_id(&argument["type"]);
        list(&field["args"]).find(takes_id)?;
        let arguments: Vec<&Value> = list(&field["args"])
            .filter(|argument| takes_id(argument) || argument["type"]["kind"] == "NON_NULL")
            .collect();
        let declared: Vec<String> = arguments
            .iter()
            .map(|of| format!("${}: {}", name(of), written(&of["type"])))
            .collect();
        let given: Vec<String> = arguments
            .iter()
            .map(|of| format!("{0}: ${0}", name(of)))
            .collect();
        let inner = format!(
            "{}({}) {}",
            name(field),
            given.join(", "),
            self.selection(&field["type"], 3)
        );
        let query = format!("{keyword}({}) {{ {} }}", declared.join(", "), wrap(inner));
        let variables = arguments
            .iter()
            .map(|of| (name(of).to_owned(), self.value(&of["type"], "")))
            .collect();
        Some(Call {
            name: name(field).to_owned(),
            query,
            variables: Value::Object(variables),
        })
    }
}

impl Call {
    fn with(&self, id: &str) -> Value {
        serde_json::from_str(&self.variables.to_string().replace(ID, id)).unwrap()
    }

    async fn answer(&self, client: &Client, id: &str) -> String {
        let answer = client.post(&self.query, self.with(id)).await;
        assert!(answer.status < 500, "{}: {answer:?}", self.name);
        let valid = !answer.body.contains("VALIDATION_FAILED");
        assert!(valid, "{}: {answer:?}", self.name);
        answer.body
    }
}

/// The ids of one object of each kind that has an id.
async fn owned(app: &TestApp, ada: &Person) -> Vec<String> {
    let course = ada.create_course("Private").await;
    let document = ada.create_document(&course, "").await;
    let task = ada.create_task(Some(&course), "t").await;
    let session = app.signed_in("ada").await.session;
    vec![course, document, task, ada.id.clone(), session]
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_users_have_the_same_response_as_unknown_ids() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let ids = owned(&app, &ada).await;
    eve.query("mutation { createCourse(input: { name: \"Mine\" }) { course { id } } }")
        .await;
    let adas = "audit_logs WHERE user_id = (SELECT id FROM users WHERE name = 'ada')";
    let before = app.count(adas).await;
    let calls = Schema::of(&eve).await.calls();
    let found = calls.len();
    assert!(found >= 17, "the walk found {found} calls only");
    for call in &calls {
        // Creations have the caller's own ids, for which another user's is simply free. What they look up is the course.
        for id in &ids {
            let theirs = call.answer(&eve, id).await.replace(id.as_str(), ID);
            let unknown_id = Uuid::new_v4().to_string();
            let unknown = call
                .answer(&eve, &unknown_id)
                .await
                .replace(&unknown_id, ID);
            let undated = |answer: &str| without_times(&serde_json::from_str(answer).unwrap());
            assert_eq!(undated(&theirs), undated(&unknown), "{}", call.query);
            let nonsense = call.answer(&eve, "no-uuid").await.replace("no-uuid", ID);
            if !call.name.starts_with("create") {
                assert_eq!(undated(&nonsense), undated(&unknown), "{}", call.query);
            }
        }
    }
    let after = app.count(adas).await;
    assert_eq!(after, before, "nothing of ada's was touched");
}

/// The response without values that differ between requests: times of new items, and cursors, which contain them.
fn without_times(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| {
                !name.ends_with("At") && !name.to_lowercase().ends_with("cursor")
            });
            Value::Object(
                kept.map(|(name, value)| (name.clone(), without_times(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.iter().map(without_times).collect()),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_take_an_id_reject_anonymous_clients() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for call in Schema::of(&ada).await.calls() {
        let answer = app
            .anonymous()
            .post(&call.query, call.with(&Uuid::new_v4().to_string()))
            .await;
        assert!(
            answer.body.contains("UNAUTHENTICATED"),
            "{}: {answer:?}",
            call.query
        );
    }
}
