//! The feed against everything at once: 32 writers whose transactions overlap, are held open, rolled back and killed; a
//! database server that crashes after transactions were rolled back of which nothing was on disk; two processes of the
//! built program that are killed, and whose lines to clients and to the database are cut in the middle of anything. Readers at
//! both, in pages and as subscribers over WebSockets and server-sent events, must be given every committed change exactly
//! once, an item's in the order of its versions; what was acknowledged must be there; and readers with planted faults must
//! be caught.
//!
//! It takes a minute; `SNAPNOTE_STORM_SECONDS=600` makes it ten.

mod line;
mod planted;
mod process;
mod proxy;
mod readers;
mod stage;
mod tally;
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
    line::Way,
    planted::Flaw,
    readers::{Habits, Reader, Seam},
    stage::Stage,
};
use super::checker::{Fault, faults, kinds};

const WRITERS: usize = 24;
const CALLERS: usize = 8;
/// How long one transaction is held open at the beginning, while nothing else goes wrong.
const HELD: Duration = Duration::from_secs(11);

fn length() -> Duration {
    let seconds = std::env::var("SNAPNOTE_STORM_SECONDS");
    Duration::from_secs(seconds.map_or(60, |seconds| seconds.parse().unwrap()))
}

/// Good readers in pages.
async fn read_pages(stage: &Arc<Stage>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let mut all = Vec::new();
    for (name, process) in [("pages at one process", 0), ("pages at the other", 1)] {
        for person in 0..2 {
            let reader = Reader::of(name, person, None);
            let start = readers::start(stage, &reader).await;
            let task = readers::pages(stage.clone(), reader.clone(), process, start);
            tasks.spawn(task);
            all.push(reader);
        }
    }
    all
}

/// Subscribers: good ones, and those that come back at the wrong place, all of these at the process that is killed first.
async fn subscribe(stage: &Arc<Stage>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let mut all = Vec::new();
    for (name, process, way, rests, seam) in [
        ("a socket", 0, Way::Socket, 0, Seam::Behind),
        ("a socket at the other", 1, Way::Socket, 0, Seam::Behind),
        ("a slow socket", 1, Way::Socket, 3000, Seam::Behind),
        ("events", 0, Way::Events, 0, Seam::Behind),
        ("events at the other", 1, Way::Events, 0, Seam::Behind),
        ("slow events", 0, Way::Events, 3000, Seam::Behind),
        ("a socket that repeats", 0, Way::Socket, 0, Seam::TooEarly),
        ("events that repeat", 0, Way::Events, 0, Seam::TooEarly),
        ("a socket without cursor", 0, Way::Socket, 0, Seam::Anew),
    ] {
        let planted = match seam {
            Seam::Behind => None,
            Seam::TooEarly => Some(Fault::Repeated),
            Seam::Anew => Some(Fault::Lost),
        };
        let reader = Reader::of(name, 0, planted);
        let start = readers::start(stage, &reader).await;
        let habits = Habits {
            process,
            way,
            rests,
            seam,
        };
        let task = readers::subscriber(stage.clone(), reader.clone(), habits, start);
        tasks.spawn(task);
        all.push(reader);
    }
    all
}

/// Readers past the service, with the faults that readers of such a log have.
fn read_flawed(stage: &Arc<Stage>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let flawed = [
        ("a cursor by id alone", Flaw::IdAlone, Fault::Lost),
        (
            "waiting below the oldest",
            Flaw::BelowOldest,
            Fault::Delayed,
        ),
        ("another's rows", Flaw::Everybodys, Fault::Foreign),
        ("the uncapped snapshot", Flaw::Uncapped, Fault::Lost),
    ];
    let mut begin = |(name, flaw, fault)| {
        let reader = Reader::of(name, 0, Some(fault));
        tasks.spawn(planted::flawed(stage.clone(), reader.clone(), flaw));
        reader
    };
    flawed.map(&mut begin).into()
}

/// Lets it blow until everything was written.
async fn blow(stage: &Arc<Stage>) {
    let mut tasks = JoinSet::new();
    for index in 0..WRITERS {
        let longest = if index % 6 == 0 { 3000 } else { 60 };
        tasks.spawn(writers::transactions(stage.clone(), longest));
    }
    for index in 0..CALLERS {
        tasks.spawn(writers::callers(stage.clone(), index));
    }
    let until = Instant::now() + length();
    writers::holder(stage.clone(), HELD).await;
    sleep(Duration::from_secs(1)).await;
    stage.set_rough(true);
    tasks.spawn(writers::cuts(stage.clone()));
    writers::misfortune(stage.clone(), until).await;
    sleep(until.saturating_duration_since(Instant::now())).await;
    stage.set_rough(false);
    stage.written.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    writers::last_words(stage).await;
}

/// Waits until those have read what there is who must, or do not get on.
async fn settle(stage: &Stage, all: &[Arc<Reader>]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    for reader in all.iter().filter(|reader| reader.is_whole()) {
        let truth = stage.truth(&stage.people[reader.person]).await;
        while reader.different() < truth.versions.len() && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
        }
    }
    // For what comes too often.
    sleep(Duration::from_secs(2)).await;
}

/// Who is not as they must be: good readers without a fault, the others with the one that was planted. Those that only
/// repeat have no other.
async fn judge(stage: &Stage, all: &[Arc<Reader>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for reader in all {
        let truth = stage.truth(&stage.people[reader.person]).await;
        assert!(truth.versions.len() > 500 && truth.prompt.len() > 20);
        let found = faults(&truth, &reader.receipts.lock().unwrap());
        let mut kinds = kinds(&found);
        if reader.name.contains("slow") {
            // By itself.
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
    let stage = Stage::set().await;
    let mut tasks = JoinSet::new();
    let all = [
        read_pages(&stage, &mut tasks).await,
        subscribe(&stage, &mut tasks).await,
        read_flawed(&stage, &mut tasks),
    ]
    .concat();
    let patience = length() + Duration::from_secs(180);
    let blown = timeout(patience, blow(&stage)).await;
    blown.expect("writers come to their end: is a process of the service gone?");
    settle(&stage, &all).await;
    stage.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    stage.tell();
    stage.check_acknowledged().await;
    let wrong = judge(&stage, &all).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    stage.clear().await;
}
