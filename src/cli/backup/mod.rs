//! `snapnote backup` and `snapnote restore`. docs/backup.md describes them to operators.
//!
//! A backup contains the database (pg_dump's custom format), the images with their thumbnails, the secrets if requested, and a manifest
//! with the SHA-256 of each file.
//!
//! - `archive`: the backup on disk. `manifest`: what it contains. `prune`: deletes old ones.
//! - `programs`: runs pg_dump, pg_restore and psql. `restore`: restores a backup.
//!
//! # Design decisions
//! - **Images before and after the dump.** An image's object never changes, and it is deleted some time after its row. Objects are copied
//!   before the dump, and those of newer rows after it. So the copy is complete, except for images that were both added and deleted
//!   in the meantime. The manifest has their number.
//! - **Only the service's schema** is dumped, with the extensions that it needs. Other schemas of the database are left alone.
//! - **A restore is one transaction**, also if it replaces data. If it fails, the database is as before.

mod archive;
mod manifest;
mod programs;
mod prune;
mod restore;

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use archive::{Reader, Writer};
use chrono::{DateTime, Utc};
use manifest::{DUMP, FORMAT, IMAGES, Manifest, THUMBNAILS};
pub(super) use manifest::{KEY, PREVIOUS_KEY};
use programs::{Programs, feed};
pub(super) use restore::restore;
use serde_json::json;
use uuid::Uuid;

use super::{DatabaseServer, Outcome, print, progress, secret::secret_texts, settings::pool};
use crate::{
    config::{BackupOptions, Config},
    db::{
        Database,
        backup::{State, state},
        connect::Target,
        migrate::{self, Phase},
        sharding,
    },
    images::copies::{self, Copies, Object},
};

/// The extensions that the service needs.
const EXTENSIONS: [&str; 1] = ["pg_trgm"];

pub(super) async fn backup(
    config: &Config,
    server: &DatabaseServer,
    options: &BackupOptions,
) -> Outcome {
    let now = Utc::now();
    let path = path_for(options, now)?;
    let target = without_pooler(server);
    reject_sharded(target).await?;
    let database = Database::new(target.clone(), &pool(config));
    let state = state(&database).await?;
    let source = Source {
        programs: Programs::for_dump(
            config.database.pg_bin.as_deref(),
            target,
            state.major.unsigned_abs(),
        )?,
        newest_migration: newest_migration(target).await?,
        schema: schema(&state)?,
        copies: Copies::open(&config.storage.storage(&config.database.data_dir)?)?,
        database,
        state,
        is_quiet: options.json,
    };
    let keys = match options.include_keys {
        true => secret_texts(config)?,
        false => Vec::new(),
    };
    let (path, manifest) = source.write(path, keys, now).await?;
    let pruned = match options.keep_days {
        Some(days) => prune::prune(&options.to, days, now).map_err(|error| {
            let folder = options.to.display();
            format!("The backup was written, but deleting old ones in {folder} failed: {error}.")
        })?,
        None => Vec::new(),
    };
    report(options, &path, &manifest, &pruned)
}

/// Where the backup is written.
fn path_for(options: &BackupOptions, now: DateTime<Utc>) -> Result<PathBuf, String> {
    let to = &options.to;
    if !archive::is_zip(to) {
        std::fs::create_dir_all(to)
            .map_err(|error| format!("{} cannot be created: {error}.", to.display()))?;
        return Ok(to.join(prune::name_at(now)));
    }
    match options.keep_days {
        Some(_) => Err("--keep-days needs a folder instead of a .zip file.".to_owned()),
        None => Ok(to.clone()),
    }
}

/// pg_dump and psql keep settings in their sessions, so a pooler in transaction mode must not be in between.
fn without_pooler(server: &DatabaseServer) -> &Target {
    server.direct.as_ref().unwrap_or(&server.target)
}

/// pg_dump would read the rows of each server at another time, and its script would not distribute them.
async fn reject_sharded(target: &Target) -> Outcome {
    match sharding::detect(target).await? {
        true => Err("The database is sharded. Back up and restore its servers with their own tools (docs/scale.md).".to_owned().into()),
        false => Ok(()),
    }
}

fn schema(state: &State) -> Result<String, String> {
    let missing = "The database has no current schema. Check the search_path of the role.";
    state.schema.clone().ok_or_else(|| missing.to_owned())
}

async fn newest_migration(target: &Target) -> Outcome<String> {
    let states = migrate::status(target).await?;
    let applied = states
        .into_iter()
        .rfind(|state| state.phase != Phase::Pending);
    let none = "The database has no tables of snapnote, so there is nothing to back up.";
    Ok(applied.ok_or_else(|| none.to_owned())?.name)
}

/// What is backed up.
struct Source {
    programs: Programs,
    database: Database,
    copies: Copies,
    state: State,
    schema: String,
    newest_migration: String,
    is_quiet: bool,
}

impl Source {
    /// Writes a backup, verifies it, and gives it its final name.
    async fn write(
        &self,
        path: PathBuf,
        keys: Vec<(&'static str, String)>,
        now: DateTime<Utc>,
    ) -> Result<(PathBuf, Manifest), String> {
        let shown = path.display();
        let mut writer = Writer::create(&path)
            .map_err(|error| format!("{shown} cannot be created: {error}."))?;
        let mut copied = HashSet::new();
        self.copy_images(&mut writer, &mut copied).await?;
        self.dump(&mut writer).await?;
        let missing_images = self.copy_images(&mut writer, &mut copied).await?;
        for (name, secret) in keys {
            let added = writer.add(name, secret.as_bytes());
            added.map_err(|error| failed(&error))?;
        }
        let manifest = Manifest {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: now,
            server_version: self.state.version.clone(),
            dump_major: self.programs.major(),
            schema: self.schema.clone(),
            newest_migration: self.newest_migration.clone(),
            missing_images,
            files: writer.files().clone(),
        };
        let sealed = writer.seal(&manifest)?;
        self.verify(&sealed.open()?).await?;
        let path = sealed.publish().map_err(|error| failed(&error))?;
        Ok((path, manifest))
    }

    async fn dump(&self, writer: &mut Writer) -> Result<(), String> {
        let schema = format!("--schema={}", self.schema);
        let extensions = EXTENSIONS.map(|name| format!("--extension={name}"));
        let mut arguments = vec!["--format=custom", "--no-owner", "--no-privileges", &schema];
        arguments.extend(["--no-unlogged-table-data", "--lock-wait-timeout=30000"]);
        arguments.extend(extensions.iter().map(String::as_str));
        let mut running = self.programs.start("pg_dump", &arguments)?;
        let progress = progress::bytes(self.is_quiet, "database", None);
        let mut buffer = vec![0; 256 * 1024];
        writer.begin(DUMP).map_err(|error| failed(&error))?;
        loop {
            let count = running.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            progress.inc(count as u64);
            let written = writer.write(&buffer[..count]);
            written.map_err(|error| failed(&error))?;
        }
        writer.end().map_err(|error| failed(&error))?;
        progress.finish_and_clear();
        running.finish().await
    }

    /// Copies the objects that were not copied yet. Returns how many the store does not have.
    async fn copy_images(
        &self,
        writer: &mut Writer,
        copied: &mut HashSet<(Uuid, bool)>,
    ) -> Result<u64, String> {
        let (mut after, mut missing) = (Uuid::nil(), 0);
        let progress = progress::count(self.is_quiet, "images", None);
        loop {
            let page = copies::objects(&self.database, after).await;
            let page = page.map_err(|error| error.log_text())?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for object in page {
                if copied.contains(&(object.id, object.is_thumbnail)) {
                    continue;
                }
                let read = self.copies.read(object).await;
                let Some(bytes) = read.map_err(|error| error.log_text())? else {
                    missing += 1;
                    continue;
                };
                let added = writer.add(&name_of(object), &bytes);
                added.map_err(|error| failed(&error))?;
                copied.insert((object.id, object.is_thumbnail));
                progress.inc(1);
            }
        }
        progress.finish_and_clear();
        Ok(missing)
    }

    /// Reads the backup from the disk: all hashes, and the dump's table of contents.
    async fn verify(&self, backup: &Reader) -> Result<(), String> {
        let progress = progress::bytes(self.is_quiet, "verify", Some(backup.manifest().bytes()));
        backup.verify(|bytes| progress.inc(bytes))?;
        progress.finish_and_clear();
        contents(&self.programs, backup).await.map(|_| ())
    }
}

/// The table of contents of the dump. Fails if pg_restore cannot read it.
async fn contents(programs: &Programs, backup: &Reader) -> Result<String, String> {
    let dump = backup.file(DUMP).map_err(|error| failed(&error))?;
    let mut running = programs.start("pg_restore", &["--list"])?;
    let feeding = feed(dump, running.input());
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match running.read(&mut buffer).await? {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    running.finish().await?;
    feeding.abort();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn name_of(object: Object) -> String {
    let folder = match object.is_thumbnail {
        true => THUMBNAILS,
        false => IMAGES,
    };
    format!("{folder}/{}", object.id)
}

fn failed(error: &io::Error) -> String {
    format!("Reading or writing the backup failed: {error}.")
}

fn report(
    options: &BackupOptions,
    path: &Path,
    manifest: &Manifest,
    pruned: &[PathBuf],
) -> Outcome {
    let has_keys = manifest.count("keys") > 0;
    if options.json {
        let report = json!({
            "path": path, "createdAt": manifest.created_at, "bytes": manifest.bytes(),
            "databaseBytes": manifest.files.get(DUMP).map(|file| file.bytes),
            "images": manifest.count(IMAGES), "thumbnails": manifest.count(THUMBNAILS),
            "missingImages": manifest.missing_images, "keys": has_keys, "deleted": pruned,
        });
        return print(format_args!("{report:#}\n"));
    }
    let (images, size) = (
        manifest.count(IMAGES),
        indicatif::HumanBytes(manifest.bytes()),
    );
    print(format_args!(
        "Backup    {} ({size}, images: {images})\n",
        path.display()
    ))?;
    if manifest.missing_images > 0 {
        print(format_args!(
            "Missing   {} images that the image storage does not have\n",
            manifest.missing_images
        ))?;
    }
    if !has_keys {
        print(
            "Secret    not included; keep SNAPNOTE_JWT_SECRET (or the file jwt-secret) elsewhere\n",
        )?;
    }
    for path in pruned {
        print(format_args!("Deleted   {}\n", path.display()))?;
    }
    Ok(())
}
