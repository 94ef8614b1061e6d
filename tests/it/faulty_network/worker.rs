//! The load: a client that changes its own items and reads them, and checks each response.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::item::Item;
use crate::support::{Answer, Client, Numbers, ids, list, mutation};

/// A user's client. No other client changes its items.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) name: String,
    /// The course of its documents, which is never in the trash.
    pub(super) course: String,
    pub(super) items: Vec<Item>,
    /// The tasks of a batch whose creation had no response.
    pub(super) batch: Vec<Item>,
    pub(super) numbers: Numbers,
    pub(super) titles: u64,
    /// The maximum time of a request.
    pub(super) patience: Duration,
    pub(super) counts: Arc<Counts>,
}

/// Responses of one worker.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    /// In milliseconds.
    pub(super) longest: AtomicU64,
}

/// What a client knows after a request.
enum Reply {
    /// It was executed.
    Done(Value),
    /// It failed for a passing reason. A change may have been committed.
    Unknown,
}

/// The response must be a success, or an outage that is reported as one.
fn read(answer: &Answer) -> Reply {
    assert_ne!(answer.status, 0, "every request has a response: {answer:?}");
    let mut json = answer.json();
    let Some(errors) = json.get("errors") else {
        assert_eq!(answer.status, 200, "{answer:?}");
        return Reply::Done(json["data"].take());
    };
    for error in list(errors) {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        match code {
            "UNAVAILABLE" => assert!(
                error["extensions"]["retryAfterMs"].is_number(),
                "{answer:?}"
            ),
            _ => assert_eq!(code, "TIMEOUT", "{answer:?}"),
        }
    }
    match answer.status {
        503 => assert!(answer.header("retry-after").is_some(), "{answer:?}"),
        status => assert!([200, 504].contains(&status), "{answer:?}"),
    }
    Reply::Unknown
}

/// The code of the only user error.
fn refusal(payload: &Value) -> Option<&str> {
    list(&payload["userErrors"]).first()?["code"].as_str()
}

impl Worker {
    /// Sends one operation, chosen at random.
    pub(super) async fn step(&mut self) {
        match self.numbers.below(12) {
            _ if self.items.len() < 3 => self.create().await,
            0 => self.create().await,
            1 => self.create_batch().await,
            2 | 3 => self.update_batch().await,
            4..=6 => self.read().await,
            7 | 8 => self.trash_and_restore().await,
            _ => self.update().await,
        }
    }

    async fn post(&self, query: &str, variables: Value) -> Reply {
        let begun = Instant::now();
        let answer = self.client.post(query, variables).await;
        let elapsed = begun.elapsed();
        assert!(
            elapsed < self.patience,
            "a request took {elapsed:?}: {answer:?}"
        );
        let millis = u64::try_from(elapsed.as_millis()).unwrap();
        self.counts.longest.fetch_max(millis, Ordering::Relaxed);
        let reply = read(&answer);
        let count = match &reply {
            Reply::Done(_) => &self.counts.succeeded,
            Reply::Unknown => &self.counts.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        reply
    }

    /// The payload of a mutation; null without a response that tells what happened.
    async fn mutate(&self, name: &str, input: Value, selection: &str) -> Value {
        let query = mutation(name, selection);
        match self.post(&query, json!({ "input": input })).await {
            Reply::Done(mut data) => data[name].take(),
            Reply::Unknown => Value::Null,
        }
    }

    fn fresh_title(&mut self) -> String {
        self.titles += 1;
        format!("{} {}", self.name, self.titles)
    }

    fn values(&self, kind: &str, title: &str) -> Value {
        match kind {
            "Course" => json!({ "name": title }),
            // Longer than a piece of the proxy.
            "Document" => json!({ "title": title, "originalText": title.repeat(1000) }),
            _ => json!({ "title": title }),
        }
    }

    fn creation(&self, item: &Item) -> Value {
        let mut input = self.values(item.kind, item.title());
        input["id"] = json!(item.id);
        if item.kind == "Document" {
            input["courseId"] = json!(self.course);
            input["formattedNote"] = json!("");
        }
        input
    }

    /// Creates an item, or repeats a creation that had no response.
    async fn create(&mut self) {
        let index = match self.items.iter().position(|item| !item.exists) {
            Some(index) => index,
            None => {
                let kind = self.numbers.one_of(&["Course", "Document", "Task"]);
                let title = self.fresh_title();
                self.items.push(Item::new(kind, &title));
                self.items.len() - 1
            }
        };
        let (kind, input) = (self.items[index].kind, self.creation(&self.items[index]));
        let field = kind.to_lowercase();
        let selection = format!("{field} {{ id version }}");
        let payload = self
            .mutate(&format!("create{kind}"), input, &selection)
            .await;
        if payload.is_null() {
            return;
        }
        assert_eq!(refusal(&payload), None, "{payload}");
        let item = &mut self.items[index];
        assert_eq!(payload[&field]["id"], item.id);
        item.created(payload[&field]["version"].as_i64().unwrap());
    }

    /// Creates tasks in a batch, or repeats one that had no response.
    async fn create_batch(&mut self) {
        if self.batch.is_empty() {
            for _ in 0..3 {
                let title = self.fresh_title();
                self.batch.push(Item::new("Task", &title));
            }
        }
        let tasks: Vec<Value> = self.batch.iter().map(|it| self.creation(it)).collect();
        let selection = "results { task { id version } userErrors { code } }";
        let payload = self.mutate("createTasks", json!({ "tasks": tasks }), selection);
        let payload = payload.await;
        if payload.is_null() {
            return;
        }
        assert_eq!(refusal(&payload), None, "{payload}");
        for (mut item, result) in self.batch.drain(..).zip(list(&payload["results"])) {
            item.created(result["task"]["version"].as_i64().unwrap());
            self.items.push(item);
        }
    }

    /// The number of an item that exists.
    fn any(&mut self) -> usize {
        let existing = (0..self.items.len()).filter(|index| self.items[*index].exists);
        let existing: Vec<usize> = existing.collect();
        match existing.is_empty() {
            true => usize::MAX,
            false => self.numbers.one_of(&existing),
        }
    }

    /// Changes an item, by its version if that is known.
    async fn update(&mut self) {
        let (index, title) = (self.any(), self.fresh_title());
        let Some(item) = self.items.get(index) else {
            return;
        };
        let (kind, is_certain) = (item.kind, item.is_certain());
        let mut input = self.values(kind, &title);
        input["id"] = json!(item.id);
        if is_certain || self.titles.is_multiple_of(2) {
            input["version"] = json!(item.version);
        }
        let field = kind.to_lowercase();
        let selection = format!("{field} {{ version }}");
        let payload = self
            .mutate(&format!("update{kind}"), input, &selection)
            .await;
        let item = &mut self.items[index];
        if payload.is_null() {
            item.may_have_changed(Some(&title));
            return;
        }
        match refusal(&payload) {
            None => {
                let version = payload[&field]["version"].as_i64().unwrap();
                item.updated(version, &title);
            }
            Some("CONFLICT") if !is_certain => {}
            // An earlier request has put it into the trash.
            Some("IN_TRASH") if !is_certain => self.move_item(index, false).await,
            Some(_) => panic!("{payload}: {item:?}"),
        }
    }

    /// Changes up to three tasks whose versions are known.
    async fn update_batch(&mut self) {
        let tasks = (0..self.items.len()).filter(|index| {
            let item = &self.items[*index];
            item.kind == "Task" && item.is_certain()
        });
        let tasks: Vec<usize> = tasks.take(3).collect();
        if tasks.is_empty() {
            return;
        }
        let titles: Vec<String> = tasks.iter().map(|_| self.fresh_title()).collect();
        let changes = tasks.iter().zip(&titles).map(|(index, title)| {
            let item = &self.items[*index];
            json!({ "id": item.id, "version": item.version, "title": title })
        });
        let policy = ["ALL_OR_NOTHING", "EACH"][self.titles as usize % 2];
        let input = json!({ "tasks": changes.collect::<Vec<_>>(), "policy": policy });
        let selection = "results { task { version } userErrors { code } }";
        let payload = self.mutate("updateTasks", input, selection).await;
        for (number, (index, title)) in tasks.iter().zip(&titles).enumerate() {
            let item = &mut self.items[*index];
            match payload["results"][number]["task"]["version"].as_i64() {
                Some(version) => item.updated(version, title),
                None if payload.is_null() => item.may_have_changed(Some(title)),
                None => panic!("{payload}: {item:?}"),
            }
        }
    }

    /// Moves an item to the trash and back.
    async fn trash_and_restore(&mut self) {
        let index = self.any();
        if self.items.get(index).is_some_and(Item::is_certain) {
            self.move_item(index, true).await;
            self.move_item(index, false).await;
        }
    }

    async fn move_item(&mut self, index: usize, to_trash: bool) {
        let name = if to_trash {
            "trashItems"
        } else {
            "restoreItems"
        };
        let id = [&self.items[index].id];
        let payload = self.mutate(name, ids(&id), "items { version }").await;
        let item = &mut self.items[index];
        if payload.is_null() {
            item.may_have_changed(None);
            return;
        }
        assert_eq!(refusal(&payload), None, "{payload}: {item:?}");
        let version = payload["items"][0]["version"].as_i64().unwrap();
        item.moved(version, to_trash);
    }

    /// Reads all items, and a list.
    async fn read(&mut self) {
        let known: Vec<&str> = self.items.iter().map(|item| item.id.as_str()).collect();
        let known = &known[known.len().saturating_sub(100)..];
        let query =
            "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Course { version title: name }
            ... on Document { version title } ... on Task { version title } }
            tasks(first: 5) { totalCount nodes { title course { name } } } }";
        let Reply::Done(data) = self.post(query, json!({ "ids": known })).await else {
            return;
        };
        let first = self.items.len() - known.len();
        for (item, node) in self.items[first..].iter_mut().zip(list(&data["nodes"])) {
            match node["version"].as_i64() {
                Some(version) if item.exists => {
                    item.was_read(version, node["title"].as_str().unwrap());
                }
                Some(version) => item.created(version),
                None => assert!(!item.exists, "an acknowledged item is lost: {item:?}"),
            }
        }
    }
}
