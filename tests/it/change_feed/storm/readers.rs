//! Readers over connections that break: in pages, and as subscribers that reconnect, some of them slow.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    super::checker::{Fault, Key, Receipt},
    client_connection::{ClientConnection, Received, Transport, is_passing},
    environment::Environment,
};
use crate::support::text;

/// A reader and what it received.
pub(super) struct Reader {
    pub(super) name: &'static str,
    /// The user whose feed it reads.
    pub(super) person: usize,
    /// Its planted fault, if it has one.
    pub(super) planted: Option<Fault>,
    pub(super) receipts: Mutex<Vec<Receipt>>,
}

impl Reader {
    pub(super) fn of(name: &'static str, person: usize, planted: Option<Fault>) -> Arc<Reader> {
        Arc::new(Reader {
            name,
            person,
            planted,
            receipts: Mutex::default(),
        })
    }

    pub(super) fn received(&self, key: Key) {
        let at = Utc::now();
        self.receipts.lock().unwrap().push(Receipt { key, at });
    }

    pub(super) fn count(&self) -> usize {
        self.receipts.lock().unwrap().len()
    }

    /// How many different changes it received.
    pub(super) fn different(&self) -> usize {
        let receipts = self.receipts.lock().unwrap();
        let keys: HashSet<Key> = receipts.iter().map(|receipt| receipt.key).collect();
        keys.len()
    }

    /// Whether it received all of these changes.
    pub(super) fn has_received(&self, keys: &HashSet<Key>) -> bool {
        let receipts = self.receipts.lock().unwrap();
        let received: HashSet<Key> = receipts.iter().map(|receipt| receipt.key).collect();
        keys.is_subset(&received)
    }

    /// Whether an open transaction of another writer must not delay what it receives.
    pub(super) fn is_prompt(&self) -> bool {
        self.is_whole() && !self.name.contains("slow")
    }

    /// Whether it must receive every change, once or more often.
    pub(super) fn is_whole(&self) -> bool {
        self.planted.is_none_or(|fault| fault == Fault::Repeated)
    }
}

pub(super) fn is_over(environment: &Environment) -> bool {
    environment.over.load(Ordering::Relaxed)
}

/// The newest cursor of a user.
pub(super) async fn start(environment: &Environment, reader: &Reader) -> String {
    text(&environment.client(reader.person, 0).changes_cursor().await)
}

/// Reads pages of random sizes from one of the processes.
pub(super) async fn pages(
    environment: Arc<Environment>,
    reader: Arc<Reader>,
    process: usize,
    start: String,
) {
    const CHANGES: &str =
        "query($first: Int, $after: String) { changes(first: $first, after: $after) {
        nodes { itemId changedAt item { version } } pageInfo { endCursor hasNextPage } } }";
    let mut random = environment.random();
    let client = environment.client(reader.person, process);
    let mut after = Value::String(start);
    while !is_over(&environment) {
        let variables = json!({ "first": 1 + random.below(100), "after": after });
        let answer = client.post(CHANGES, variables).await;
        let answer: Option<Value> = serde_json::from_str(&answer.body).ok();
        let page = answer.as_ref().map(|answer| &answer["data"]["changes"]);
        let Some(page) = page.filter(|page| !page.is_null()) else {
            if let Some(answer) = &answer {
                let code = &answer["errors"][0]["extensions"]["code"];
                assert!(is_passing(code), "{answer}");
            }
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        environment.statistics.pages.add();
        for node in page["nodes"].as_array().unwrap() {
            let id: Uuid = node["itemId"].as_str().unwrap().parse().unwrap();
            if !node["item"].is_object() {
                environment.statistics.incomplete.add();
            }
            let at = node["changedAt"].as_str().unwrap();
            let at: DateTime<Utc> = at.parse().unwrap();
            reader.received((id, at.timestamp_micros()));
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            sleep(Duration::from_millis(random.below(400))).await;
        }
    }
}

/// Where a subscriber that reconnects resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// After the last change that it received.
    Behind,
    /// One change too early.
    TooEarly,
    /// With changes from now on.
    Anew,
}

/// How a subscriber behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    /// Its process.
    pub(super) process: usize,
    pub(super) transport: Transport,
    /// It sometimes pauses for up to so many milliseconds.
    pub(super) pause: u64,
    pub(super) resume: Resume,
}

/// Runs a subscriber.
pub(super) async fn subscriber(
    environment: Arc<Environment>,
    reader: Arc<Reader>,
    behaviour: Behaviour,
    start: String,
) {
    let mut random = environment.random();
    let client = environment.client(reader.person, behaviour.process);
    let (mut start, slow) = (Some(start), behaviour.pause > 0);
    let (mut last_but_one, mut last) = (None::<String>, None::<String>);
    while !is_over(&environment) {
        let behind = match behaviour.resume {
            Resume::TooEarly => last_but_one.as_deref(),
            Resume::Behind | Resume::Anew => last.as_deref(),
        };
        let (transport, from) = (behaviour.transport, start.as_deref());
        let connection = ClientConnection::open(&client, transport, slow, from, behind);
        let Some(mut connection) = connection.await else {
            sleep(Duration::from_millis(20 + random.below(150))).await;
            continue;
        };
        environment.statistics.subscriptions.add();
        while !is_over(&environment) {
            match connection.next().await {
                Received::Change(key, cursor, is_whole) => {
                    if !is_whole {
                        environment.statistics.incomplete.add();
                    }
                    reader.received(key);
                    last_but_one = last.replace(cursor);
                }
                Received::Nothing => {}
                Received::Ended => break,
            }
            if slow && !environment.written.load(Ordering::Relaxed) && random.below(100) == 0 {
                sleep(Duration::from_millis(random.below(behaviour.pause))).await;
            }
        }
        if behaviour.resume == Resume::Anew {
            (start, last) = (None, None);
        }
    }
}
