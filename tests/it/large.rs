//! Operations on many rows: what a command commits is seen at once, although the rows follow in the background.
//!
//! A test stops the background in the middle: it holds the rows while the command runs, and then sets the operation aside.

mod crash;
mod deleting;
mod leaving;
mod moving;
mod order;
mod sweeping;
mod totals;

use std::collections::BTreeMap;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use serde_json::{Value, json};
use snapnote::pending;

use crate::support::{Client, TestApp, superuser};

/// Two courses of one user, with documents and tasks in each; and a task in none.
struct Notebook {
    app: TestApp,
    ada: Client,
    /// The course that is moved or deleted.
    course: String,
    other: String,
    documents: Vec<String>,
    /// Tasks of the course.
    tasks: Vec<String>,
    /// In the course and in the trash from before.
    trashed: String,
}

const TRASH: &str = "mutation($ids: [ID!]!) { trashItems(input: { ids: $ids }) {
    items { id status } userErrors { code field } } }";
const RESTORE: &str = "mutation($ids: [ID!]!) { restoreItems(input: { ids: $ids }) {
    items { id status } userErrors { code field } } }";
const DELETE: &str = "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { deletedIds userErrors { code field } } }";

/// The only field of a mutation's response.
async fn run(client: &Client, query: &str, variables: Value) -> Value {
    let mut data = client.data(query, variables).await;
    data.as_object_mut()
        .unwrap()
        .values_mut()
        .next()
        .unwrap()
        .take()
}

/// The code of the first user error.
fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("none")
}

async fn create(client: &Client, kind: &str, input: &str) -> String {
    let lower = kind.to_lowercase();
    let query = format!(
        "mutation {{ create{kind}(input: {{ {input} }}) {{ {lower} {{ id }} userErrors {{ code field }} }} }}"
    );
    let payload = run(client, &query, json!({})).await;
    let id = payload[&lower]["id"].as_str();
    id.unwrap_or_else(|| panic!("{payload}")).to_owned()
}

impl Notebook {
    async fn new() -> Notebook {
        let app = TestApp::start().await;
        let ada = app.signed_up("ada").await;
        let course = create(&ada, "Course", "name: \"Zebras\"").await;
        let other = create(&ada, "Course", "name: \"Algebra\"").await;
        let (mut documents, mut tasks) = (Vec::new(), Vec::new());
        for n in 0..4 {
            let course = if n < 3 { &course } else { &other };
            let input = format!(
                "courseId: \"{course}\", title: \"Zebra {n}\", originalText: \"stripes\", formattedNote: \"\""
            );
            documents.push(create(&ada, "Document", &input).await);
            let input = format!("courseId: \"{course}\", title: \"Zebra task {n}\"");
            tasks.push(create(&ada, "Task", &input).await);
        }
        documents.pop();
        tasks.pop();
        create(&ada, "Task", "title: \"Zebra task of no course\"").await;
        let input = format!("courseId: \"{course}\", title: \"Zebra task in the trash\"");
        let trashed = create(&ada, "Task", &input).await;
        run(&ada, TRASH, json!({ "ids": [trashed] })).await;
        Notebook {
            app,
            ada,
            course,
            other,
            documents,
            tasks,
            trashed,
        }
    }

    /// Runs a command so that nothing but what it commits itself has happened when this returns. A step that is under way
    /// has ended once its owner can be locked.
    async fn only_committed(&self, query: &str, variables: Value) -> Value {
        let held = self.hold().await;
        let payload = run(&self.ada, query, variables).await;
        self.app
            .sql(
                "BEGIN; SELECT FROM users ORDER BY id FOR NO KEY UPDATE;
                 UPDATE pending_operations SET retry_at = 'infinity'; COMMIT",
            )
            .await;
        drop(held);
        payload
    }

    /// Locks all documents and tasks.
    async fn hold(&self) -> AsyncPgConnection {
        let mut holder = superuser(&self.app.database).await;
        holder
            .batch_execute("BEGIN; SELECT FROM documents FOR UPDATE; SELECT FROM tasks FOR UPDATE")
            .await
            .unwrap();
        holder
    }

    async fn pending(&self) -> i64 {
        self.app
            .number("SELECT count(*) FROM pending_operations")
            .await
    }

    /// Has the background finish.
    async fn finish(&self) {
        self.app
            .sql("UPDATE pending_operations SET retry_at = '-infinity'")
            .await;
        while pending::finish(&self.app.pool).await.unwrap().blocked {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(self.pending().await, 0);
    }

    /// Everything that a reader can see of it, versions excepted.
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
            search(query: \"zebra\", first: 20) { edges { node { ... on Node { id } } } }
        }
        fragment Course on Course { id status deletedAt documentCount openTaskCount
            documents(first: 10, orderBy: { field: TITLE }) { totalCount nodes { ...Document } }
            tasks(first: 10, filter: { status: null }, orderBy: { field: TITLE }) { totalCount nodes { ...Task } } }
        fragment Document on Document { id status deletedAt trashedWith { id } course { id status } }
        fragment Task on Task { id status deletedAt trashedWith { id } course { id status } }";
        let ids: Vec<&String> = self.documents.iter().chain(&self.tasks).collect();
        let variables = json!({
            "course": self.course, "other": self.other, "task": self.tasks[1], "document": self.documents[1],
            "ids": ids,
        });
        self.ada.data(query, variables).await
    }

    async fn newest(&self) -> Value {
        crate::changes::newest(&self.ada).await
    }

    /// What the change feed says last of each item after that cursor.
    async fn told(&self, mut after: Value) -> BTreeMap<String, String> {
        let query = "query($after: String) { changes(after: $after, first: 100) {
            nodes { itemId action } pageInfo { endCursor hasNextPage } } }";
        let mut told = BTreeMap::new();
        loop {
            let page = run(&self.ada, query, json!({ "after": after })).await;
            for change in page["nodes"].as_array().unwrap() {
                let text = |name: &str| change[name].as_str().unwrap().to_owned();
                told.insert(text("itemId"), text("action"));
            }
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                return told;
            }
        }
    }

    /// The course and what is in it, the task that was in the trash before excepted.
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
