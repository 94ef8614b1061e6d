//! Checks the descriptions of the whole schema, which frontend developers read in GraphiQL and in generated clients.

use serde_json::Value;

/// Words that a description must not contain, because plain English has a better one.
const BANNED: &[&str] = &[
    "answers",
    "at most",
    "behind",
    "e-mail",
    "for good",
    "if left out",
    "left out",
    "nobody",
    "outside",
    "picture",
    "pictures",
    "so many",
    "somebody",
    "stands",
    "throttle",
    "told",
    "visitor",
    "whoever",
];

/// Scalars of the GraphQL specification.
const BUILT_IN: &[&str] = &["Boolean", "Float", "ID", "Int", "String"];

const INTROSPECTION: &str = "{
    __schema { types { kind name description specifiedByURL
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description }
        enumValues(includeDeprecated: true) { name description }
    } directives { name description args { name description } } }
}";

/// Every described part of the schema, as its path and description.
async fn descriptions() -> Vec<(String, String)> {
    let response = super::build().finish().execute(INTROSPECTION).await;
    let response = serde_json::to_value(response).expect("a response is JSON");
    let mut found = Vec::new();
    let schema = &response["data"]["__schema"];
    for directive in list(&schema["directives"]) {
        collect("@", directive, &mut found);
    }
    for kind in list(&schema["types"]) {
        let name = kind["name"].as_str().unwrap_or_default();
        if !name.starts_with("__") && !BUILT_IN.contains(&name) {
            collect("", kind, &mut found);
        }
    }
    found
}

fn collect(parent: &str, part: &Value, found: &mut Vec<(String, String)>) {
    let text = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
    let path = format!("{parent}/{}", text("name"));
    for key in ["fields", "args", "inputFields", "enumValues"] {
        for child in list(&part[key]) {
            collect(&path, child, found);
        }
    }
    found.push((path, text("description")));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test]
async fn every_part_of_the_schema_has_a_description() {
    let descriptions = descriptions().await;
    assert!(descriptions.len() > 400, "{} parts", descriptions.len());
    let missing: Vec<String> = descriptions
        .into_iter()
        .filter(|(_, description)| description.trim().is_empty())
        .map(|(path, _)| path)
        .collect();
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}

#[tokio::test]
async fn every_kind_of_part_is_checked() {
    let descriptions = descriptions().await;
    for path in [
        "/Query",
        "/Query/tasks",
        "/Query/tasks/first",
        "/CreateTaskInput/dueAt",
        "/CourseItem/courseId",
        "/TaskPriority/HIGH",
        "/DateTime",
        "/SearchEdge",
        "/Subscription/changes/after",
        "@/skip",
        "@/skip/if",
    ] {
        assert!(descriptions.iter().any(|(one, _)| one == path), "{path}");
    }
}

#[tokio::test]
async fn no_description_contains_a_banned_word() {
    for (path, description) in descriptions().await {
        let words: Vec<String> = description
            .split(|character: char| !(character.is_alphanumeric() || character == '-'))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let text = format!(" {} ", words.join(" "));
        for banned in BANNED {
            assert!(
                !text.contains(&format!(" {banned} ")),
                "{path} contains {banned:?}: {description}"
            );
        }
    }
}

#[tokio::test]
async fn descriptions_are_sentences_and_true() {
    for (path, description) in descriptions().await {
        for banned in [
            "Null: ",
            "is not a UUID is unknown",
            "token, UNAUTHENTICATED if",
            "It is valid for at least one hour",
        ] {
            assert!(
                !description.contains(banned),
                "{path} contains {banned:?}: {description}"
            );
        }
    }
}

/// Arguments and input fields of type ID, apart from those that choose the id of a new object.
const IDS: &str = "{ __schema { types { name
    inputFields { name description type { name ofType { name ofType { ofType { name } } } } }
    fields { args { name description type { name ofType { name ofType { ofType { name } } } } } } } } }";

#[tokio::test]
async fn every_id_in_the_input_says_what_happens_if_it_is_not_a_uuid() {
    let response = super::build().finish().execute(IDS).await;
    let response = serde_json::to_value(response).expect("a response is JSON");
    let mut count = 0;
    for kind in list(&response["data"]["__schema"]["types"]) {
        let arguments = list(&kind["fields"])
            .iter()
            .flat_map(|field| list(&field["args"]));
        for input in arguments.chain(list(&kind["inputFields"])) {
            let is_id = input["type"].to_string().contains("\"ID\"");
            let is_chosen = kind["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("Create"))
                && input["name"] == "id";
            let description = input["description"].as_str().unwrap_or_default();
            if is_id && !is_chosen {
                count += 1;
                assert!(
                    description.contains("not a UUID"),
                    "{} {input}",
                    kind["name"]
                );
            }
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn scalars_name_their_specification() {
    let sdl = super::sdl();
    for scalar in ["Date", "DateTime", "URL"] {
        assert!(
            sdl.contains(&format!("scalar {scalar} @specifiedBy(url: ")),
            "{scalar}"
        );
    }
}

/// Input objects with a `direction`, the description of its default, and the names of the values of their `field`.
const ORDERS: &str = "{ __schema { types { name inputFields { name description type { name ofType { name enumValues { name } } } } } } }";

#[tokio::test]
async fn the_default_directions_name_fields_of_the_same_order() {
    let response = super::build().finish().execute(ORDERS).await;
    let response = serde_json::to_value(response).expect("a response is JSON");
    let mut count = 0;
    for kind in list(&response["data"]["__schema"]["types"]) {
        let inputs = list(&kind["inputFields"]);
        let input = |name: &str| inputs.iter().find(|input| input["name"] == name);
        let (Some(direction), Some(field)) = (input("direction"), input("field")) else {
            continue;
        };
        let fields = list(&field["type"]["ofType"]["enumValues"]);
        let description = direction["description"].as_str().unwrap_or_default();
        for name in description.split('`').skip(1).step_by(2) {
            count += 1;
            let is_field = fields.iter().any(|field| field["name"] == name);
            assert!(is_field, "{}: {description}", kind["name"]);
        }
    }
    assert!(count >= 6, "{count}");
}
