//! Those who write in the storm: in transactions of their own that overlap, are held open, rolled back and killed; and by
//! the API, at either process.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::Utc;
use diesel_async::SimpleAsyncConnection;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::stage::{Dice, Someone, Stage};

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
        // A lock that came too late, a crash, or its own death.
        if worked.await.is_err() {
            conn = stage.conn().await;
        }
    }
}

/// Callers of the API at one of the processes.
pub(super) async fn callers(stage: Arc<Stage>, index: usize) {
    const CREATE: &str = "mutation($id: ID!) { createCourse(input: { id: $id, name: \"c\" }) { userErrors { code } } }";
    const UPDATE: &str = "mutation($id: ID!, $name: String!) { updateCourse(input: { id: $id, name: $name }) { userErrors { code } } }";
    let mut dice = stage.dice();
    let app = &stage.apps[index % 2];
    let someone = &stage.people[(index / 2) % 2];
    let client = someone.person.at(app);
    let mut own = Vec::new();
    while goes_on(&stage).await {
        if own.len() < 5 {
            let id = Uuid::now_v7();
            someone.prompt.lock().unwrap().push(id);
            client.graphql(CREATE, json!({ "id": id })).await;
            own.push(id);
        } else {
            let variables =
                json!({ "id": dice.one_of(&own), "name": dice.below(1 << 40).to_string() });
            client.graphql(UPDATE, variables).await;
        }
        sleep(Duration::from_millis(20 + dice.below(100))).await;
    }
}

/// Holds one transaction open while nothing else is wrong.
pub(super) async fn holder(stage: Arc<Stage>, time: Duration) {
    let mut conn = stage.conn().await;
    let someone = &stage.people[0];
    conn.batch_execute("BEGIN").await.unwrap();
    let insert = super::super::insert(&someone.person.id, Uuid::now_v7());
    conn.batch_execute(&insert).await.unwrap();
    sleep(time).await;
    *stage.held_until.lock().unwrap() = Some(Utc::now());
    conn.batch_execute("COMMIT").await.unwrap();
}

/// What goes wrong from outside, until the end: connections are cut, and the server crashes.
pub(super) async fn misfortune(stage: Arc<Stage>, until: Instant) {
    let mut round = 0;
    while Instant::now() + Duration::from_secs(6) < until {
        sleep(Duration::from_secs(4)).await;
        round += 1;
        if round % 3 == 0 {
            stage.crash().await;
        } else {
            stage.cut().await;
        }
    }
}
