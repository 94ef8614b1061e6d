//! Typed calls for courses, documents, tasks and tags. They must succeed; [`Client::try_mutate`] is for calls that may fail.

use serde_json::{Value, json};

use super::{Client, text};

/// The input of mutations on several items.
pub(crate) fn ids(ids: &[impl AsRef<str>]) -> Value {
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    json!({ "ids": ids })
}

impl Client {
    /// A new `Course`, `Document`, `Task` or `Tag`; its id. A document gets a title and texts if the input has none.
    pub(crate) async fn create(&self, kind: &str, fields: Value) -> String {
        let mut input = match kind {
            "Document" => json!({ "title": "Lecture", "originalText": "", "formattedNote": "" }),
            _ => json!({}),
        };
        for (name, value) in fields.as_object().unwrap() {
            input[name] = value.clone();
        }
        let item = kind.to_lowercase();
        let name = format!("create{kind}");
        let payload = self.mutate(&name, input, &format!("{item} {{ id }}")).await;
        text(&payload[&item]["id"])
    }

    pub(crate) async fn create_course(&self, name: &str) -> String {
        self.create("Course", json!({ "name": name })).await
    }

    pub(crate) async fn create_document(&self, course: &str, note: &str) -> String {
        let input = json!({ "courseId": course, "formattedNote": note });
        self.create("Document", input).await
    }

    pub(crate) async fn create_task(&self, course: Option<&str>, title: &str) -> String {
        let input = json!({ "courseId": course, "title": title });
        self.create("Task", input).await
    }

    /// Changes fields of a `Course`, a `Document`, a `Task` or a `Tag`.
    pub(crate) async fn update(&self, kind: &str, id: &str, fields: Value) {
        let mut input = fields;
        input["id"] = json!(id);
        self.mutate(&format!("update{kind}"), input, "").await;
    }

    pub(crate) async fn rename_course(&self, id: &str, name: &str) {
        self.update("Course", id, json!({ "name": name })).await;
    }

    pub(crate) async fn trash(&self, items: &[impl AsRef<str>]) -> Value {
        self.mutate("trashItems", ids(items), "items { id status version }")
            .await
    }

    pub(crate) async fn restore(&self, items: &[impl AsRef<str>]) -> Value {
        self.mutate("restoreItems", ids(items), "items { id status version }")
            .await
    }

    pub(crate) async fn delete(&self, items: &[impl AsRef<str>]) -> Value {
        self.mutate("deleteItems", ids(items), "deletedIds").await
    }

    /// The cursor of the change feed's end.
    pub(crate) async fn changes_cursor(&self) -> Value {
        self.query("{ changesCursor }").await["changesCursor"].take()
    }
}
