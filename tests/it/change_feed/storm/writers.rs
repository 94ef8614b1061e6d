//! Writers: SQL transactions that overlap, are held open, rolled back and killed; API clients of both processes, over
//! connections that break. And the faults that happen meanwhile.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    client_connection::is_passing,
    environment::{Environment, Random, User},
    readers::Reader,
};
use crate::support::Client;

/// Whether to continue. Waits while writers pause.
async fn goes_on(environment: &Environment) -> bool {
    while environment.calm.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(20)).await;
    }
    !environment.written.load(Ordering::Relaxed)
}

/// A change of an item, if it is possible.
fn statement(user_of: &User, random: &mut Random) -> String {
    let (user, id) = (user_of.id, random.one_of(&user_of.items));
    let this = format!("WHERE user_id = '{user}' AND id = '{id}'");
    match random.below(20) {
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
            random.below(1_000_000)
        ),
    }
}

const KILL: &str = "SELECT pg_terminate_backend(pg_backend_pid())";

/// Writes by SQL transactions. `longest`: for how long it holds one open at most, in milliseconds.
pub(super) async fn transactions(environment: Arc<Environment>, longest: u64) {
    let mut random = environment.random();
    let mut conn = environment.conn().await;
    while goes_on(&environment).await {
        let user_of = random.one_of(&environment.people);
        let statements: Vec<String> = (0..=random.below(3))
            .map(|_| statement(user_of, &mut random))
            .collect();
        let (end, hold) = (random.below(20), random.below(longest));
        let worked = async {
            conn.batch_execute("BEGIN").await?;
            for statement in &statements {
                if end % 5 == 0 {
                    // A savepoint that is rolled back is not logged, and one that is kept has the transaction's number.
                    let undone = format!("SAVEPOINT s; {statement} ROLLBACK TO s; SAVEPOINT t;");
                    conn.batch_execute(&undone).await?;
                }
                conn.batch_execute(statement).await?;
            }
            sleep(Duration::from_millis(hold)).await;
            match end {
                0..=3 => conn.batch_execute("ROLLBACK").await,
                4 => conn.batch_execute(KILL).await,
                _ => conn.batch_execute("COMMIT").await,
            }
        };
        let worked = worked.await;
        match (&worked, end) {
            (Ok(()), 0..=3) => environment.statistics.rolled_back.add(),
            (Ok(()), _) => environment.statistics.committed.add(),
            (Err(_), 4) => environment.statistics.killed.add(),
            (Err(_), _) => environment.statistics.failed.add(),
        }
        // A lock timeout, a crash, or a killed connection.
        if worked.is_err() {
            conn = environment.conn().await;
        }
    }
}

const CREATE: &str =
    "mutation($id: ID!, $name: String!) { saved: createCourse(input: { id: $id, name: $name }) {
    course { version } userErrors { code } } }";
const UPDATE: &str =
    "mutation($id: ID!, $name: String!) { saved: updateCourse(input: { id: $id, name: $name }) {
    course { version } userErrors { code } } }";

/// Writes by the API of one of the processes. Creations without a response are repeated.
pub(super) async fn callers(environment: Arc<Environment>, index: usize) {
    let mut random = environment.random();
    let (process, person) = (index % 2, (index / 2) % 2);
    let client = environment.client(person, process);
    let user_of = &environment.people[person];
    let (mut own, mut new) = (Vec::new(), user_of.new_item());
    while goes_on(&environment).await {
        let creates = own.len() < 5;
        let (mutation, id) = if creates {
            (CREATE, new)
        } else {
            (UPDATE, *random.one_of(&own))
        };
        let name = random.below(1 << 40).to_string();
        if let Some(version) = save(&environment, &client, mutation, id, &name).await {
            user_of.acknowledged.lock().unwrap().push((id, version));
            if creates {
                own.push(id);
                new = user_of.new_item();
            }
        }
        sleep(Duration::from_millis(20 + random.below(100))).await;
    }
}

/// The saved version; `None` without a response.
async fn save(
    environment: &Environment,
    client: &Client,
    mutation: &str,
    id: Uuid,
    name: &str,
) -> Option<i32> {
    environment.statistics.calls.add();
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
    environment.statistics.answers.add();
    Some(saved["course"]["version"].as_i64().unwrap() as i32)
}

/// One more change by each user at each process, after which subscribers receive what SQL transactions changed.
pub(super) async fn last_words(environment: &Environment) {
    for (process, person) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let client = environment.client(person, process);
        let id = Uuid::now_v7();
        while save(environment, &client, CREATE, id, "last")
            .await
            .is_none()
        {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Holds one transaction open before any faults, until these readers have received what others committed meanwhile.
pub(super) async fn holder(environment: &Environment, readers: &[Arc<Reader>]) {
    let mut conn = environment.conn().await;
    let user_of = &environment.people[0];
    conn.batch_execute("BEGIN").await.unwrap();
    let insert = super::super::insert(&user_of.id.to_string(), Uuid::now_v7());
    conn.batch_execute(&insert).await.unwrap();
    environment.hold(readers).await;
    conn.batch_execute("COMMIT").await.unwrap();
}

/// Faults of processes, until the end: the service is killed, loses the database, and the database crashes.
pub(super) async fn misfortune(environment: Arc<Environment>, until: Instant) {
    let [one, other] = &environment.processes;
    for round in 0.. {
        if Instant::now() + Duration::from_secs(9) > until {
            return;
        }
        sleep(Duration::from_millis(2500)).await;
        match round % 6 {
            0 => one.kill(&environment.statistics).await,
            1 => {
                one.back.cut(2);
                other.back.cut(2);
            }
            3 => other.kill(&environment.statistics).await,
            4 => environment.terminate().await,
            _ => environment.crash().await,
        }
    }
}

/// Faults of connections, until all is written: some of the clients', and a few to the database, are closed.
pub(super) async fn cuts(environment: Arc<Environment>) {
    let mut random = environment.random();
    while !environment.written.load(Ordering::Relaxed) {
        let process = random.one_of(&environment.processes);
        process.front.cut(4);
        if random.below(3) == 0 {
            process.back.cut(6);
        }
        sleep(Duration::from_millis(200 + random.below(1500))).await;
    }
}
