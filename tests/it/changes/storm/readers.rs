//! Those who read in the storm: in pages, and as subscribers that are slow, or cut off and come again.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde_json::{Value, json};
use snapnote::changes::{Cursor, parse_cursor};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{
    super::{
        checker::{Fault, Key, Receipt},
        live::subscribe,
        newest,
    },
    stage::Stage,
};

/// A reader, and what it was given.
pub(super) struct Reader {
    pub(super) name: &'static str,
    /// Whose feed it reads.
    pub(super) person: usize,
    /// What is wrong with it, if that is on purpose.
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
}

pub(super) fn is_over(stage: &Stage) -> bool {
    stage.over.load(Ordering::Relaxed)
}

/// The newest cursor of a reader's person.
pub(super) async fn start(stage: &Stage, reader: &Reader) -> Cursor {
    let client = &stage.people[reader.person].person.client;
    parse_cursor(newest(client).await.as_str().unwrap()).unwrap()
}

/// In pages of any size, by the API of one of the processes.
pub(super) async fn pages(stage: Arc<Stage>, reader: Arc<Reader>, app: usize, cursor: Cursor) {
    const CHANGES: &str =
        "query($first: Int, $after: String) { changes(first: $first, after: $after) {
        nodes { itemId changedAt } pageInfo { endCursor hasNextPage } } }";
    let mut dice = stage.dice();
    let client = stage.people[reader.person].person.at(&stage.apps[app]);
    let mut after = Value::String(cursor.encode());
    while !is_over(&stage) {
        let variables = json!({ "first": 1 + dice.below(100), "after": after });
        let answer = client.graphql(CHANGES, variables).await;
        let page = &answer["data"]["changes"];
        if page.is_null() {
            let code = &answer["errors"][0]["extensions"]["code"];
            assert!(
                code != "CURSOR_EXPIRED" && code != "BAD_USER_INPUT",
                "{answer}"
            );
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        for node in page["nodes"].as_array().unwrap() {
            let id: Uuid = node["itemId"].as_str().unwrap().parse().unwrap();
            let at = node["changedAt"].as_str().unwrap();
            let at: DateTime<Utc> = at.parse().unwrap();
            reader.received((id, at.timestamp_micros()));
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            sleep(Duration::from_millis(dice.below(400))).await;
        }
    }
}

/// What kind of subscriber.
#[derive(Clone, Copy, Default)]
pub(super) struct Habits {
    /// At which process.
    pub(super) app: usize,
    /// It rests now and then for up to so many milliseconds.
    pub(super) rests: u64,
    /// It is cut off after so many changes at most, and goes on behind the last that it was given.
    pub(super) cut_after: Option<u64>,
    /// It goes on one change too early.
    pub(super) repeats: bool,
}

/// A subscriber.
pub(super) async fn subscriber(
    stage: Arc<Stage>,
    reader: Arc<Reader>,
    habits: Habits,
    mut cursor: Cursor,
) {
    let mut dice = stage.dice();
    let person = &stage.people[reader.person].person.id;
    while !is_over(&stage) {
        let mut changes = subscribe(&stage.apps[habits.app], person, Some(cursor.clone()));
        let mut left = habits
            .cut_after
            .map_or(u64::MAX, |most| 1 + dice.below(most));
        while left > 0 && !is_over(&stage) {
            let Ok(next) = timeout(Duration::from_millis(500), changes.next()).await else {
                continue;
            };
            let change = next
                .unwrap()
                .unwrap_or_else(|error| panic!("{}", error.log_text()));
            reader.received((change.item.id, change.changed_at.timestamp_micros()));
            let before =
                std::mem::replace(&mut cursor, parse_cursor(&change.cursor.encode()).unwrap());
            left -= 1;
            if left == 0 && habits.repeats {
                cursor = before;
            }
            if habits.rests > 0 && dice.below(100) == 0 {
                sleep(Duration::from_millis(dice.below(habits.rests))).await;
            }
        }
    }
}
