//! The change feed under all faults at the same time: 32 writers whose transactions overlap, are held open, rolled back and
//! killed; a database server that crashes and loses transactions that were not yet on disk; two processes of the program
//! that are killed, and whose connections to clients and to the database break.
//!
//! Readers of both processes, in pages and as subscribers over WebSockets and server-sent events, must receive every
//! committed change once and whole, those of one item in the order of its versions. Acknowledged changes must be there,
//! and readers with planted faults must be found.
//!
//! It takes a minute; `SNAPNOTE_TESTS_STORM_SECONDS=600` makes it ten.

mod client_connection;
mod environment;
mod planted_faults;
mod process;
mod proxy;
mod readers;
mod statistics;
mod writers;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use self::{
    client_connection::Transport,
    environment::Environment,
    planted_faults::Flaw,
    readers::{Behaviour, Reader, Resume},
};
use super::checker::{Fault, faults, kinds};

const WRITERS: usize = 24;
const CALLERS: usize = 8;
/// How long a reader may receive nothing before it has received all that it will.
const PATIENCE: Duration = Duration::from_secs(60);

fn length() -> Duration {
    let seconds = std::env::var("SNAPNOTE_TESTS_STORM_SECONDS");
    Duration::from_secs(seconds.map_or(60, |seconds| seconds.parse().unwrap()))
}

/// Correct readers in pages.
async fn read_pages(environment: &Arc<Environment>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let mut all = Vec::new();
    for (name, process) in [("pages at one process", 0), ("pages at the other", 1)] {
        for person in 0..2 {
            let reader = Reader::of(name, person, None);
            let start = readers::start(environment, &reader).await;
            let task = readers::pages(environment.clone(), reader.clone(), process, start);
            tasks.spawn(task);
            all.push(reader);
        }
    }
    all
}

/// Subscribers: correct ones, and ones that resume at a wrong cursor, all at the process that is killed first.
async fn subscribe(environment: &Arc<Environment>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let mut all = Vec::new();
    use Resume::{Anew, Behind, TooEarly};
    use Transport::{Events, Socket};
    for (name, process, transport, pause, resume) in [
        ("a socket", 0, Socket, 0, Behind),
        ("a socket at the other", 1, Socket, 0, Behind),
        ("a slow socket", 1, Socket, 3000, Behind),
        ("events", 0, Events, 0, Behind),
        ("events at the other", 1, Events, 0, Behind),
        ("slow events", 0, Events, 3000, Behind),
        ("a socket that repeats", 0, Socket, 0, TooEarly),
        ("events that repeat", 0, Events, 0, TooEarly),
        ("a socket without cursor", 0, Socket, 0, Anew),
    ] {
        let planted = match resume {
            Behind => None,
            TooEarly => Some(Fault::Repeated),
            Anew => Some(Fault::Lost),
        };
        let reader = Reader::of(name, 0, planted);
        let start = readers::start(environment, &reader).await;
        let behaviour = Behaviour {
            process,
            transport,
            pause,
            resume,
        };
        let task = readers::subscriber(environment.clone(), reader.clone(), behaviour, start);
        tasks.spawn(task);
        all.push(reader);
    }
    all
}

/// Readers of the database with planted faults.
fn read_flawed(environment: &Arc<Environment>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let flawed = [
        ("a cursor by id alone", Flaw::IdAlone, Fault::Lost),
        (
            "waiting below the oldest",
            Flaw::BelowOldest,
            Fault::Delayed,
        ),
        ("another's rows", Flaw::AllUsers, Fault::Foreign),
        ("the uncapped snapshot", Flaw::Uncapped, Fault::Lost),
    ];
    let mut begin = |(name, flaw, fault)| {
        let reader = Reader::of(name, 0, Some(fault));
        tasks.spawn(planted_faults::flawed(
            environment.clone(),
            reader.clone(),
            flaw,
        ));
        reader
    };
    flawed.map(&mut begin).into()
}

/// Runs everything until all was written.
async fn blow(environment: &Arc<Environment>, readers: &[Arc<Reader>]) {
    let mut tasks = JoinSet::new();
    for index in 0..WRITERS {
        let longest = if index % 6 == 0 { 3000 } else { 60 };
        tasks.spawn(writers::transactions(environment.clone(), longest));
    }
    for index in 0..CALLERS {
        tasks.spawn(writers::callers(environment.clone(), index));
    }
    let until = Instant::now() + length();
    let prompt = readers.iter().filter(|reader| reader.is_prompt());
    let prompt: Vec<Arc<Reader>> = prompt.cloned().collect();
    writers::holder(environment, &prompt).await;
    sleep(Duration::from_secs(1)).await;
    environment.set_rough(true);
    tasks.spawn(writers::cuts(environment.clone()));
    writers::misfortune(environment.clone(), until).await;
    sleep(until.saturating_duration_since(Instant::now())).await;
    environment.set_rough(false);
    environment.written.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    writers::last_words(environment).await;
}

/// Waits until all readers that must receive every change have, or have received none for [`PATIENCE`].
async fn settle(environment: &Environment, all: &[Arc<Reader>]) {
    for reader in all.iter().filter(|reader| reader.is_whole()) {
        let truth = environment.truth(&environment.people[reader.person]).await;
        let (mut received, mut deadline) = (0, Instant::now() + PATIENCE);
        while received < truth.versions.len() {
            let now_received = reader.different();
            if now_received > received {
                (received, deadline) = (now_received, Instant::now() + PATIENCE);
            } else if Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    // Time for repetitions.
    sleep(Duration::from_secs(2)).await;
}

/// Readers that are not as expected. Correct readers have no fault, the others the planted one. Readers that repeat have no
/// other.
async fn judge(environment: &Environment, all: &[Arc<Reader>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for reader in all {
        let truth = environment.truth(&environment.people[reader.person]).await;
        assert!(truth.versions.len() > 500 && truth.prompt.len() > 20);
        let found = faults(&truth, &reader.receipts.lock().unwrap());
        let mut kinds = kinds(&found);
        if reader.name.contains("slow") {
            kinds.remove(&Fault::Delayed);
        }
        println!(
            "{}: {} of {} changes; {} faults: {kinds:?}",
            reader.name,
            reader.count(),
            truth.versions.len(),
            found.len()
        );
        let as_planted = match reader.planted {
            None => kinds.is_empty(),
            Some(Fault::Repeated) => kinds == [Fault::Repeated].into(),
            Some(fault) => kinds.contains(&fault),
        };
        if !as_planted {
            let others = found.iter().filter(|found| Some(found.0) != reader.planted);
            let some: Vec<_> = others.take(5).collect();
            wrong.push(format!("{}: {some:?}", reader.name));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_change_is_read_exactly_once_whatever_happens() {
    let environment = Environment::set().await;
    let mut tasks = JoinSet::new();
    let all = [
        read_pages(&environment, &mut tasks).await,
        subscribe(&environment, &mut tasks).await,
        read_flawed(&environment, &mut tasks),
    ]
    .concat();
    let patience = length() + Duration::from_secs(180);
    let blown = timeout(patience, blow(&environment, &all)).await;
    blown.expect("writers come to their end: is a process of the service gone?");
    settle(&environment, &all).await;
    environment.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    environment.print();
    environment.check_acknowledged().await;
    // A client would delete the item of such a change.
    assert_eq!(environment.statistics.incomplete.get(), 0);
    let wrong = judge(&environment, &all).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    environment.clear().await;
}
