//! The search as a caller sees it. What it finds of what people write is judged by the golden set, in `golden`.

mod costs;
mod dictionary;
mod golden;
mod highlights;
mod input;
mod letters;
mod life;
mod long;
mod pages;
mod parts;
pub(crate) mod plans;
mod strangers;
mod upgrade;

use serde_json::{Value, json};

use crate::support::Client;

const SEARCH: &str = "query($query: String!, $types: [ItemType!], $courseId: ID, $first: Int, $after: String) {
    search(query: $query, types: $types, courseId: $courseId, first: $first, after: $after) {
        edges { cursor score highlights { field text ranges { start end } }
            node { ... on Course { id title: name } ... on Document { id title } ... on Task { id title } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
const TRASH: &str = "mutation($ids: [ID!]!) { trashItems(input: { ids: $ids }) { items { id } userErrors { code } } }";
const RESTORE: &str = "mutation($ids: [ID!]!) { restoreItems(input: { ids: $ids }) { items { id } userErrors { code } } }";
const DELETE: &str = "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { deletedIds userErrors { code } } }";

/// The only field of a mutation's answer; nothing may be wrong.
async fn did(client: &Client, query: &str, variables: Value) -> Value {
    let data = client.data(query, variables).await;
    let payload = data.as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}

/// The id of a new course.
async fn course(client: &Client, name: &str, description: &str) -> Value {
    let query = "mutation($input: CreateCourseInput!) { createCourse(input: $input) { course { id } userErrors { code } } }";
    let input = json!({ "name": name, "description": description });
    did(client, query, json!({ "input": input })).await["course"]["id"].clone()
}

/// The id of a new document.
async fn document(client: &Client, course: &Value, title: &str, note: &str, text: &str) -> Value {
    let query = "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } userErrors { code } } }";
    let input =
        json!({ "courseId": course, "title": title, "formattedNote": note, "originalText": text });
    did(client, query, json!({ "input": input })).await["document"]["id"].clone()
}

/// The id of a new task.
async fn task(client: &Client, course: &Value, title: &str, description: &str) -> Value {
    let query = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { code } } }";
    let input = json!({ "courseId": course, "title": title, "description": description });
    did(client, query, json!({ "input": input })).await["task"]["id"].clone()
}

/// Changes a `Course`, a `Document` or a `Task`.
async fn update(client: &Client, kind: &str, input: Value) {
    let query = format!(
        "mutation($input: Update{kind}Input!) {{ update{kind}(input: $input) {{ userErrors {{ code }} }} }}"
    );
    did(client, &query, json!({ "input": input })).await;
}

/// What a search with these arguments answers.
async fn search(client: &Client, arguments: Value) -> Value {
    client.data(SEARCH, arguments).await["search"].take()
}

/// The titles on a page, in its order.
fn titles(page: &Value) -> Vec<String> {
    let edges = page["edges"].as_array().unwrap();
    let title = |edge: &Value| edge["node"]["title"].as_str().unwrap().to_owned();
    edges.iter().map(title).collect()
}

/// The titles of what a query finds, best first.
async fn found(client: &Client, query: &str) -> Vec<String> {
    titles(&search(client, json!({ "query": query })).await)
}

/// The same by the alphabet, where the order is of no account.
async fn found_sorted(client: &Client, query: &str) -> Vec<String> {
    let mut titles = found(client, query).await;
    titles.sort();
    titles
}
