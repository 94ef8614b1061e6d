//! Documents that are small to send and would be dear to answer: all are answered at once, and shortly.

use serde_json::json;

use super::super::{Gate, Limits};
use super::{SDL, admit, admit_twice, errors, told};

/// The standard introspection query of graphql-js 16.15 with all options but the experimental one.
pub(super) const INTROSPECTION: &str = include_str!("introspection.graphql");

/// `count` pieces, each made of its number.
fn each(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Fragments that each spread the next one twice.
fn doubling(levels: usize) -> String {
    let fragments = each(levels, |level| {
        let next = level + 1;
        format!("fragment F{level} on User {{ ...F{next} ...F{next} }} ")
    });
    format!("{{ me {{ ...F0 }} }} {fragments} fragment F{levels} on User {{ id }}")
}

/// Each operation uses a chain of fragments that ends in many.
fn operations_times_fragments(operations: usize, chain: usize, many: usize) -> String {
    let queries = each(operations, |number| format!("query Q{number} {{ ...F0 }} "));
    let links = each(chain, |number| {
        format!("fragment F{number} on Query {{ ...F{} }} ", number + 1)
    });
    let spreads = each(many, |number| format!("...G{number} "));
    let ends = each(many, |number| {
        format!("fragment G{number} on Query {{ __typename }} ")
    });
    format!("{queries} {links} fragment F{chain} on Query {{ __typename {spreads} }} {ends}")
}

/// Every fragment spreads all later ones, under fields that merge.
fn overlapping(fragments: usize) -> String {
    let all = each(fragments, |number| {
        let later = each(fragments, |other| match other > number {
            true => format!("...F{other} "),
            false => String::new(),
        });
        format!("fragment F{number} on Task {{ course {{ tasks {{ nodes {{ id {later} }} }} }} }} ")
    });
    format!("{{ tasks {{ nodes {{ ...F0 }} }} }} {all}")
}

pub(super) fn documents() -> Vec<(&'static str, String)> {
    let deep_course =
        "course { tasks { nodes { course { tasks { nodes { course { id } } } } } } } ";
    vec![
        ("doubling fragments, 31 levels", doubling(31)),
        ("doubling fragments, 98 levels", doubling(98)),
        (
            "circle",
            "{ me { ...A } } fragment A on User { ...B } fragment B on User { ...A }".into(),
        ),
        ("open braces", format!("{{ me {}", "{".repeat(3_000))),
        (
            "open brackets",
            format!("{{ course(id: {}", "[".repeat(3_000)),
        ),
        (
            "open objects",
            format!("{{ tasks(filter: {}", "{a:".repeat(1_900)),
        ),
        (
            "nested fields",
            format!("{} id {}", "{ course".repeat(60), "}".repeat(60)),
        ),
        (
            "nested inline fragments",
            format!("{{ {} __typename {} }}", "...{".repeat(62), "}".repeat(62)),
        ),
        ("chained and nested fragments", chained(80, 14)),
        ("chained fragments at the limit", chained(15, 3)),
        ("too many tokens", "a ".repeat(100_000)),
        (
            "too long",
            format!("{{ course(id: \"{}\") {{ id }} }}", "x".repeat(300_000)),
        ),
        (
            "long string",
            format!(
                "{{ course(id: \"{}\") {{ id }} }}",
                "\\u0041".repeat(43_000)
            ),
        ),
        (
            "long block string",
            format!(
                "{{ course(id: \"\"\"{}\"\"\") {{ id }} }}",
                "x\n ".repeat(87_000)
            ),
        ),
        ("long name", format!("{{ {} }}", "x".repeat(260_000))),
        ("unknown fields", format!("{{ {} }}", "x ".repeat(3_990))),
        (
            "conflicting aliases",
            format!("{{ me {{ {} }} }}", "a:id a:name ".repeat(660)),
        ),
        ("same field", format!("{{ {} }}", "me { id } ".repeat(990))),
        (
            "same leaf",
            format!("{{ me {{ {} }} }}", "id ".repeat(3_980)),
        ),
        (
            "same deep field",
            format!("{{ tasks {{ nodes {{ {} }} }} }}", deep_course.repeat(180)),
        ),
        ("overlapping fragments", overlapping(38)),
        (
            "operations times fragments",
            operations_times_fragments(50, 48, 50),
        ),
        (
            "operations times one fragment",
            operations_times_fragments(50, 1, 0) + &"#".repeat(3_700),
        ),
        (
            "many operations",
            each(600, |number| format!("query Q{number} {{ __typename }} ")),
        ),
        (
            "aliases",
            format!(
                "{{ {} }}",
                each(800, |number| format!("a{number}: me {{ id }} "))
            ),
        ),
        (
            "aliased introspection",
            format!(
                "{{ {} }}",
                each(20, |number| format!(
                    "a{number}: __schema {{ types {{ fields {{ type {{ fields {{ type {{ name }} }} }} }} }} }} "
                ))
            ),
        ),
        (
            "pages within pages",
            "{ courses(first: 100) { nodes { tasks(first: 100) { nodes { owner { id } } } } } }"
                .into(),
        ),
        (
            "undeclared variables",
            format!(
                "{{ tasks(filter: {{metadataContains: {{ {} }} }}) {{ totalCount }} }}",
                each(900, |number| format!("k{number}: $v{number} "))
            ),
        ),
        (
            "variables",
            format!(
                "query({}) {{ {} }}",
                each(400, |number| format!("$v{number}: ID! ")),
                each(400, |number| format!(
                    "...{{ course(id: $v{number}) {{ id }} }} "
                ))
            ),
        ),
        (
            "big literal",
            format!(
                "{{ tasks(filter: {{metadataContains: {{ {} }} }}) {{ totalCount }} }}",
                each(1_300, |number| format!("k{number}: 1 "))
            ),
        ),
    ]
}

/// Fragments that each spread the next one within inline fragments.
fn chained(fragments: usize, inline: usize) -> String {
    let (open, close) = ("...{".repeat(inline), "}".repeat(inline));
    let links = each(fragments, |number| {
        format!(
            "fragment F{number} on Query {{ {open} ...F{} {close} }} ",
            number + 1
        )
    });
    format!("{{ ...F0 }} {links} fragment F{fragments} on Query {{ __typename }}")
}

#[test]
fn hostile_documents_are_answered_shortly() {
    for (name, query) in documents() {
        if let Err(rejection) = admit_twice(&query, &json!({})) {
            let answer = errors(rejection).to_string();
            assert!(
                answer.len() < 8_000,
                "{name} is answered with {} bytes",
                answer.len()
            );
        }
    }
}

#[test]
fn what_asks_too_much_is_told_how_much() {
    let refused = |query: &str| errors(admit_twice(query, &json!({})).err().expect(query));
    let nested = refused(&format!("{{ course(id: {}", "[".repeat(3_000)));
    assert_eq!(
        nested[0]["message"],
        "The document's nesting is over the limit: 65 of 64 at most."
    );
    assert_eq!(
        nested[0]["extensions"],
        json!({"code": "QUERY_TOO_COMPLEX", "cost": 65, "limit": 64})
    );
    let bomb = refused(&doubling(31));
    assert_eq!(bomb[0]["extensions"]["cost"], 3 * (1_u64 << 31));
    let bomb = refused(&doubling(60));
    assert_eq!(bomb[0]["extensions"]["cost"], (1_u64 << 53) - 1);
    let dear = refused(
        "{ courses(first: 100) { nodes { tasks(first: 100) { nodes { owner { id } } } } } }",
    );
    assert_eq!(
        dear[0]["extensions"],
        json!({"code": "QUERY_TOO_COMPLEX", "cost": 20_100, "limit": 10_000})
    );
}

#[test]
fn each_limit_is_kept_to_the_last() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Gate::new(SDL, limits)
    };
    let fields =
        "{ me { id } b: me { id } ...F } fragment F on Query { course(id: 1) { owner { id } } }";
    for (gate, fits, exceeds) in [
        (
            limits(|limits| limits.depth = 2),
            "{ me { id } }",
            "{ me { sessions { id } } }",
        ),
        (
            limits(|limits| limits.depth = 2),
            "{ ... { me { ... { id } } } }",
            "{ ... { me { ... { sessions { id } } } } }",
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
            limits(|limits| limits.aliases = 1),
            "{ a: me { id } }",
            "{ a: me { id } ...A } fragment A on Query { b: me { id } }",
        ),
        (
            limits(|limits| limits.root_fields = 3),
            fields,
            "{ a: __typename b: __typename ...F } fragment F on Query { c: __typename d: __typename }",
        ),
        (
            limits(|limits| limits.selections = 8),
            fields,
            "{ me { id name sessions { id current } ... { id name } } }",
        ),
        (
            limits(|limits| limits.tokens = 6),
            "{ me { id } }",
            "{ me { id, } }",
        ),
        (
            limits(|limits| limits.document_bytes = 13),
            "{ me { id } }",
            "{ me { id }  }",
        ),
        (
            limits(|limits| limits.fragments = 1),
            fields,
            "{ ...A ...B } fragment A on Query { __typename } fragment B on Query { __typename }",
        ),
        (
            limits(|limits| limits.cost = 3),
            fields,
            "{ nodes(ids: [1, 2, 3, 4]) { id } }",
        ),
    ] {
        let fitting = admit(&gate, fits, &json!({})).err();
        assert!(fitting.is_none() || fits == fields, "{fits}: {fitting:?}");
        let (code, message) = told(admit(&gate, exceeds, &json!({})).err().expect(exceeds));
        assert_eq!(code, "QUERY_TOO_COMPLEX", "{exceeds}: {message}");
    }
}

#[test]
fn other_operations_do_not_count() {
    let query = "query Dear { courses(first: 100) { nodes { tasks(first: 100) { nodes { id } } } } } \
        query Deep { me { id } ...F } fragment F on Query { x: me { id } }";
    let gate = Gate::new(
        SDL,
        Limits {
            cost: 2,
            aliases: 1,
            ..Limits::default()
        },
    );
    let admitted = gate
        .admit(query, Some("Deep"), Default::default())
        .expect("it costs 2");
    assert_eq!(admitted.cost, 2);
    assert_eq!(admitted.operation_name.as_deref(), Some("Deep"));
    let (code, _) = told(
        gate.admit(query, Some("Dear"), Default::default())
            .err()
            .expect("it is dear"),
    );
    assert_eq!(code, "QUERY_TOO_COMPLEX");
}

#[test]
fn introspection_does_not_run_in_circles() {
    let fields = "fields { type ".repeat(3);
    let query = format!(
        "{{ __type(name: \"Task\") {{ {} name {} }} }}",
        fields.replace("type ", "type { "),
        "} }".repeat(3)
    );
    let (code, message) = told(
        admit_twice(&query, &json!({}))
            .err()
            .expect("it runs in circles"),
    );
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    assert!(
        message.starts_with("The nesting of lists of introspection"),
        "{message}"
    );
    assert!(admit_twice(INTROSPECTION, &json!({})).is_ok());
}

#[test]
fn the_cache_keeps_to_its_bounds() {
    let limits = Limits {
        cached_documents: 40,
        cached_bytes: 10_000,
        ..Limits::default()
    };
    let gate = Gate::new(SDL, limits);
    for number in 0..500 {
        let query = format!("{{ a{number}: me {{ id }} }} # {}", "x".repeat(number));
        assert!(admit(&gate, &query, &json!({})).is_ok());
        assert!(admit(&gate, &format!("{{ a{number} }}"), &json!({})).is_err());
    }
    assert!((1..=40).contains(&gate.cache.len()), "{}", gate.cache.len());
    assert!(gate.cache.weight() <= 10_000, "{}", gate.cache.weight());
}
