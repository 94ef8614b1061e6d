//! The feed against everything at once: 32 writers whose transactions overlap, are held open, rolled back and killed;
//! connections that are cut; a server that crashes after transactions were rolled back of which nothing was on disk. Readers
//! at two processes, in pages and as subscribers, must be given every committed change exactly once, an item's in the order
//! of its versions; and readers with planted faults must be caught.
//!
//! It takes a minute; `SNAPNOTE_STORM_SECONDS=600` makes it ten.

mod planted;
mod readers;
mod stage;
mod writers;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use self::{
    planted::Flaw,
    readers::{Habits, Reader},
    stage::Stage,
};
use super::checker::{Fault, faults, kinds};

const WRITERS: usize = 24;
const CALLERS: usize = 8;
/// How long one transaction is held open at the beginning, while nothing else goes wrong.
const HELD: Duration = Duration::from_secs(9);

fn length() -> Duration {
    let seconds = std::env::var("SNAPNOTE_STORM_SECONDS");
    Duration::from_secs(seconds.map_or(60, |seconds| seconds.parse().unwrap()))
}

/// All readers, at work.
async fn read(stage: &Arc<Stage>, tasks: &mut JoinSet<()>) -> Vec<Arc<Reader>> {
    let mut all = Vec::new();
    for (name, app) in [("pages at one process", 0), ("pages at the other", 1)] {
        for person in 0..2 {
            let reader = Reader::of(name, person, None);
            let cursor = readers::start(stage, &reader).await;
            tasks.spawn(readers::pages(stage.clone(), reader.clone(), app, cursor));
            all.push(reader);
        }
    }
    let cut = Some(60);
    for (name, app, rests, cut_after, repeats) in [
        ("a subscriber", 0, 0, None, false),
        ("a subscriber at the other process", 1, 0, None, false),
        ("a slow subscriber", 1, 3000, None, false),
        ("a subscriber that is cut off", 0, 0, cut, false),
        ("one that is cut off and slow", 1, 500, cut, false),
        ("one that repeats at the seam", 0, 0, cut, true),
    ] {
        let reader = Reader::of(name, 0, repeats.then_some(Fault::Repeated));
        let cursor = readers::start(stage, &reader).await;
        let habits = Habits {
            app,
            rests,
            cut_after,
            repeats,
        };
        let task = readers::subscriber(stage.clone(), reader.clone(), habits, cursor);
        tasks.spawn(task);
        all.push(reader);
    }
    for (name, flaw, fault) in [
        ("a cursor by id alone", Flaw::IdAlone, Fault::Lost),
        (
            "waiting below the oldest",
            Flaw::BelowOldest,
            Fault::Delayed,
        ),
        ("another's rows", Flaw::Everybodys, Fault::Foreign),
        ("the uncapped snapshot", Flaw::Uncapped, Fault::Lost),
    ] {
        let reader = Reader::of(name, 0, Some(fault));
        tasks.spawn(planted::flawed(stage.clone(), reader.clone(), flaw));
        all.push(reader);
    }
    all
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
    writers::misfortune(stage.clone(), until).await;
    sleep(until.saturating_duration_since(Instant::now())).await;
    stage.written.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// Waits until the good readers have read what there is, or do not get on.
async fn settle(stage: &Stage, all: &[Arc<Reader>]) {
    for reader in all.iter().filter(|reader| reader.planted.is_none()) {
        let truth = stage.truth(&stage.people[reader.person]).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while reader.count() < truth.versions.len() && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
        }
    }
    // For what comes too often.
    sleep(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_change_is_read_exactly_once_whatever_happens() {
    let stage = Stage::set().await;
    let mut tasks = JoinSet::new();
    let all = read(&stage, &mut tasks).await;
    blow(&stage).await;
    settle(&stage, &all).await;
    stage.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let mut wrong = Vec::new();
    for reader in &all {
        let truth = stage.truth(&stage.people[reader.person]).await;
        assert!(truth.versions.len() > 500 && truth.prompt.len() > 50);
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
            Some(fault) => kinds.contains(&fault),
        };
        if !as_planted {
            wrong.push(format!(
                "{}: {:?}",
                reader.name,
                &found[..found.len().min(5)]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    stage.clear().await;
}
