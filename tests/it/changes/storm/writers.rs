//! Those who write in the storm: in transactions of their own that overlap, are held open, rolled back and killed; and by
//! the API, at either process, over lines that break. And what goes wrong meanwhile.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::Utc;
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    line::is_passing,
    stage::{Dice, Someone, Stage},
};
use crate::support::Client;

/// Whether it goes on; rests while all rest.
async fn goes_on(stage: &Stage) -> bool {
    while stage.calm.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(20)).await;
    }
    !stage.written.load(Ordering::Relaxed)
}

/// Something that is done to an item, if it can be.
fn deed(someone: &Someone, dice: &mut Dice) -> String {
    let (user, id) = (someone.id, dice.one_of(&someone.items));
    let this = format!("WHERE user_id = '{user}' AND id = '{id}'");
    match dice.below(20) {
        0..=3 => format!(
            "INSERT INTO courses (user_id, id, name) VALUES ('{user}', '{}', 'c');",
            Uuid::now_v7()
        ),
        4..=6 => format!(
            "INSERT INTO courses (user_id, id, name) SELECT '{user}', '{id}', 'c' WHERE NOT EXISTS
                 (SELECT FROM audit_logs WHERE user_id = '{user}' AND entity_id = '{id}');"
        ),
        7 => format!(
            "UPDATE courses SET status = 'trash', deleted_at = now() {this} AND status = 'active';"
        ),
        8 => format!(
            "UPDATE courses SET status = 'active', deleted_at = NULL {this} AND status = 'trash';"
        ),
        _ => format!(
            "UPDATE courses SET name = 'n{}' {this};",
            dice.below(1_000_000)
        ),
    }
}

/// Transactions of its own, past the service. `longest`: for how long it holds one open at most, in milliseconds.
pub(super) async fn transactions(stage: Arc<Stage>, longest: u64) {
    let mut dice = stage.dice();
    let mut conn = stage.conn().await;
    while goes_on(&stage).await {
        let someone = dice.one_of(&stage.people);
        let deeds: Vec<String> = (0..=dice.below(3))
            .map(|_| deed(someone, &mut dice))
            .collect();
        let (end, hold) = (dice.below(20), dice.below(longest));
        let worked = async {
            conn.batch_execute("BEGIN").await?;
            for deed in &deeds {
                if end % 5 == 0 {
                    // What is undone within a transaction is not logged, and what is kept has the transaction's number.
                    let undone = format!("SAVEPOINT s; {deed} ROLLBACK TO s; SAVEPOINT t;");
                    conn.batch_execute(&undone).await?;
                }
                conn.batch_execute(deed).await?;
            }
            sleep(Duration::from_millis(hold)).await;
            match end {
                0..=3 => conn.batch_execute("ROLLBACK").await,
                4 => {
                    conn.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")
                        .await
                }
                _ => conn.batch_execute("COMMIT").await,
            }
        };
        let worked = worked.await;
        match (&worked, end) {
            (Ok(()), 0..=3) => stage.tally.rolled_back.add(),
            (Ok(()), _) => stage.tally.committed.add(),
            (Err(_), 4) => stage.tally.killed.add(),
            (Err(_), _) => stage.tally.failed.add(),
        }
        // A lock that came too late, a crash, or its own death.
        if worked.is_err() {
            conn = stage.conn().await;
        }
    }
}

const CREATE: &str =
    "mutation($id: ID!, $name: String!) { saved: createCourse(input: { id: $id, name: $name }) {
    course { version } userErrors { code } } }";
const UPDATE: &str =
    "mutation($id: ID!, $name: String!) { saved: updateCourse(input: { id: $id, name: $name }) {
    course { version } userErrors { code } } }";

/// Callers of the API at one of the processes. What was not answered they send again if it is a creation.
pub(super) async fn callers(stage: Arc<Stage>, index: usize) {
    let mut dice = stage.dice();
    let (process, person) = (index % 2, (index / 2) % 2);
    let client = stage.client(person, process);
    let someone = &stage.people[person];
    let (mut own, mut new) = (Vec::new(), someone.new_item());
    while goes_on(&stage).await {
        let creates = own.len() < 5;
        let (mutation, id) = if creates {
            (CREATE, new)
        } else {
            (UPDATE, *dice.one_of(&own))
        };
        let name = dice.below(1 << 40).to_string();
        if let Some(version) = save(&stage, &client, mutation, id, &name).await {
            someone.acknowledged.lock().unwrap().push((id, version));
            if creates {
                own.push(id);
                new = someone.new_item();
            }
        }
        sleep(Duration::from_millis(20 + dice.below(100))).await;
    }
}

/// The version that was saved; `None` if that was not said.
async fn save(stage: &Stage, client: &Client, mutation: &str, id: Uuid, name: &str) -> Option<i32> {
    stage.tally.calls.add();
    let variables = json!({ "id": id, "name": name });
    let answer = client.post(mutation, variables).await;
    let answer: Value = serde_json::from_str(&answer.body).ok()?;
    let saved = &answer["data"]["saved"];
    if saved.is_null() {
        let code = &answer["errors"][0]["extensions"]["code"];
        assert!(is_passing(code), "{answer}");
        return None;
    }
    assert_eq!(saved["userErrors"], json!([]), "{answer}");
    stage.tally.answers.add();
    Some(saved["course"]["version"].as_i64().unwrap() as i32)
}

/// One change more of everybody's at each process, behind which subscribers hear of all that was written past the service.
pub(super) async fn last_words(stage: &Stage) {
    for (process, person) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let client = stage.client(person, process);
        let id = Uuid::now_v7();
        while save(stage, &client, CREATE, id, "last").await.is_none() {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Holds one transaction open while nothing else is wrong.
pub(super) async fn holder(stage: Arc<Stage>, time: Duration) {
    let mut conn = stage.conn().await;
    let someone = &stage.people[0];
    conn.batch_execute("BEGIN").await.unwrap();
    let insert = super::super::insert(&someone.id.to_string(), Uuid::now_v7());
    conn.batch_execute(&insert).await.unwrap();
    sleep(time).await;
    *stage.held_until.lock().unwrap() = Some(Utc::now());
    conn.batch_execute("COMMIT").await.unwrap();
}

/// What goes wrong with processes, until the end: the service is killed, loses the database, and the database crashes.
pub(super) async fn misfortune(stage: Arc<Stage>, until: Instant) {
    let [one, other] = &stage.processes;
    for round in 0.. {
        if Instant::now() + Duration::from_secs(9) > until {
            return;
        }
        sleep(Duration::from_millis(2500)).await;
        match round % 6 {
            0 => one.kill(&stage.tally).await,
            1 => {
                one.back.cut(2);
                other.back.cut(2);
            }
            3 => other.kill(&stage.tally).await,
            4 => stage.terminate().await,
            _ => stage.crash().await,
        }
    }
}

/// What goes wrong with lines, until all is written: some of the clients' are cut, and a few of the service's to the
/// database.
pub(super) async fn cuts(stage: Arc<Stage>) {
    let mut dice = stage.dice();
    while !stage.written.load(Ordering::Relaxed) {
        let process = dice.one_of(&stage.processes);
        process.front.cut(4);
        if dice.below(3) == 0 {
            process.back.cut(6);
        }
        sleep(Duration::from_millis(200 + dice.below(1500))).await;
    }
}
