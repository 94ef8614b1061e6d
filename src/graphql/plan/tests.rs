//! Which documents have a plan, and that the table of fields is right.

use async_graphql::{Name, Value, Variables};
use graphql_gate::Gate;

use super::{
    Plans,
    fields::{FieldOf, Format, ObjectType},
};
use crate::graphql::{COST_RULES, Limits, sdl};

fn plans(query: &str) -> Plans {
    let gate = Gate::new(&sdl(), Limits::default(), COST_RULES)
        .with_plans(|prepared| (Plans::new(prepared.document), prepared.document.clone()));
    let admitted = gate.admit(query, None, serde_json::Map::new());
    let admitted = admitted.unwrap_or_else(|_| panic!("{query} is not valid"));
    Plans::new(&admitted.plan().1)
}

fn has_plan(query: &str) -> bool {
    plans(query).of(&Variables::default()).is_some()
}

#[test]
fn queries_of_items_have_a_plan() {
    for query in [
        "{ me { id email role lastSignInAt } }",
        "{ __typename }",
        "{ a: courses { nodes { id } } b: courses(first: 1) { totalCount } me { name } }",
        "{ courses(first: 5) { edges { cursor node { name documents(last: 5) { nodes { title tags { name } } } } } } }",
        "{ tasks(filter: {completed: false}) { pageInfo { endCursor } nodes { course { owner { id } } } } }",
        "{ node(id: 1) { id ... on Item { version } ... on User { email } } }",
        "{ nodes(ids: []) { __typename ...F } } fragment F on Document { metadata trashedWith { name } }",
        "{ tag(id: 1) { documentCount tasks { nodes { ... on CourseItem { id } dueOn } } } }",
    ] {
        assert!(has_plan(query), "{query}");
    }
}

#[test]
fn unsupported_queries_have_no_plan() {
    for query in [
        "{ __schema { types { name } } }",
        "{ me { id sessions { id } } }",
        "{ documents { nodes { originalText } } }",
        "{ documents { nodes { image { url } } } }",
        "{ search(query: \"a\") { pageInfo { endCursor } } }",
        "{ courses { nodes { id } } trash { totalCount } }",
        "{ courses { nodes { owner { profile { proficiency } } } } }",
        "{ tasks(first: 5) { nodes { tags { documentCount } } } }",
        "{ node(id: 1) { ... on Session { id } } }",
        "mutation { emptyTrash { userErrors { code } } }",
    ] {
        assert_eq!(has_plan(query), query.contains("Session"), "{query}");
    }
}

#[test]
fn variables_that_decide_what_is_selected_have_a_plan_each() {
    let query = "query($a: Boolean = true) { me { id email @include(if: $a) sessions @skip(if: $a) { id } } }";
    let plans = plans(query);
    let of = |value: bool| {
        let mut variables = Variables::default();
        variables.insert(Name::new("a"), Value::Boolean(value));
        plans.of(&variables).is_some()
    };
    assert!(of(true));
    assert!(!of(false));
    assert!(of(true));
    let many = "query($a: Boolean! = true, $b: Boolean! = true, $c: Boolean! = true, $d: Boolean! = true, $e: Boolean! = true) {
        me { id @include(if: $a) email @include(if: $b) name @include(if: $c) role @skip(if: $d) active @skip(if: $e) } }";
    assert!(!has_plan(many));
}

/// The types of fields that each format writes.
fn types_of(format: Format) -> &'static [&'static str] {
    match format {
        Format::Id => &["ID"],
        Format::Text => &["String"],
        Format::Url => &["URL"],
        Format::Int | Format::Count => &["Int"],
        Format::Float => &["Float"],
        Format::Boolean | Format::IsSet => &["Boolean"],
        Format::Time => &["DateTime"],
        Format::Date => &["Date"],
        Format::Json => &["JSONObject"],
        Format::Status => &["ItemStatus"],
        Format::Priority => &["TaskPriority"],
        Format::Role => &["Role"],
    }
}

#[test]
fn each_known_field_is_in_the_schema_with_the_type_that_is_written() {
    let sdl = sdl();
    let mut known = 0;
    for ty in ObjectType::ALL {
        let start = format!("\ntype {} ", ty.name());
        let (_, definition) = sdl.split_once(&start).expect("the type is in the schema");
        let (definition, _) = definition.split_once("\n}").expect("the definition ends");
        let fields = definition.lines().filter_map(|line| {
            let (field, ty) = line.strip_prefix('\t')?.rsplit_once(": ")?;
            let (name, _) = field.split_once('(').unwrap_or((field, ""));
            name.chars()
                .all(char::is_alphanumeric)
                .then_some((name, ty))
        });
        for (name, declared) in fields {
            let inner = declared.trim_matches(['[', ']', '!']);
            let expected = match ty.field(name) {
                None => continue,
                Some(FieldOf::Column(_, format)) => types_of(format).to_vec(),
                Some(FieldOf::List(_)) => vec!["DocumentConnection", "TaskConnection"],
                Some(FieldOf::Tags) => vec!["Tag"],
                Some(FieldOf::Course | FieldOf::TrashedWith) => vec!["Course"],
                Some(FieldOf::Owner) => vec!["User"],
            };
            assert!(
                expected.contains(&inner),
                "{}.{name}: {declared}",
                ty.name()
            );
            known += 1;
        }
        let interfaces: Vec<&str> = definition
            .split_once('{')
            .map(|(interfaces, _)| interfaces.trim_start_matches("implements ").split(" & "))
            .expect("the definition has a body")
            .map(str::trim)
            .collect();
        for name in ["Node", "Item", "CourseItem"] {
            assert_eq!(
                ty.is(name),
                interfaces.contains(&name),
                "{} {name}",
                ty.name()
            );
        }
    }
    // Without the lists, whose arguments are on lines of their own.
    assert_eq!(known, 68);
}
