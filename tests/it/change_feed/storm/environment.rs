//! The environment: a PostgreSQL server that can be killed, two processes of the service on it, and users.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use snapnote::db::{connect::Target, migrate};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    super::checker::{Key, Truth},
    process::Process,
    proxy::Destination,
    readers::Reader,
    statistics::Statistics,
};
use crate::support::{Client, SIGNED_IN, eventually, newcomer, text};

/// The number of items of a user that the writers share.
const ITEMS: usize = 24;
/// The number of changes by each user's clients that are committed while a transaction is held open.
const PROMPT: usize = 40;
/// How long that transaction stays open at most, so that readers receive these changes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(in crate::change_feed) struct Environment {
    folder: PathBuf,
    server: Embedded,
    pub(super) processes: [Process; 2],
    pub(super) people: [User; 2],
    /// Writers pause while it is set.
    pub(super) calm: AtomicBool,
    /// Writers stop when it is set.
    pub(super) written: AtomicBool,
    /// Readers stop when it is set.
    pub(super) over: AtomicBool,
    /// Changes that were committed while a transaction was held open before any faults, and when that transaction ended.
    held: Mutex<Option<(HashSet<Key>, DateTime<Utc>)>>,
    pub(super) statistics: Statistics,
    seed: AtomicU64,
}

pub(super) struct User {
    token: String,
    pub(super) id: Uuid,
    /// Items that all writers change.
    pub(super) items: Vec<Uuid>,
    /// Items that clients create by the API.
    pub(super) prompt: Mutex<Vec<Uuid>>,
    /// Versions of items that the service acknowledged.
    pub(super) acknowledged: Mutex<Vec<(Uuid, i32)>>,
}

impl Environment {
    pub(super) async fn set() -> Arc<Environment> {
        sweep();
        let folder = folder("");
        let server = start_server(&folder).await;
        let target = Target::parse(&server.url()).unwrap();
        migrate::up(&target).await.unwrap();
        let seed = u64::from(std::process::id());
        let database = Destination::Database(socket_of(&server.url()));
        let process = async |name: &str, seed| {
            Process::start(self::folder(name), database.clone(), Random::of(seed)).await
        };
        let processes = [
            process("-a", seed << 20).await,
            process("-b", seed << 21).await,
        ];
        let people = [
            User::new(&processes[0], "ada").await,
            User::new(&processes[0], "grace").await,
        ];
        Arc::new(Environment {
            folder,
            server,
            processes,
            people,
            calm: AtomicBool::new(false),
            written: AtomicBool::new(false),
            over: AtomicBool::new(false),
            held: Mutex::default(),
            statistics: Statistics::default(),
            seed: AtomicU64::new(seed),
        })
    }

    /// A user, as a client of one of the processes.
    pub(super) fn client(&self, person: usize, process: usize) -> Client {
        let client = Client::new(self.processes[process].front.address);
        client.with_token(&self.people[person].token)
    }

    /// Whether connections between clients and the service break at random.
    pub(super) fn set_rough(&self, rough: bool) {
        for process in &self.processes {
            process.front.set_rough(rough);
        }
    }

    /// A connection to the database as superuser. Waits while the server is down.
    pub(super) async fn conn(&self) -> AsyncPgConnection {
        loop {
            let url = self.server.superuser_url("snapnote");
            if let Ok(mut conn) = AsyncPgConnection::establish(&url).await
                && conn
                    .batch_execute("SET lock_timeout = '3s'; SET statement_timeout = '10s'")
                    .await
                    .is_ok()
            {
                return conn;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Random numbers for one task.
    pub(super) fn random(&self) -> Random {
        Random::of(self.seed.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the server close all of the service's connections.
    pub(super) async fn terminate(&self) {
        self.statistics.terminations.add();
        let cut =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'snapnote'";
        let _ = self.conn().await.batch_execute(cut).await;
    }

    /// Crashes the server when transactions have been rolled back of which nothing is on disk, and waits until it is up
    /// again.
    pub(super) async fn crash(&self) {
        self.statistics.crashes.add();
        self.calm.store(true, Ordering::Relaxed);
        // Longer than any transaction is held open: every commit writes earlier rollbacks to disk.
        sleep(Duration::from_millis(3500)).await;
        let mut conn = self.conn().await;
        for _ in 0..8 {
            let undone = "BEGIN; SELECT pg_current_xact_id(); ROLLBACK;".repeat(25);
            let _ = conn.batch_execute(&undone).await;
            // Readers see that those transactions have ended; subscribers only after a notification, which writes nothing to
            // disk.
            let _ = conn
                .batch_execute("SELECT pg_notify('snapnote_changes', '*')")
                .await;
            sleep(Duration::from_millis(120)).await;
        }
        sleep(Duration::from_millis(300)).await;
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid: i32 = pid.lines().next().unwrap().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
        drop(conn);
        sleep(Duration::from_millis(500)).await;
        drop(self.conn().await);
        self.calm.store(false, Ordering::Relaxed);
    }

    /// The committed changes of a user, and their versions.
    async fn changes(&self, user_of: &User) -> HashMap<Key, i32> {
        #[derive(diesel::QueryableByName)]
        struct Entry {
            #[diesel(sql_type = diesel::sql_types::Uuid)]
            entity_id: Uuid,
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            at: i64,
            #[diesel(sql_type = diesel::sql_types::Integer)]
            version: i32,
        }
        let query = diesel::sql_query(format!(
            "SELECT entity_id, (extract(epoch FROM created_at) * 1000000)::bigint AS at, version
             FROM audit_logs WHERE user_id = '{}' AND entity_type = 'Course'",
            user_of.id
        ));
        let entries: Vec<Entry> = query.load(&mut self.conn().await).await.unwrap();
        let versions: HashMap<Key, i32> = entries
            .iter()
            .map(|entry| ((entry.entity_id, entry.at), entry.version))
            .collect();
        assert_eq!(versions.len(), entries.len(), "keys tell entries apart");
        versions
    }

    /// The committed changes of a user, and which of them readers must receive promptly.
    pub(super) async fn truth(&self, user_of: &User) -> Truth {
        let versions = self.changes(user_of).await;
        let held = self.held.lock().unwrap();
        let (prompt, held_until) = held.as_ref().expect("a transaction was held open");
        let is_prompt = |key: &Key| prompt.contains(key);
        Truth {
            prompt: versions.keys().copied().filter(is_prompt).collect(),
            held_until: *held_until,
            versions,
        }
    }

    /// Returns when these readers have received what clients committed meanwhile, or after [`PATIENCE`]. Call it while a
    /// transaction is open.
    pub(super) async fn hold(&self, readers: &[Arc<Reader>]) {
        let mut prompt = Vec::new();
        for user_of in &self.people {
            let before = self.changes(user_of).await;
            let written = eventually("clients write", async || {
                let mut changes: HashSet<Key> = self.changes(user_of).await.into_keys().collect();
                let items = user_of.prompt.lock().unwrap();
                changes.retain(|key| items.contains(&key.0) && !before.contains_key(key));
                let count = changes.len();
                (count >= PROMPT).then_some(changes).ok_or(count)
            });
            prompt.push(written.await);
        }
        let deadline = Instant::now() + PATIENCE;
        for reader in readers {
            let own = &prompt[reader.person];
            while !reader.has_received(own) && Instant::now() < deadline {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let prompt = prompt.into_iter().flatten().collect();
        *self.held.lock().unwrap() = Some((prompt, Utc::now()));
    }

    /// Asserts that all acknowledged versions are there.
    pub(super) async fn check_acknowledged(&self) {
        for user_of in &self.people {
            let changes = self.changes(user_of).await;
            let there = changes.iter().map(|((item, _), version)| (*item, *version));
            let there: HashSet<(Uuid, i32)> = there.collect();
            let acknowledged = user_of.acknowledged.lock().unwrap();
            assert!(acknowledged.len() > 100, "{}", acknowledged.len());
            for saved in acknowledged.iter() {
                assert!(there.contains(saved), "{saved:?} is lost");
            }
        }
    }

    /// Prints the statistics.
    pub(super) fn print(&self) {
        let sum = |cuts: fn(&Process) -> u64| self.processes.iter().map(cuts).sum::<u64>();
        println!(
            "{}\nconnections closed: {} of clients, {} to the database",
            self.statistics,
            sum(|process| process.front.cuts()),
            sum(|process| process.back.cuts())
        );
    }

    pub(super) async fn clear(self: Arc<Environment>) {
        let Some(environment) = Arc::into_inner(self) else {
            panic!("the environment is still used");
        };
        for process in environment.processes {
            process.end().await;
        }
        environment.server.stop().await;
        let _ = std::fs::remove_dir_all(&environment.folder);
    }
}

impl User {
    /// A new user.
    async fn new(process: &Process, name: &str) -> User {
        let anonymous = Client::new(process.front.address);
        let payload = anonymous.mutate("signUp", newcomer(name), SIGNED_IN).await;
        User {
            token: text(&payload["accessToken"]),
            id: text(&payload["user"]["id"]).parse().unwrap(),
            items: (0..ITEMS).map(|_| Uuid::now_v7()).collect(),
            prompt: Mutex::default(),
            acknowledged: Mutex::default(),
        }
    }

    /// The id of an item that a client will create.
    pub(super) fn new_item(&self) -> Uuid {
        let id = Uuid::now_v7();
        self.prompt.lock().unwrap().push(id);
        id
    }
}

/// A new folder for this test.
fn folder(name: &str) -> PathBuf {
    let unique = format!("storm-{}{name}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique)
}

/// Removes the folders of failed runs whose processes have ended.
fn sweep() {
    for entry in std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name.strip_prefix("storm-").map(|rest| {
            let end = rest.find('-').unwrap_or(rest.len());
            &rest[..end]
        });
        let ended = |pid| !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(ended) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn start_server(folder: &Path) -> Embedded {
    let _ = std::fs::remove_dir_all(folder);
    let settings = Settings {
        name: "snapnote".to_owned(),
        folder: folder.to_owned(),
        binaries: None,
        durable: false,
    };
    let server = Embedded::start(settings).await;
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let url = server.superuser_url("snapnote");
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    // Rollbacks stay unflushed for as long as possible.
    for sql in [
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "ALTER SYSTEM SET autovacuum = off",
        "SELECT pg_reload_conf()",
    ] {
        conn.batch_execute(sql).await.unwrap();
    }
    server
}

/// The server's Unix socket: its folder is the host of the URL, percent-encoded.
fn socket_of(url: &str) -> PathBuf {
    let (_, rest) = url.split_once('@').unwrap();
    let (host, _) = rest.split_once(':').unwrap();
    let mut parts = host.split('%');
    let mut folder = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        folder.push(u8::from_str_radix(&part[..2], 16).unwrap());
        folder.extend(part[2..].bytes());
    }
    PathBuf::from(String::from_utf8(folder).unwrap()).join(".s.PGSQL.5432")
}

/// Random numbers (xorshift).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// An independent sequence.
    pub(super) fn another(&mut self) -> Random {
        Random::of(self.below(1 << 40))
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    pub(super) fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}
