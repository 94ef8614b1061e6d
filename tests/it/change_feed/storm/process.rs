//! A process of the service: the built program behind a proxy, so that its address stays when it is killed and run again.

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
    /// Where clients find it.
    pub(super) front: Proxy,
    /// Where it finds the database.
    pub(super) back: Proxy,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Returns when it serves. `folder` is its own.
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

    /// Kills it, and runs it again.
    pub(super) async fn kill(&self, statistics: &Statistics) {
        statistics.kills.add();
        self.front.lead(None);
        let child = self.child.lock().await.take();
        child.unwrap().kill().await.unwrap();
        self.run().await;
    }

    async fn run(&self) {
        let mut child = self.child.lock().await;
        // The database may be away while it starts, and then it ends.
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
            // Longer than any storm.
            .env("SNAPNOTE_ACCESS_TOKEN_LIFETIME", "24h")
            // Whoever rests for longer than twice that is cut off.
            .env("SNAPNOTE_HEARTBEAT", "2s")
            .env("SNAPNOTE_LOG", "warn")
            .stderr(Stdio::from(log.unwrap()));
        command
    }

    /// What it has said since it was first run.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends it. It must never have panicked, or taken what went wrong for a fault of its own.
    pub(super) async fn end(self) {
        let child = self.child.lock().await.take();
        child.unwrap().kill().await.unwrap();
        let log = self.log();
        let is_fault = |line: &&str| line.contains("panicked") || line.contains("ERROR");
        assert_eq!(log.lines().find(is_fault), None);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where it says that it serves; `None` if it ends before.
async fn said(child: &mut Child) -> Option<Destination> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(60), lines.next_line()).await;
    let line = line.expect("it serves in time").unwrap()?;
    let address = line.strip_prefix("API       http://").unwrap();
    let address = address.strip_suffix("/graphql").unwrap();
    // The rest, so that it is not told that nobody reads.
    let _ = lines.next_line().await;
    let _ = lines.next_line().await;
    Some(Destination::Service(address.parse().unwrap()))
}
