//! The search through the API. `golden` measures what it finds with a set of realistic items and queries.

mod bad_input;
mod filters;
mod golden;
mod highlights;
mod indexes;
mod isolation;
mod item_changes;
mod long_texts;
mod pages;
pub(crate) mod plans;
mod scripts;
mod titles;

use serde_json::{Value, json};

use crate::support::{Client, texts};

const SEARCH: &str = "query($query: String!, $types: [ItemType!], $courseId: ID, $first: Int, $after: String) {
    search(query: $query, types: $types, courseId: $courseId, first: $first, after: $after) {
        edges { cursor score highlights { field text ranges { start end } }
            node { ... on Course { id title: name } ... on Document { id title } ... on Task { id title } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } isIncomplete } }";

impl Client {
    async fn course(&self, name: &str, description: &str) -> String {
        let input = json!({ "name": name, "description": description });
        self.create("Course", input).await
    }

    async fn document(&self, course: &str, title: &str, note: &str, text: &str) -> String {
        let input = json!({ "courseId": course, "title": title, "formattedNote": note, "originalText": text });
        self.create("Document", input).await
    }

    async fn task(&self, course: &str, title: &str, description: &str) -> String {
        let input = json!({ "courseId": course, "title": title, "description": description });
        self.create("Task", input).await
    }

    async fn set_note(&self, document: &str, note: &str) {
        let fields = json!({ "formattedNote": note });
        self.update("Document", document, fields).await;
    }

    /// The results of a search with these arguments.
    async fn search(&self, arguments: Value) -> Value {
        self.data(SEARCH, arguments).await["search"].take()
    }

    /// The titles that a query finds, best first.
    async fn found(&self, query: &str) -> Vec<String> {
        titles(&self.search(json!({ "query": query })).await)
    }

    /// As [`Client::found`], in alphabetical order.
    async fn found_sorted(&self, query: &str) -> Vec<String> {
        let mut titles = self.found(query).await;
        titles.sort();
        titles
    }
}

/// The titles on a page, in its order.
fn titles(page: &Value) -> Vec<String> {
    texts(&page["edges"], "node.title")
}
