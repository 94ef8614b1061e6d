//! Faults of the network between the service and its database, while clients of several users work: cut and half-closed connections,
//! black holes, latency, and one byte per second.
//!
//! Every acknowledged change must be there once, and a change without an acknowledgement at most once. Every request gets a response
//! within the deadline of requests and 5 s, which is a success, UNAVAILABLE with a time to retry, or TIMEOUT. After the fault, all
//! clients succeed again.
//!
//! Each test has one fault that takes 3 s. `SNAPNOTE_TESTS_FAULT_SECONDS=120` repeats all faults for this time, with the default
//! timeouts of operators. A failed test prints the seed of its random numbers; `SNAPNOTE_TESTS_FAULT_SEED` repeats them.

mod item;
mod proxy;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use snapnote::{
    app::AppSettings,
    db::{
        connect::{SessionSettings, Target},
        pooler,
    },
    graphql::plan,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use self::{
    item::Item,
    proxy::{Fault, Proxy},
    worker::{Counts, Worker},
};
use crate::support::{
    CONNECTIONS, Client, Numbers, Person, TestApp, column, eventually, execute, migrated_database,
    service_socket_of, superuser,
};

const USERS: [&str; 3] = ["ada", "bob", "eve"];
const WORKERS_PER_USER: usize = 3;
/// How many requests of each worker must succeed after a fault.
const RECOVERED: u64 = 3;
/// What a request may take beyond its deadline.
const BEYOND: Duration = Duration::from_secs(5);

/// How long a test of many rounds takes.
fn length() -> Option<Duration> {
    let seconds = std::env::var("SNAPNOTE_TESTS_FAULT_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

fn seed() -> u64 {
    let given = std::env::var("SNAPNOTE_TESTS_FAULT_SEED");
    given.map_or_else(
        |_| u64::from(getrandom::u32().unwrap()),
        |it| it.parse().unwrap(),
    )
}

/// Time limits of the service: operators' defaults, or shorter ones for a short test.
#[derive(Clone, Copy)]
struct Times {
    request: Duration,
    pool_wait: Duration,
    connect: Duration,
    fault: Duration,
}

const SHORT: Times = Times {
    request: Duration::from_secs(3),
    pool_wait: Duration::from_secs(2),
    connect: Duration::from_secs(3),
    fault: Duration::from_secs(3),
};

const DEFAULT: Times = Times {
    request: Duration::from_secs(10),
    pool_wait: Duration::from_secs(5),
    connect: Duration::from_secs(10),
    fault: Duration::from_secs(15),
};

/// A process of the service behind a proxy.
struct Stage {
    app: TestApp,
    proxy: Proxy,
    times: Times,
}

impl Stage {
    async fn start(database: &str, times: Times, seed: u64) -> Stage {
        let proxy = Proxy::start(service_socket_of(database).await, seed).await;
        let url = format!(
            "postgres://snapnote@{}/{database}?sslmode=disable",
            proxy.address
        );
        let settings = SessionSettings {
            connect_timeout: times.connect,
            ..SessionSettings::default()
        };
        let target = Target::parse(&url).unwrap().with(settings);
        pooler::check(&target).await.unwrap();
        let change = |settings: &mut AppSettings| {
            settings.edge.request_timeout = times.request;
            settings.pool.wait = times.pool_wait;
            // Verification would compare reads before and after a change.
            settings.query_plans = plan::Mode::On;
        };
        let app = TestApp::at(target, database.to_owned(), change).await;
        Stage { app, proxy, times }
    }

    /// Lets the workers work during these faults, and after each of them until all have recovered.
    async fn run(&self, workers: Vec<Worker>, faults: &[Fault]) -> Vec<Worker> {
        let (stop, stopped) = watch::channel(false);
        let counts: Vec<Arc<Counts>> = workers.iter().map(|it| it.counts.clone()).collect();
        let mut tasks = JoinSet::new();
        for mut worker in workers {
            let stopped = stopped.clone();
            worker.client = worker.client.at(&self.app);
            worker.patience = self.times.request + BEYOND;
            tasks.spawn(async move {
                while !*stopped.borrow() {
                    worker.step().await;
                }
                worker
            });
        }
        succeed(&counts, &mut tasks, "all clients succeed").await;
        for fault in faults {
            let (before, failed) = (self.proxy.faults(), sum(&counts, |it| &it.failed));
            self.proxy.set(*fault);
            sleep(self.times.fault).await;
            self.proxy.set(Fault::None);
            let begun = Instant::now();
            succeed(&counts, &mut tasks, "all clients succeed after the fault").await;
            println!(
                "{fault:?}: {} faults, {} requests failed, recovered in {:?}; {} succeeded, the longest took {} ms",
                self.proxy.faults() - before,
                sum(&counts, |it| &it.failed) - failed,
                begun.elapsed(),
                sum(&counts, |it| &it.succeeded),
                counts
                    .iter()
                    .map(|it| it.longest.load(Ordering::Relaxed))
                    .max()
                    .unwrap()
            );
            assert!(self.proxy.faults() > before, "the fault happened");
        }
        stop.send_replace(true);
        tasks.join_all().await
    }

    /// Ends all connections, so that nothing can be committed any more.
    async fn end(self) {
        let database = self.app.database.clone();
        self.app.stop().await;
        drop(self.proxy);
        let open = format!("SELECT count(*) FROM {CONNECTIONS}");
        eventually("no connection is open", async || {
            let open = column(&mut superuser(&database).await, &open).await;
            if open == ["0"] { Ok(()) } else { Err(open) }
        })
        .await;
    }
}

fn sum(counts: &[Arc<Counts>], of: fn(&Counts) -> &std::sync::atomic::AtomicU64) -> u64 {
    counts.iter().map(|it| of(it).load(Ordering::Relaxed)).sum()
}

/// Waits until further requests of each worker have succeeded, or a worker has failed.
async fn succeed(counts: &[Arc<Counts>], tasks: &mut JoinSet<Worker>, what: &str) {
    let succeeded = || counts.iter().map(|it| it.succeeded.load(Ordering::Relaxed));
    let before: Vec<u64> = succeeded().collect();
    let recovered = eventually(what, async || {
        succeeded()
            .zip(&before)
            .all(|(now, before)| now >= before + RECOVERED)
    });
    tokio::select! {
        () = recovered => {}
        Some(Err(failed)) = tasks.join_next() => std::panic::resume_unwind(failed.into_panic()),
    }
}

async fn workers(app: &TestApp, numbers: &mut Numbers) -> Vec<Worker> {
    let mut workers = Vec::new();
    for user in USERS {
        let person: Person = app.signed_up(user).await;
        for number in 0..WORKERS_PER_USER {
            let client: Client = person.client.clone();
            workers.push(Worker {
                course: person.create_course("Documents").await,
                client,
                name: format!("{user} {number}"),
                items: Vec::new(),
                batch: Vec::new(),
                numbers: Numbers(numbers.below(usize::MAX) as u64),
                titles: 0,
                patience: Duration::ZERO,
                counts: Arc::default(),
            });
        }
    }
    workers
}

/// Each row is an item: its id, its version, the versions in the change log in the order of their numbers, its status, and its title.
const ITEMS: &str = "SELECT concat_ws('|', id, version, (SELECT string_agg(version::text, ',' ORDER BY log.id) FROM audit_logs AS log
        WHERE log.user_id = items.user_id AND log.entity_id = items.id), status, title)
    FROM (SELECT user_id, id, version, status, name AS title FROM courses WHERE name <> 'Documents'
        UNION ALL SELECT user_id, id, version, status, title FROM documents
        UNION ALL SELECT user_id, id, version, status, title FROM tasks) AS items";

/// Compares what the workers know with the database. Call it when nothing can be committed any more.
async fn compare(database: &str, workers: &mut [Worker]) {
    let mut items = HashMap::new();
    for row in column(&mut superuser(database).await, ITEMS).await {
        let parts: Vec<&str> = row.splitn(5, '|').collect();
        let [id, version, log, status, title] = parts[..] else {
            panic!("{row}");
        };
        let version: i64 = version.parse().unwrap();
        let each_once: Vec<String> = (1..=version).map(|it| it.to_string()).collect();
        assert_eq!(
            log,
            each_once.join(","),
            "the log has each version once: {row}"
        );
        let in_trash = status == "trash";
        items.insert(id.to_owned(), (version, title.to_owned(), in_trash));
    }
    let mut settle = |item: &mut Item| {
        let found = items.remove(&item.id);
        assert!(
            found.is_some() || !item.exists,
            "an acknowledged item is lost: {item:?}"
        );
        if let Some((version, title, in_trash)) = &found {
            item.settled(*version, title, *in_trash);
        }
        found.is_some()
    };
    for worker in workers {
        worker.items.retain_mut(&mut settle);
        let of_batch = worker.batch.len();
        worker.batch.retain_mut(&mut settle);
        assert!(
            [0, of_batch].contains(&worker.batch.len()),
            "a batch is whole"
        );
        worker.items.append(&mut worker.batch);
    }
    assert!(items.is_empty(), "items that no client created: {items:?}");
}

/// One round with these faults, or rounds for [`length`].
async fn withstand(times: Times, faults: &[Fault]) {
    let seed = seed();
    println!("seed {seed}");
    let times = if length().is_some() { DEFAULT } else { times };
    let mut numbers = Numbers(seed);
    let database = migrated_database().await;
    // Signing up may take longer than a short deadline.
    let patient = TestApp::on(database.clone(), |_| {}).await;
    let mut known = workers(&patient, &mut numbers).await;
    patient.stop().await;
    let begun = Instant::now();
    loop {
        let stage = Stage::start(&database, times, numbers.below(usize::MAX) as u64).await;
        known = stage.run(known, faults).await;
        stage.end().await;
        compare(&database, &mut known).await;
        if length().is_none_or(|length| begun.elapsed() > length) {
            break;
        }
    }
    let changes = "SELECT count(*) FROM audit_logs";
    println!(
        "{:?} changes",
        column(&mut superuser(&database).await, changes).await
    );
    execute(
        "postgres",
        &format!("DROP DATABASE {database} WITH (FORCE)"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_at_random_moments() {
    withstand(SHORT, &[Fault::Cut]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_which_one_direction_is_closed() {
    withstand(SHORT, &[Fault::HalfClosed]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole() {
    withstand(SHORT, &[Fault::BlackHole]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_arrive_after_their_requests_ended() {
    withstand(SHORT, &[Fault::Stall]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency() {
    let latencies = [1, 20, 300].map(|millis| Fault::Latency(Duration::from_millis(millis)));
    let times = Times {
        fault: Duration::from_secs(1),
        ..DEFAULT
    };
    withstand(times, &latencies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_per_second() {
    withstand(SHORT, &[Fault::Trickle]).await;
}
