//! Documents that are small to send and expensive to answer, with the expected result of each.
//!
//! The tests and the benchmark share them, so nothing here uses the crate.

/// The full introspection query, as deep as GraphiQL and code generators send it.
pub(crate) fn introspection() -> String {
    let ty = (0..9).fold("kind name".to_owned(), |inner, _| {
        format!("kind name ofType {{ {inner} }}")
    });
    let described = "name description isDeprecated deprecationReason";
    format!(
        "query IntrospectionQuery {{ __schema {{
            description queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
            types {{
                kind name description specifiedByURL isOneOf
                fields(includeDeprecated: true) {{
                    {described} args(includeDeprecated: true) {{ ...Input }} type {{ ...Type }}
                }}
                inputFields(includeDeprecated: true) {{ ...Input }}
                enumValues(includeDeprecated: true) {{ {described} }}
                interfaces {{ ...Type }} possibleTypes {{ ...Type }}
            }}
            directives {{
                name description isRepeatable locations args(includeDeprecated: true) {{ ...Input }}
            }}
        }} }}
        fragment Input on __InputValue {{ {described} type {{ ...Type }} defaultValue }}
        fragment Type on __Type {{ {ty} }}"
    )
}

/// Concatenates `count` pieces, each made from its number.
fn each(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Each fragment spreads the next one twice.
pub(crate) fn doubling(levels: usize) -> String {
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

/// Each fragment spreads all later ones, under fields that merge.
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

pub(crate) const ADMITTED: &str = "admitted";
const INVALID: &str = "VALIDATION_FAILED";
pub(crate) const TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";

/// A name, the text, and the expected code.
pub(crate) type Hostile = (&'static str, String, &'static str);

pub(crate) fn documents() -> Vec<Hostile> {
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
        ("fragments that double 31 times", doubling(31), TOO_COMPLEX),
        ("fragments that double 98 times", doubling(98), TOO_COMPLEX),
        ("fragments in a circle", circle.into(), INVALID),
        (
            "open braces",
            format!("{{ me {}", "{".repeat(3_000)),
            TOO_COMPLEX,
        ),
        (
            "open brackets",
            format!("{{ course(id: {}", "[".repeat(3_000)),
            TOO_COMPLEX,
        ),
        (
            "open objects",
            format!("{{ tasks(filter: {}", "{a:".repeat(1_900)),
            TOO_COMPLEX,
        ),
        (
            "fields in fields",
            format!("{fields} {{ id }} {close}"),
            TOO_COMPLEX,
        ),
        ("inline fragments, at the limit", chained(1, 61), ADMITTED),
        (
            "fragments in a chain, at the limit",
            chained(15, 3),
            ADMITTED,
        ),
        ("fragments in a chain", chained(20, 20), TOO_COMPLEX),
        ("fragments in a long chain", chained(40, 20), INVALID),
        ("fragments that overlap", overlapping(12), TOO_COMPLEX),
        ("pages in pages", pages.into(), TOO_COMPLEX),
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
        ("tokens", "a ".repeat(100_000), TOO_COMPLEX),
        (
            "commas",
            format!("{{ me {{ id {} }} }}", ",".repeat(10_000)),
            TOO_COMPLEX,
        ),
        (
            "comments",
            format!("{{ me {{ id }} }} {}", "#\n".repeat(10_000)),
            TOO_COMPLEX,
        ),
        (
            "bytes",
            course(format!("\"{}\"", "x".repeat(300_000))),
            TOO_COMPLEX,
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
        (
            "one field",
            query(790, |_| "me { id } ".into()),
            TOO_COMPLEX,
        ),
        ("one leaf", user(3_980, |_| "id ".into()), ADMITTED),
        (
            "one deep field",
            format!("{{ tasks {{ nodes {{ {} }} }} }}", deep.repeat(180)),
            TOO_COMPLEX,
        ),
        (
            "aliases",
            query(600, |number| format!("a{number}:me{{id}} ")),
            TOO_COMPLEX,
        ),
        ("introspection", query(50, types), TOO_COMPLEX),
        (
            "variables",
            format!("query({variables}) {{ {fields} }}"),
            TOO_COMPLEX,
        ),
        ("operations", each(600, operation), TOO_COMPLEX),
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

/// Each fragment spreads the next one inside inline fragments.
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
