//! Measures how long the gate takes per request: `cargo bench -p graphql-gate`.
//!
//! It prints the median time for usual requests, with a warm and a cold cache, and for hostile documents.

use std::hint::black_box;
use std::time::{Duration, Instant};

use graphql_gate::{CostRules, Gate, Limits};
use serde_json::{Value as Json, json};

#[path = "../src/tests/hostile_documents.rs"]
mod hostile_documents;

const SDL: &str = include_str!("../src/tests/schema.graphql");

const UPDATE: &str = "mutation Rename($input: UpdateTaskInput!) {
  updateTask(input: $input) { task { id title } userErrors { message field } }
}";

const LIST: &str = "query Tasks($first: Int, $filter: TaskFilter) {
  tasks(first: $first, filter: $filter) {
    edges { cursor node { id title status course { id name } } } pageInfo { hasNextPage endCursor } totalCount
  }
}";

fn main() {
    let warm = gate(Limits::default());
    let cold = gate(Limits {
        cached_bytes: 0,
        ..Limits::default()
    });
    usual_requests(&warm, &cold);
    hostile_requests(&cold);
}

fn gate(limits: Limits) -> Gate {
    let rules = CostRules {
        free_types: &["PageInfo", "UserError", "Highlight", "TextRange"],
        default_page_size: 50,
        max_page_size: 100,
        filter_points: &[],
    };
    Gate::new(SDL, limits, rules)
}

fn usual_requests(warm: &Gate, cold: &Gate) {
    let update = json!({"input": {"id": "01890000-0000-7000-8000-000000000000", "version": 3, "title": "x"}});
    let list = json!({"first": 20, "filter": {"priority": ["HIGH"]}});
    for (name, query, variables) in [
        ("me", "{ me { id } }", json!({})),
        ("update", UPDATE, update),
        ("list", LIST, list),
        (
            "introspection",
            &hostile_documents::introspection(),
            json!({}),
        ),
    ] {
        let [warm, cold] = [warm, cold].map(|gate| median(|| admit(gate, query, &variables)));
        println!("{name:34} warm {warm:9.2?}  cold {cold:9.2?}");
    }
}

fn hostile_requests(gate: &Gate) {
    let none = json!({});
    for (name, query, expected) in hostile_documents::documents() {
        let time = median(|| admit(gate, &query, &none));
        let bytes = query.len();
        println!("{name:34} {bytes:7} bytes {time:9.2?}  {expected}");
    }
}

fn admit(gate: &Gate, query: &str, variables: &Json) {
    let variables = variables.as_object().expect("variables are an object");
    drop(black_box(gate.admit(query, None, variables.clone())));
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
