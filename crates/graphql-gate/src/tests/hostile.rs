//! Small documents that would be expensive to answer are rejected at once, with short responses.

use serde_json::json;

use super::hostile_documents::{ADMITTED, TOO_COMPLEX, documents, doubling, introspection};
use super::{RULES, SDL, admit, admit_twice, code, errors, first_error, rejection};
use crate::{Gate, Limits};

#[test]
fn responses_to_hostile_documents_are_short() {
    for (name, query, expected) in documents() {
        let Err(rejection) = admit_twice(&query, &json!({})) else {
            assert_eq!(expected, ADMITTED, "{name}");
            continue;
        };
        assert_eq!(expected, code(&rejection), "{name}: {rejection:?}");
        let answer = errors(rejection).to_string();
        assert!(
            answer.len() < 8_000,
            "the response to {name} has {} bytes",
            answer.len()
        );
    }
}

#[test]
fn a_rejection_contains_the_count_and_the_limit() {
    let refused = |query: &str| errors(rejection(query));
    let nested = refused(&format!("{{ course(id: {}", "[".repeat(3_000)));
    assert_eq!(
        nested[0]["message"],
        "The nesting of brackets is 65; the maximum is 64."
    );
    assert_eq!(
        nested[0]["extensions"],
        json!({"code": "QUERY_TOO_COMPLEX", "cost": 65, "limit": 64})
    );
    let bomb = refused(&doubling(31));
    assert_eq!(bomb[0]["extensions"]["cost"], 3 * (1_u64 << 31));
    let bomb = refused(&doubling(60));
    assert_eq!(bomb[0]["extensions"]["cost"], (1_u64 << 53) - 1);
    let expensive = refused(
        "{ courses(first: 100) { nodes { tasks(first: 100) { nodes { owner { id } } } } } }",
    );
    assert_eq!(
        expensive[0]["extensions"],
        json!({"code": "QUERY_TOO_COMPLEX", "cost": 20_100, "limit": 10_000})
    );
}

#[test]
fn each_use_of_a_variable_counts_towards_the_size_of_arguments() {
    let limits = Limits {
        argument_bytes: 4_000,
        ..Limits::default()
    };
    let gate = Gate::new(SDL, limits, RULES);
    let is_admitted = |query: &str, bytes: usize| {
        let variables = json!({ "t": "x".repeat(bytes), "in": { "title": "x".repeat(bytes) } });
        match admit(&gate, query, &variables) {
            Ok(_) => true,
            Err(rejection) => {
                let (code, message) = first_error(rejection);
                assert_eq!(code, "QUERY_TOO_COMPLEX", "{query}");
                assert!(message.ends_with("the maximum is 4000."), "{message}");
                false
            }
        }
    };
    let entries = "mutation($t: String!) { createTasks(input: {tasks: [{title: $t}, {title: $t}, {title: $t}]}) { userErrors { field } } }";
    let aliases = "mutation($in: CreateTaskInput!) { a: createTask(input: $in) { task { id } } b: createTask(input: $in) { task { id } } c: createTask(input: $in) { task { id } } }";
    let fragments = "query($t: String) { ...Two ...One } \
        fragment Two on Query { ...One a: me { id } ... { ...One } } \
        fragment One on Query { tasks(filter: {titleContains: $t}) { totalCount } }";
    for query in [entries, aliases, fragments] {
        assert!(is_admitted(query, 1_300), "{query}");
        assert!(!is_admitted(query, 1_340), "{query}");
    }
    let once = "query($t: String) { tasks(filter: {titleContains: $t}) { totalCount } }";
    assert!(is_admitted(once, 3_900));
    assert!(!is_admitted(once, 4_000));
    let literal = |bytes: usize| {
        format!(
            "{{ ...A ...A }} fragment A on Query {{ tasks(filter: {{titleContains: \"{}\"}}) {{ totalCount }} }}",
            "x".repeat(bytes)
        )
    };
    assert!(is_admitted(&literal(1_900), 0));
    assert!(!is_admitted(&literal(2_000), 0));
}

#[test]
fn each_limit_is_exact() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Gate::new(SDL, limits, RULES)
    };
    for (gate, fits, exceeds) in [
        (
            limits(|limits| limits.document_bytes = 13),
            "{ me { id } }",
            "{ me { id }  }",
        ),
        (
            limits(|limits| limits.tokens = 6),
            "{ me { id } }",
            "{ me { id,} }",
        ),
        (
            limits(|limits| limits.nesting = 3),
            "{ ... { me { id } } }",
            "{ ... { ... { me { id } } } }",
        ),
        (
            limits(|limits| limits.nesting = 2),
            "{ ...A } fragment A on Query { __typename }",
            "{ ...A } fragment A on Query { me { id } }",
        ),
        (
            limits(|limits| limits.fragments = 1),
            "{ ...A } fragment A on Query { __typename }",
            "{ ...A ...B } fragment A on Query { __typename } fragment B on Query { __typename }",
        ),
        (
            limits(|limits| limits.operations = 1),
            "query A { me { id } }",
            "query A { me { id } } query B { me { id } }",
        ),
        (
            limits(|limits| limits.depth = 2),
            "{ ... { me { ... { id } } } }",
            "{ ... { me { ... { sessions { id } } } } }",
        ),
        (
            limits(|limits| limits.aliases = 1),
            "{ a: me { id } }",
            "{ a: me { id } ...A } fragment A on Query { b: me { id } }",
        ),
        (
            limits(|limits| limits.root_fields = 2),
            "{ me { id name } a: me { id } }",
            "{ me { id } ...A } fragment A on Query { a: __typename b: __typename }",
        ),
        (
            limits(|limits| limits.selections = 4),
            "{ me { id ... { name } } }",
            "{ me { id ... { ... { name } } } }",
        ),
        (
            limits(|limits| limits.cost = 3),
            "{ nodes(ids: [1, 2, 3]) { id } }",
            "{ nodes(ids: [1, 2, 3, 4]) { id } }",
        ),
    ] {
        assert_eq!(admit(&gate, fits, &json!({})).err(), None, "{fits}");
        let (code, message) = first_error(admit(&gate, exceeds, &json!({})).err().expect(exceeds));
        assert_eq!(code, TOO_COMPLEX, "{exceeds}: {message}");
    }
}

#[test]
fn other_operations_of_the_document_do_not_count() {
    let query = "query Expensive { courses(first: 100) { nodes { tasks(first: 100) { nodes { id } } } } } \
        query Deep { me { id } ...F } fragment F on Query { x: me { id } }";
    let gate = Gate::new(
        SDL,
        Limits {
            cost: 2,
            aliases: 1,
            ..Limits::default()
        },
        RULES,
    );
    let admitted = gate
        .admit(query, Some("Deep"), Default::default())
        .expect("it costs 2");
    assert_eq!(admitted.cost, 2);
    assert_eq!(admitted.operation_name.as_deref(), Some("Deep"));
    let (code, _) = first_error(
        gate.admit(query, Some("Expensive"), Default::default())
            .err()
            .expect("it is too expensive"),
    );
    assert_eq!(code, "QUERY_TOO_COMPLEX");
}

#[test]
fn introspection_lists_nest_at_most_twice() {
    let fields = "fields { type ".repeat(3);
    let query = format!(
        "{{ __type(name: \"Task\") {{ {} name {} }} }}",
        fields.replace("type ", "type { "),
        "} }".repeat(3)
    );
    let (code, message) = first_error(rejection(&query));
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    assert!(
        message.starts_with("The nesting of introspection lists"),
        "{message}"
    );
    assert!(admit_twice(&introspection(), &json!({})).is_ok());
}

#[test]
fn the_cache_stays_within_its_limits() {
    let limits = Limits {
        cached_documents: 40,
        cached_bytes: 10_000,
        ..Limits::default()
    };
    let gate = Gate::new(SDL, limits, RULES);
    for number in 0..500 {
        let query = format!("{{ a{number}: me {{ id }} }} # {}", "x".repeat(number));
        assert!(admit(&gate, &query, &json!({})).is_ok());
        assert!(admit(&gate, &format!("{{ a{number} }}"), &json!({})).is_err());
    }
    let (documents, weight) = gate.cache.size();
    assert!((1..=40).contains(&documents), "{documents}");
    assert!(weight <= 10_000, "{weight}");
}
