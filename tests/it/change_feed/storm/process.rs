//! A process of the service behind a proxy, so that its address stays the same when it is killed and started again.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{
    environment::Random,
    proxy::{Destination, Proxy},
    statistics::Statistics,
};
use crate::support::program;

const SECRET: &str = "a secret of the storm, long enough to be one";

pub(super) struct Process {
    /// For clients.
    pub(super) front: Proxy,
    /// To the database.
    pub(super) back: Proxy,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Returns when it serves. No other process uses `folder`.
    pub(super) async fn start(
        folder: PathBuf,
        database: Destination,
        mut random: Random,
    ) -> Process {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let process = Process {
            front: Proxy::start(None, random.another()).await,
            back: Proxy::start(Some(database), random).await,
            folder,
            child: Mutex::default(),
        };
        process.run().await;
        process
    }

    /// Kills it and starts it again.
    pub(super) async fn kill(&self, statistics: &Statistics) {
        statistics.kills.add();
        self.front.lead(None);
        let child = self.child.lock().await.take();
        child.unwrap().kill().await.unwrap();
        self.run().await;
    }

    async fn run(&self) {
        let mut child = self.child.lock().await;
        // It exits if the database is down when it starts.
        for _ in 0..20 {
            let mut begun = self.command().spawn().unwrap();
            if let Some(destination) = said(&mut begun).await {
                *child = Some(begun);
                self.front.lead(Some(destination));
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
        panic!("it does not serve: {}", self.log());
    }

    fn command(&self) -> Command {
        let mut log = File::options();
        let log = log.create(true).append(true).open(self.folder.join("log"));
        let database = format!("postgres://snapnote@{}/snapnote", self.back.address);
        let mut command = program(&self.folder, &["serve"]);
        command
            .env("DATABASE_URL", &database)
            .env("DATABASE_DIRECT_URL", &database)
            .env("SNAPNOTE_JWT_SECRET", SECRET)
            // Longer than any run.
            .env("SNAPNOTE_ACCESS_TOKEN_LIFETIME", "24h")
            // Clients that do not read for twice as long are disconnected.
            .env("SNAPNOTE_HEARTBEAT", "2s")
            .env("SNAPNOTE_LOG", "warn")
            .stderr(Stdio::from(log.unwrap()));
        command
    }

    /// Its output since the first start.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Stops it. It must not have panicked or logged internal errors.
    pub(super) async fn end(self) {
        let child = self.child.lock().await.take();
        child.unwrap().kill().await.unwrap();
        let log = self.log();
        let is_fault = |line: &&str| line.contains("panicked") || line.contains("ERROR");
        assert_eq!(log.lines().find(is_fault), None);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The address at which it serves; `None` if it exits before.
async fn said(child: &mut Child) -> Option<Destination> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(60), lines.next_line()).await;
    let line = line.expect("it serves in time").unwrap()?;
    let address = line.strip_prefix("API       http://").unwrap();
    let address = address.strip_suffix("/graphql").unwrap();
    // The rest of the output, so that the pipe stays open.
    let _ = lines.next_line().await;
    let _ = lines.next_line().await;
    Some(Destination::Service(address.parse().unwrap()))
}
