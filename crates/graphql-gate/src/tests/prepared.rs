//! Documents that are prepared before requests name them.

use serde_json::{Value as Json, json};

use super::{SDL, admit, first_error, gate};
use crate::{Admitted, CostRules, Gate, Limits, PreparedDocument, Rejection};

const TWO: &str = "query A($n: Int) { courses(first: $n) { ...Nodes } }
    fragment Nodes on CourseConnection { nodes { id } }
    mutation B { createTask(input: { title: \"a\" }) { task { id } } }";

fn admitted(
    gate: &Gate,
    document: &PreparedDocument,
    name: Option<&str>,
    variables: &Json,
) -> Result<Admitted, Rejection> {
    let variables = variables.as_object().expect("variables are an object");
    gate.admit_prepared(document, name, variables.clone())
}

#[test]
fn a_prepared_document_is_admitted_as_its_text_is() {
    let gate = gate();
    for query in [
        "{ courses(first: 7) { nodes { id } } }",
        "query Q { me { id } }",
    ] {
        let document = gate.prepare(query).expect("it is valid");
        assert_eq!(&**document.text(), query);
        let by_text = admit(&gate, query, &json!({})).expect("it is admitted");
        let by_name = admitted(&gate, &document, None, &json!({})).expect("it is admitted");
        assert_eq!(by_name.cost, by_text.cost);
        assert_eq!(by_name.operation_name, by_text.operation_name);
    }
    assert_eq!(gate.cache.size().0, 2, "only texts are cached");
}

#[test]
fn each_operation_of_a_document_can_be_named() {
    let gate = gate();
    let document = gate.prepare(TWO).expect("it is valid");
    for (name, cost) in [("A", 3), ("B", 2)] {
        let one = admitted(&gate, &document, Some(name), &json!({ "n": 3 })).expect(name);
        assert_eq!(
            (one.operation_name.as_deref(), one.cost),
            (Some(name), cost)
        );
    }
    for (name, message) in [
        (
            None,
            "The document has several operations. Set `operationName` to one of them.",
        ),
        (
            Some(""),
            "The document has several operations. Set `operationName` to one of them.",
        ),
        (
            Some("Bb"),
            "The document has no operation named `Bb`. Did you mean `B`?",
        ),
    ] {
        let rejection = admitted(&gate, &document, name, &json!({}))
            .err()
            .expect(message);
        let by_text = gate.admit(TWO, name, Default::default()).err();
        assert_eq!(Some(&rejection), by_text.as_ref(), "{name:?}");
        assert_eq!(first_error(rejection), ("BAD_REQUEST", message.to_owned()));
    }
}

#[test]
fn limits_that_depend_on_variables_are_checked_for_each_request() {
    let gate = gate();
    let query =
        "query($n: Int) { courses(first: $n) { nodes { tasks(first: $n) { nodes { id } } } } }";
    let document = gate.prepare(query).expect("it is valid");
    assert!(admitted(&gate, &document, None, &json!({ "n": 10 })).is_ok());
    let by_text = admit(&gate, query, &json!({ "n": 100 })).err();
    let by_name = admitted(&gate, &document, None, &json!({ "n": 100 })).err();
    assert_eq!(by_name, by_text);
    assert_eq!(by_name.expect("it is too expensive").cost(), Some(10_100));
}

#[test]
fn every_operation_of_a_prepared_document_is_valid() {
    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    let rules = CostRules {
        free_types: &[],
        ..super::RULES
    };
    let gate = Gate::new(SDL, limits, rules);
    for (query, reason) in [
        (
            "query A { me { id } } query B { me { nothing } }",
            "line 1, column 38: `User` has no field `nothing`.",
        ),
        (
            "query A { me { id } } query B { courses { nodes { id } } }",
            "The depth of fields is 3; the maximum is 2.",
        ),
        ("query A { me { id }", "line 1, column 20: "),
        (
            "fragment F on User { id }",
            "The document has no operation.",
        ),
        ("", ""),
    ] {
        let rejection = gate.prepare(query).err().expect(query);
        let reasons: Vec<String> = rejection.reasons().collect();
        assert!(reasons[0].starts_with(reason), "{query}: {reasons:?}");
    }
}
