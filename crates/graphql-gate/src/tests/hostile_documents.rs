//! Documents that are small to send and would be dear to answer: all are answered at once, and shortly.

use serde_json::json;

use super::super::{Gate, Limits};
use super::{SDL, admit, admit_twice, errors, told};

/// All that introspection tells, as deep as GraphiQL and code generators ask for it.
pub(super) fn introspection() -> String {
    let ty = (0..9).fold("kind name".to_owned(), |inner, _| {
        format!("kind name ofType {{ {inner} }}")
    });
    let told = "name description isDeprecated deprecationReason";
    format!(
        "query IntrospectionQuery {{ __schema {{
            description queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
            types {{
                kind name description specifiedByURL isOneOf
                fields(includeDeprecated: true) {{
                    {told} args(includeDeprecated: true) {{ ...Input }} type {{ ...Type }}
                }}
                inputFields(includeDeprecated: true) {{ ...Input }}
                enumValues(includeDeprecated: true) {{ {told} }}
                interfaces {{ ...Type }} possibleTypes {{ ...Type }}
            }}
            directives {{
                name description isRepeatable locations args(includeDeprecated: true) {{ ...Input }}
            }}
        }} }}
        fragment Input on __InputValue {{ {told} type {{ ...Type }} defaultValue }}
        fragment Type on __Type {{ {ty} }}"
    )
}

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

/// Each operation uses one fragment with many fields.
fn operations_times_fields(operations: usize, fields: usize) -> String {
    let queries = each(operations, |number| format!("query Q{number} {{ ...F }} "));
    format!(
        "{queries} fragment F on Query {{ {} }}",
        "__typename ".repeat(fields)
    )
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

const ADMITTED: &str = "admitted";
const INVALID: &str = "VALIDATION_FAILED";
const TOO_MUCH: &str = "QUERY_TOO_COMPLEX";

/// What is hostile about it, the text, and the code it is answered with.
type Hostile = (&'static str, String, &'static str);

pub(super) fn documents() -> Vec<Hostile> {
    let mut documents = nested();
    documents.extend(long());
    documents.extend(many());
    documents
}

fn nested() -> Vec<Hostile> {
    let circle = "{ me { ...A } } fragment A on User { ...B } fragment B on User { ...A }";
    let pages = "{ courses { nodes { tasks { nodes { course { tasks { nodes { id } } } } } } } }";
    let (fields, close) = ("{ tasks { nodes { course ".repeat(20), "}".repeat(60));
    vec![
        ("fragments that double 31 times", doubling(31), TOO_MUCH),
        ("fragments that double 98 times", doubling(98), TOO_MUCH),
        ("fragments in a circle", circle.into(), INVALID),
        (
            "open braces",
            format!("{{ me {}", "{".repeat(3_000)),
            TOO_MUCH,
        ),
        (
            "open brackets",
            format!("{{ course(id: {}", "[".repeat(3_000)),
            TOO_MUCH,
        ),
        (
            "open objects",
            format!("{{ tasks(filter: {}", "{a:".repeat(1_900)),
            TOO_MUCH,
        ),
        (
            "fields in fields",
            format!("{fields} {{ id }} {close}"),
            TOO_MUCH,
        ),
        ("inline fragments, at the limit", chained(1, 61), ADMITTED),
        (
            "fragments in a chain, at the limit",
            chained(15, 3),
            ADMITTED,
        ),
        ("fragments in a chain", chained(20, 20), TOO_MUCH),
        ("fragments in a long chain", chained(40, 20), INVALID),
        ("fragments that overlap", overlapping(12), TOO_MUCH),
        ("pages in pages", pages.into(), TOO_MUCH),
    ]
}

fn long() -> Vec<Hostile> {
    let course = |id: String| format!("{{ course(id: {id}) {{ id }} }}");
    let data = |count, piece: fn(usize) -> String| {
        let data = each(count, piece);
        format!("{{ tasks(filter: {{metadataContains: {{ {data} }} }}) {{ totalCount }} }}")
    };
    let (escapes, lines) = ("\\u0041".repeat(43_000), "x\n ".repeat(87_000));
    vec![
        ("tokens", "a ".repeat(100_000), TOO_MUCH),
        (
            "commas",
            format!("{{ me {{ id {} }} }}", ",".repeat(10_000)),
            TOO_MUCH,
        ),
        (
            "comments",
            format!("{{ me {{ id }} }} {}", "#\n".repeat(10_000)),
            TOO_MUCH,
        ),
        (
            "bytes",
            course(format!("\"{}\"", "x".repeat(300_000))),
            TOO_MUCH,
        ),
        (
            "long comment",
            format!("{{ me {{ id }} }} #{}", "x".repeat(260_000)),
            ADMITTED,
        ),
        ("long string", course(format!("\"{escapes}\"")), ADMITTED),
        (
            "long block string",
            course(format!("\"\"\"{lines}\"\"\"")),
            ADMITTED,
        ),
        (
            "long name",
            format!("{{ {} }}", "x".repeat(260_000)),
            INVALID,
        ),
        (
            "large literal",
            data(1_200, |number| format!("k{number}: 1 ")),
            ADMITTED,
        ),
        (
            "undeclared variables",
            data(900, |number| format!("k{number}: $v{number} ")),
            INVALID,
        ),
    ]
}

fn many() -> Vec<Hostile> {
    let query = |count, piece: fn(usize) -> String| format!("{{ {} }}", each(count, piece));
    let user = |count, piece: fn(usize) -> String| format!("{{ me {{ {} }} }}", each(count, piece));
    let deep = "course { tasks { nodes { course { tasks { nodes { course { id } } } } } } } ";
    let operation = |number| format!("query Q{number} {{ __typename }} ");
    let variables = each(250, |number| format!("$v{number}: ID! "));
    let fields = each(250, |number| {
        format!("a{number}: course(id: $v{number}) {{ id }} ")
    });
    let types = |number| {
        let fields = "fields { name type { fields { name args { name } } } }";
        format!("a{number}: __schema {{ types {{ {fields} }} }} ")
    };
    vec![
        ("unknown fields", query(3_990, |_| "x ".into()), INVALID),
        (
            "conflicting fields",
            user(660, |_| "a:id a:name ".into()),
            INVALID,
        ),
        ("one field", query(790, |_| "me { id } ".into()), TOO_MUCH),
        ("one leaf", user(3_980, |_| "id ".into()), ADMITTED),
        (
            "one deep field",
            format!("{{ tasks {{ nodes {{ {} }} }} }}", deep.repeat(180)),
            TOO_MUCH,
        ),
        (
            "aliases",
            query(600, |number| format!("a{number}:me{{id}} ")),
            TOO_MUCH,
        ),
        ("introspection", query(50, types), TOO_MUCH),
        (
            "variables",
            format!("query({variables}) {{ {fields} }}"),
            TOO_MUCH,
        ),
        ("operations", each(600, operation), TOO_MUCH),
        (
            "operations times fragments",
            operations_times_fragments(10, 98, 1),
            "BAD_REQUEST",
        ),
        (
            "operations times fields",
            operations_times_fields(30, 3_700),
            "BAD_REQUEST",
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
    for (name, query, expected) in documents() {
        let Err(rejection) = admit_twice(&query, &json!({})) else {
            assert_eq!(expected, ADMITTED, "{name}");
            continue;
        };
        assert_eq!(expected, rejection.code.as_str(), "{name}: {rejection:?}");
        let answer = errors(rejection).to_string();
        assert!(
            answer.len() < 8_000,
            "{name} is answered with {} bytes",
            answer.len()
        );
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
        let (code, message) = told(admit(&gate, exceeds, &json!({})).err().expect(exceeds));
        assert_eq!(code, TOO_MUCH, "{exceeds}: {message}");
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
    assert!(admit_twice(&introspection(), &json!({})).is_ok());
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
