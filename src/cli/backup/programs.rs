//! pg_dump, pg_restore and psql: which version to use, and how to run them. Passwords are passed in variables of their environment, never
//! in their arguments, which other users of the machine can see.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::Stdio,
};

use embedded_postgres::ClientPrograms;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
};

use crate::db::connect::Target;

/// Maximum length of what a program prints to standard error, for messages.
const MAX_ERROR_BYTES: u64 = 4096;
/// Size of the pieces that are copied to a program.
const PIECE: usize = 256 * 1024;

/// The programs of one version.
pub(super) struct Programs {
    found: ClientPrograms,
    environment: Vec<(&'static str, String)>,
}

impl Programs {
    /// The programs to dump a server of this major version: pg_dump of the same version or the nearest newer one.
    ///
    /// # Errors
    /// A message that says what to install.
    pub(super) fn for_dump(
        folder: Option<&Path>,
        target: &Target,
        server: u32,
    ) -> Result<Programs, String> {
        let fits = |major: u32| (major >= server).then(|| major - server);
        let needed = format!("pg_dump of PostgreSQL {server} or newer");
        Programs::find(folder, target, fits, &needed)
    }

    /// The programs to restore a dump of this major version into a server: those of the server's version, or else the nearest one
    /// that can read the dump.
    ///
    /// # Errors
    /// A message that says what to install.
    pub(super) fn for_restore(
        folder: Option<&Path>,
        target: &Target,
        dump: u32,
        server: u32,
    ) -> Result<Programs, String> {
        let fits = |major: u32| (major >= dump).then(|| major.abs_diff(server));
        let needed = format!("pg_restore and psql of PostgreSQL {dump} or newer");
        Programs::find(folder, target, fits, &needed)
    }

    /// The programs with the lowest rank.
    fn find(
        folder: Option<&Path>,
        target: &Target,
        rank: impl Fn(u32) -> Option<u32>,
        needed: &str,
    ) -> Result<Programs, String> {
        let all = ClientPrograms::find(folder);
        let majors: Vec<String> = all.iter().map(|found| found.major().to_string()).collect();
        let ranked = all
            .into_iter()
            .filter_map(|found| Some((rank(found.major())?, found)));
        let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, found)| found);
        let found = best.ok_or_else(|| {
            let found = match majors.is_empty() {
                true => "none were found".to_owned(),
                false => format!("found only {}", majors.join(", ")),
            };
            format!(
                "This needs {needed} ({found}). Install them (Debian: postgresql-client-…), or set SNAPNOTE_PG_BIN to the folder \
                 that contains pg_dump, pg_restore and psql."
            )
        })?;
        Ok(Programs {
            found,
            environment: target.libpq_environment(),
        })
    }

    /// Their major version.
    pub(super) fn major(&self) -> u32 {
        self.found.major()
    }

    /// A program with piped input and output.
    pub(super) fn start(&self, name: &'static str, arguments: &[&str]) -> Result<Running, String> {
        let path = self.found.program(name);
        let mut command = Command::new(&path);
        command.args(arguments);
        // Only the settings of the connection string count, and messages are in English.
        let child = command
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child =
            child.map_err(|error| format!("{} cannot be run: {error}", path.display()))?;
        let errors = child.stderr.take().map(|mut stderr| {
            tokio::spawn(async move {
                let mut text = Vec::new();
                let _ = (&mut stderr)
                    .take(MAX_ERROR_BYTES)
                    .read_to_end(&mut text)
                    .await;
                // A full pipe would stop the program.
                let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
                String::from_utf8_lossy(&text).trim().to_owned()
            })
        });
        Ok(Running {
            name,
            path,
            child,
            errors,
        })
    }
}

/// A program that runs. It is killed when this is dropped.
pub(super) struct Running {
    name: &'static str,
    path: PathBuf,
    child: Child,
    errors: Option<JoinHandle<String>>,
}

impl Running {
    /// Reads the next piece of its output. 0 bytes: the end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let read = match &mut self.child.stdout {
            Some(output) => output.read(buffer).await,
            None => Ok(0),
        };
        read.map_err(|error| format!("reading from {} failed: {error}", self.name))
    }

    /// Its input. Dropping it ends the input.
    pub(super) fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until it has ended, after all its output was read.
    ///
    /// # Errors
    /// As [`Running::finish`].
    pub(super) async fn wait(&mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await;
        let status = status.map_err(|error| format!("{} failed: {error}", self.name))?;
        let printed = match self.errors.take() {
            Some(errors) => errors.await.unwrap_or_default(),
            None => String::new(),
        };
        match status.success() {
            true => Ok(()),
            false => Err(format!("{} failed: {printed}", self.path.display())),
        }
    }

    /// Ends its input and output, and waits until it has ended.
    ///
    /// # Errors
    /// What it printed, if it failed.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        drop(self.child.stdout.take());
        self.wait().await
    }
}

/// Copies a file into the input of a program in the background. A program that ends before it has read everything is not an error here:
/// its exit status reports the failure.
pub(super) fn feed(
    mut file: Box<dyn Read + Send>,
    input: Option<ChildStdin>,
) -> JoinHandle<io::Result<()>> {
    tokio::spawn(async move {
        let Some(mut input) = input else {
            return Ok(());
        };
        loop {
            let (piece, rest) = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let count = file.read(&mut piece);
                (
                    count.map(|count| {
                        piece.truncate(count);
                        piece
                    }),
                    file,
                )
            })
            .await
            .map_err(io::Error::other)?;
            file = rest;
            let piece = piece?;
            if piece.is_empty() || input.write_all(&piece).await.is_err() {
                return Ok(());
            }
        }
    })
}
