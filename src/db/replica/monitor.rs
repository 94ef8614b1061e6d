//! Samples the primary and its replica while queries need it, and so proves what the replica shows.
//!
//! A sample notes a mark: the position of the primary's log, with the time and the generation of `Pins` before it was read. Once the replica
//! has replayed the log up to a mark, it shows everything that was committed before. A replica that is seconds behind reaches a mark after
//! several samples, so marks are kept until then.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::{
    Phase, Replica,
    server::{Facts, PrimaryFacts, facts_of, primary_facts},
};
use crate::db::{Database, background::Job, pooler};

/// Maximum time of one request of a sample.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// The pause between two samples, and after one that failed.
const PAUSE: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);
/// The pauses in which a sample waits for the replica to replay the log up to its mark.
const REPLAY_PAUSES: [Duration; 3] = [
    Duration::from_millis(5),
    Duration::from_millis(15),
    Duration::from_millis(30),
];
/// Maximum number of marks that the replica has not reached.
const MAX_MARKS: usize = 600;

/// A position of the primary's log.
struct Mark {
    position: i64,
    generation: u64,
    at: Instant,
}

struct Monitor {
    primary: Database,
    replica: Arc<Replica>,
    client: Option<Client>,
    /// The server that was sampled last.
    server: String,
    /// The position that it had reached.
    replayed: i64,
    /// The server that queries may use.
    used: String,
    marks: VecDeque<Mark>,
}

/// Samples as long as the process runs.
pub(super) async fn run(primary: Database, replica: Arc<Replica>, job: Job) {
    let close = primary.activity().settings().close;
    let mut monitor = Monitor {
        primary,
        replica,
        client: None,
        server: String::new(),
        replayed: 0,
        used: String::new(),
        marks: VecDeque::new(),
    };
    loop {
        tokio::select! {
            () = monitor.replica.wanted.notified() => {}
            () = sleep(close), if monitor.client.is_some() => {
                monitor.client = None;
                continue;
            }
        }
        let pause = match job.timed(monitor.sample()).await {
            Ok(()) => PAUSE,
            Err(_) => RETRY,
        };
        job.succeeded();
        sleep(pause).await;
    }
}

impl Monitor {
    /// Takes a sample and publishes what it found.
    async fn sample(&mut self) -> Result<(), ()> {
        let failures = self.replica.failures.load(Ordering::Relaxed);
        if failures != self.replica.known.lock().failures {
            // Its address may lead to another server now.
            self.client = None;
        }
        let phase = match self.compare().await {
            Ok(()) => Phase::Ready,
            Err(phase) => {
                self.client = None;
                phase
            }
        };
        let is_good = phase == Phase::Ready;
        let mut known = self.replica.known.lock();
        // Before the first proof, it is at least as far behind as its first mark.
        let first_mark = self.marks.front().map(|mark| mark.at);
        let lag = known.proven_at.or(first_mark).map(|at| at.elapsed());
        let is_late = lag.is_some_and(|lag| lag > self.replica.max_lag);
        known.phase = match phase {
            Phase::Ready if is_late => Phase::Lagging,
            Phase::Ready if known.proven_at.is_none() => Phase::Unknown,
            phase => phase,
        };
        known.lag = lag;
        known.sampled_at = Some(Instant::now());
        if is_good {
            known.failures = failures;
        }
        drop(known);
        self.replica.log_phase();
        if is_good { Ok(()) } else { Err(()) }
    }

    /// Compares both servers, and releases what the replica is proven to show.
    async fn compare(&mut self) -> Result<(), Phase> {
        let unreachable = |cause: &str| Phase::Unreachable(cause.to_owned());
        let generation = self.replica.pins.next_generation();
        let (at, before) = (Instant::now(), self.replayed);
        let primary = timeout(MAX_WAIT, primary_facts(&self.primary)).await;
        let primary = primary.map_err(|_| unreachable("the primary does not respond"))?;
        let primary = primary.map_err(|error| Phase::Unreachable(error.log_text()))?;
        if self.marks.len() < MAX_MARKS {
            self.marks.push_back(Mark {
                position: primary.position,
                generation,
                at,
            });
        }
        for pause in REPLAY_PAUSES.into_iter().map(Some).chain([None]) {
            let facts = timeout(MAX_WAIT, self.facts()).await;
            let facts = facts.map_err(|_| unreachable("it does not respond"))??;
            self.reached(&primary, &facts, before)?;
            match pause {
                Some(pause) if !self.marks.is_empty() => sleep(pause).await,
                _ => break,
            }
        }
        Ok(())
    }

    async fn facts(&mut self) -> Result<Facts, Phase> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().await?,
        };
        let facts = facts_of(&client).await.map_err(Phase::Unreachable)?;
        self.client = Some(client);
        Ok(facts)
    }

    async fn connect(&self) -> Result<Client, Phase> {
        let target = &self.replica.target;
        let checked = pooler::check(target).await;
        checked.map_err(|error| Phase::Unreachable(error.log_text()))?;
        if target.is_pooled() {
            // It could change the server of an open connection.
            let cause = "a pooler in transaction mode is in between; use an address without it";
            return Err(Phase::Unusable(cause.to_owned()));
        }
        let opened = target.open().await;
        opened.map_err(|error| Phase::Unreachable(error.to_string()))
    }

    /// Releases what the replica shows. `before`: the position that it had reached before this sample.
    fn reached(&mut self, primary: &PrimaryFacts, facts: &Facts, before: i64) -> Result<(), Phase> {
        let unusable = |cause: &str| Phase::Unusable(cause.to_owned());
        let replayed = facts.replayed_of(primary).map_err(unusable)?;
        if facts.server != self.server {
            // What was proven of the former one is not true of this one.
            self.replica.known.lock().proven_at = None;
            self.server.clone_from(&facts.server);
            self.replayed = replayed;
            self.marks.clear();
            // Only the next sample shows whether it is ahead of the primary.
            return Ok(());
        }
        if before > primary.position {
            return Err(unusable(
                "its log is ahead of the primary's; make it a replica of the current primary",
            ));
        }
        self.replayed = replayed;
        while let Some(mark) = self.marks.front()
            && mark.position <= replayed
        {
            if self.used != self.server {
                // Not before it has reached a mark: queries in progress may rely on what the former server showed.
                self.replica.database.only_use_server(&self.server);
                self.used.clone_from(&self.server);
            }
            self.replica.pins.release(mark.generation);
            self.replica.known.lock().proven_at = Some(mark.at);
            self.marks.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{
        activity::IdleSettings, connect::Target, pool::PoolSettings, replica::ReplicaSettings,
    };

    /// A monitor that connects to nothing.
    fn monitor() -> Monitor {
        let target = Target::parse("postgres://app@127.0.0.1:1/notes").expect("a URL");
        let settings = PoolSettings {
            name: "main",
            slow: Duration::from_secs(3600),
            kept: 0,
            max_connections: 1,
            shared_reads: false,
            wait: Duration::from_secs(1),
            lifetime: Duration::from_secs(1),
            idle: IdleSettings::default(),
        };
        let replica = ReplicaSettings {
            target: target.clone(),
            max_lag: Duration::from_secs(5),
        };
        let primary = Database::with_replica(target, &settings, Some(replica));
        Monitor {
            replica: primary.replica().expect("it has one").clone(),
            primary,
            client: None,
            server: String::new(),
            replayed: 0,
            used: String::new(),
            marks: VecDeque::new(),
        }
    }

    #[tokio::test]
    async fn the_first_sample_of_a_server_proves_nothing() {
        let mut monitor = monitor();
        let is_proven = |monitor: &Monitor| monitor.replica.known.lock().proven_at.is_some();
        let sample = |monitor: &mut Monitor, server: &str, position, replayed| {
            let before = monitor.replayed;
            monitor.marks.push_back(Mark {
                position,
                generation: monitor.replica.pins.next_generation(),
                at: Instant::now(),
            });
            let primary = PrimaryFacts {
                position,
                system: 1,
                database: 2,
            };
            monitor.reached(&primary, &Facts::of(server, 1, 2, replayed), before)
        };
        // It is ahead of the primary, as a replica of another primary can be. Only the next sample shows that.
        assert_eq!(sample(&mut monitor, "a", 10, 50), Ok(()));
        assert!(!is_proven(&monitor));
        let found = sample(&mut monitor, "a", 20, 50);
        assert!(matches!(found, Err(Phase::Unusable(_))), "{found:?}");
        assert!(!is_proven(&monitor));
        // Another server, which replays the log of the primary.
        assert_eq!(sample(&mut monitor, "b", 30, 30), Ok(()));
        assert!(!is_proven(&monitor));
        assert_eq!(sample(&mut monitor, "b", 40, 40), Ok(()));
        assert!(is_proven(&monitor));
        assert_eq!(sample(&mut monitor, "c", 50, 50), Ok(()));
        assert!(!is_proven(&monitor), "what was proven was of another one");
    }
}
