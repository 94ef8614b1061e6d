//! How long the gate takes, measured by hand:
//! `cargo test --release graphql::gate::tests::time -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::super::{Gate, Limits};
use super::hostile_documents as hostile;
use super::{SDL, admit, gate};

const UPDATE: &str = "mutation Rename($input: UpdateTaskInput!) {
  updateTask(input: $input) { task { id title } userErrors { message field } }
}";

const LIST: &str = "query Tasks($first: Int, $filter: TaskFilter) {
  tasks(first: $first, filter: $filter) {
    edges { cursor node { id title status course { id name } } } pageInfo { hasNextPage endCursor } totalCount
  }
}";

#[test]
#[ignore = "it measures and asserts nothing"]
fn requests() {
    let update = json!({"input": {"id": "01890000-0000-7000-8000-000000000000", "version": 3, "title": "x"}});
    let list = json!({"first": 20, "filter": {"priority": ["HIGH"]}});
    for (name, query, variables) in [
        ("me", "{ me { id } }", json!({})),
        ("update", UPDATE, update),
        ("list", LIST, list),
        ("introspection", &hostile::introspection(), json!({})),
    ] {
        let warm = gate();
        let cold = Gate::new(
            SDL,
            Limits {
                cached_bytes: 0,
                ..Limits::default()
            },
        );
        let each = |gate: &Gate| median(|| drop(black_box(admit(gate, query, &variables))));
        println!(
            "{name:20} warm {:9.2?}  cold {:9.2?}",
            each(&warm),
            each(&cold)
        );
    }
}

#[test]
#[ignore = "it measures and asserts nothing"]
fn attacks() {
    let gate = Gate::new(
        SDL,
        Limits {
            cached_bytes: 0,
            ..Limits::default()
        },
    );
    for (name, query, _) in hostile::documents() {
        let answer = match admit(&gate, &query, &Json::Object(Default::default())) {
            Ok(admitted) => format!("costs {}", admitted.cost),
            Err(rejection) => super::told(rejection).1,
        };
        let none = json!({});
        let time = median(|| drop(black_box(admit(&gate, &query, &none))));
        println!("{name:34} {:7} bytes {time:9.2?}  {answer}", query.len());
    }
}

fn median(run: impl Fn()) -> Duration {
    let rounds = 31;
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let repeats = 20;
            let start = Instant::now();
            (0..repeats).for_each(|_| run());
            start.elapsed() / repeats
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
