//! Mutations of many rows: their effect is seen as soon as they commit, although the rows change later in the background.
//!
//! A test stops the background in between: it locks the rows while the mutation runs, and then postpones the operation.

mod crashes;
mod deleting;
mod lock_order;
mod totals;
mod trash_clean_up;
mod trashing;
mod users;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use snapnote::pending;

use crate::support::{Person, TestApp, Transaction, eventually, ids, list, text};

/// Two courses of one user, with documents and tasks in each, and a task without a course.
struct Notebook {
    app: TestApp,
    ada: Person,
    /// The course that is moved or deleted.
    course: String,
    other: String,
    documents: Vec<String>,
    /// Tasks of the course.
    tasks: Vec<String>,
    /// A task of the course that was trashed before.
    trashed: String,
    /// Tags of the items of the course.
    tags: Vec<String>,
}

/// The code of the first user error.
fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("none")
}

impl Notebook {
    async fn new() -> Notebook {
        let (app, ada) = TestApp::start().await.with_user("ada").await;
        let course = ada.create_course("Zebras").await;
        let other = ada.create_course("Algebra").await;
        let mut tags = Vec::new();
        for name in ["Stripes", "Hooves"] {
            tags.push(ada.create("Tag", json!({ "name": name })).await);
        }
        let (mut documents, mut tasks) = (Vec::new(), Vec::new());
        for n in 0..4 {
            let course = if n < 3 { &course } else { &other };
            let document = json!({ "courseId": course, "title": format!("Zebra {n}"), "originalText": "stripes", "tagIds": tags });
            documents.push(ada.create("Document", document).await);
            let task =
                json!({ "courseId": course, "title": format!("Zebra task {n}"), "tagIds": tags });
            tasks.push(ada.create("Task", task).await);
        }
        documents.pop();
        tasks.pop();
        ada.create_task(None, "Zebra task of no course").await;
        let trashed = ada
            .create_task(Some(&course), "Zebra task in the trash")
            .await;
        ada.trash(&[&trashed]).await;
        Notebook {
            app,
            ada,
            course,
            other,
            documents,
            tasks,
            trashed,
            tags,
        }
    }

    /// Runs a mutation so that only what it commits itself has happened when this returns. A background step that has begun
    /// has ended once its owner can be locked.
    async fn only_committed(&self, mutation: &str, input: Value) -> Value {
        let held = self.hold().await;
        let payload = self
            .ada
            .try_mutate(mutation, input, selection(mutation))
            .await;
        self.app
            .sql(
                "BEGIN; SELECT FROM users ORDER BY id FOR NO KEY UPDATE;
                 UPDATE pending_operations SET retry_at = 'infinity'; COMMIT",
            )
            .await;
        drop(held);
        payload
    }

    /// [`Notebook::only_committed`] for the course.
    async fn only_committed_of_course(&self, mutation: &str) -> Value {
        self.only_committed(mutation, ids(&[&self.course])).await
    }

    /// Locks all documents and tasks.
    async fn hold(&self) -> Transaction {
        let lock = "SELECT FROM documents FOR UPDATE; SELECT FROM tasks FOR UPDATE";
        self.app.begin(lock).await
    }

    async fn count(&self, from: &str) -> i64 {
        self.app.count(from).await
    }

    async fn pending(&self) -> i64 {
        self.count("pending_operations").await
    }

    /// Lets the background finish, which must change nothing that a reader can see.
    async fn finish_unseen(&self, seen: &Value) {
        self.finish().await;
        assert_eq!(self.seen().await, *seen);
    }

    /// Lets the background finish.
    async fn finish(&self) {
        let retry = "UPDATE pending_operations SET retry_at = '-infinity'";
        self.app.sql(retry).await;
        eventually("pending operations finish", async || {
            !pending::finish(&self.app.pool).await.unwrap().blocked
        })
        .await;
        assert_eq!(self.pending().await, 0);
    }

    /// All that a reader can see of it, except versions.
    async fn seen(&self) -> Value {
        let query = "query($course: ID!, $other: ID!, $task: ID!, $document: ID!, $ids: [ID!]!) {
            course(id: $course) { ...Course }
            other: course(id: $other) { ...Course }
            task(id: $task) { ...Task } document(id: $document) { ...Document }
            nodes(ids: $ids) { id ... on Item { status deletedAt } }
            courses(first: 5, filter: { status: null }, orderBy: { field: NAME }) { totalCount nodes { ...Course } }
            tasks(first: 10, orderBy: { field: TITLE }) { totalCount nodes { ...Task } }
            open: tasks(first: 10, filter: { completed: false, titleContains: \"zebra\" }) { totalCount nodes { id } }
            trashedTasks: tasks(filter: { status: TRASH }, last: 2) { totalCount nodes { ...Task } }
            documents(first: 10, orderBy: { field: TITLE }) { totalCount nodes { ...Document } }
            anyDocuments: documents(first: 10, filter: { status: null }, orderBy: { field: TITLE }) { totalCount nodes { ...Document } }
            trash(first: 20) { totalCount nodes { id status } }
            tags(first: 5, orderBy: { field: NAME }) { totalCount nodes { documentCount openTaskCount
                documents(first: 10, orderBy: { field: TITLE }) { totalCount nodes { ...Document } }
                tasks(first: 10, filter: { status: null }, orderBy: { field: TITLE }) { totalCount nodes { id } } } }
            search(query: \"zebra\", first: 20) { edges { node { ... on Node { id } } } }
        }
        fragment Course on Course { id status deletedAt documentCount openTaskCount
            documents(first: 10, orderBy: { field: TITLE }) { totalCount nodes { ...Document } }
            tasks(first: 10, filter: { status: null }, orderBy: { field: TITLE }) { totalCount nodes { ...Task } } }
        fragment Document on Document { id status deletedAt trashedWith { id } course { id status } tags { name } }
        fragment Task on Task { id status deletedAt trashedWith { id } course { id status } tags { name } }";
        let ids: Vec<&String> = self.documents.iter().chain(&self.tasks).collect();
        let variables = json!({
            "course": self.course, "other": self.other, "task": self.tasks[1], "document": self.documents[1],
            "ids": ids,
        });
        self.ada.data(query, variables).await
    }

    /// What the change feed says last of each item after that cursor.
    async fn changes_after(&self, mut after: Value) -> BTreeMap<String, String> {
        let query = "query($after: String) { changes(after: $after, first: 100) {
            nodes { itemId action } pageInfo { endCursor hasNextPage } } }";
        let mut changes = BTreeMap::new();
        loop {
            let data = self.ada.data(query, json!({ "after": after })).await;
            let page = &data["changes"];
            for change in list(&page["nodes"]) {
                changes.insert(text(&change["itemId"]), text(&change["action"]));
            }
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                return changes;
            }
        }
    }

    /// The course and its contents, without the task that was already in the trash.
    fn with_contents(&self) -> Vec<&String> {
        let contents = self.documents.iter().chain(&self.tasks);
        std::iter::once(&self.course).chain(contents).collect()
    }

    /// What the feed says of the course and its contents if it says the same of all.
    fn all(&self, action: &str) -> BTreeMap<String, String> {
        let ids = self.with_contents().into_iter();
        ids.map(|id| (id.clone(), action.to_owned())).collect()
    }
}

/// The selection of a mutation's payload.
fn selection(mutation: &str) -> &'static str {
    match mutation {
        "trashItems" | "restoreItems" => "items { id status }",
        "deleteItems" | "emptyTrash" | "deleteMe" => "deletedIds",
        _ => "",
    }
}
