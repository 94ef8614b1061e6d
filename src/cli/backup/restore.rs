//! `snapnote restore`: verifies a backup, restores the database in one transaction, then writes the images.

use std::{io, path::PathBuf};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{
    super::{
        DatabaseServer, Outcome, confirmation::confirm, print, progress, secret::keep_restored,
        settings::pool,
    },
    archive::Reader,
    contents, failed,
    manifest::{DUMP, IMAGES, KEY, Manifest, PREVIOUS_KEY},
    name_of,
    programs::{Programs, Running, feed},
    reject_sharded, schema, without_pooler,
};
use crate::{
    config::{Config, RestoreOptions},
    db::{
        Database,
        backup::{State, after_restore, before_restore, state},
        migrate::{self, Phase},
    },
    images::copies::{self, Copies},
};

/// What a restore did.
struct Restored {
    images: u64,
    missing_images: u64,
    /// Whether the secret was written to the data folder.
    key: bool,
    pending: Vec<String>,
}

/// Opens a backup and compares all its files with the manifest. Needs no database.
fn verified(options: &RestoreOptions) -> Result<Reader, String> {
    let backup = Reader::open(&options.from)?;
    let progress = progress::bytes(options.json, "verify", Some(backup.manifest().bytes()));
    backup.verify(|bytes| progress.inc(bytes))?;
    progress.finish_and_clear();
    Ok(backup)
}

pub(in crate::cli) async fn restore(
    config: &Config,
    server: &DatabaseServer,
    options: &RestoreOptions,
) -> Outcome {
    let backup = verified(options)?;
    let target = without_pooler(server);
    reject_sharded(target).await?;
    let database = Database::new(target.clone(), &pool(config));
    let state = state(&database).await?;
    check(&state, &backup, options)?;
    let programs = Programs::for_restore(
        config.database.pg_bin.as_deref(),
        target,
        backup.manifest().dump_major,
        state.major.unsigned_abs(),
    )?;
    let copies = Copies::open(&config.storage.storage(&config.database.data_dir)?)?;
    // The pool's connections would wait for the locks of the restore, and vice versa.
    database.close().await;
    let work = Restore {
        backup: &backup,
        programs: &programs,
        replaces: state.relations > 0,
        is_quiet: options.json,
    };
    work.database().await?;
    let database = Database::new(target.clone(), &pool(config));
    let (images, missing_images) = work.images(&database, &copies).await?;
    let states = migrate::status(target).await?;
    let restored = Restored {
        images,
        missing_images,
        key: restore_key(config, &backup)?,
        pending: migrate::names(&states, Phase::Pending),
    };
    report(options, &backup, &state, &restored)
}

/// Whether the backup can be restored into the database.
fn check(state: &State, backup: &Reader, options: &RestoreOptions) -> Result<(), String> {
    let (schema, database) = (schema(state)?, &state.database);
    let expected = &backup.manifest().schema;
    if schema != *expected {
        return Err(format!(
            "The backup is of the schema {expected}, but the role uses {schema}. Set the search_path of the role: \
             ALTER ROLE … SET search_path = {expected}."
        ));
    }
    if state.sessions > 0 {
        return Err(format!(
            "{} connections of the service to the database `{database}` are open. Stop all its processes first. Behind a pooler, let \
             it reconnect (PgBouncer: RECONNECT).",
            state.sessions
        ));
    }
    if state.relations == 0 {
        return Ok(());
    }
    if !options.replace {
        return Err(format!(
            "The database `{database}` is not empty: its schema {schema} has {} tables, views and sequences. Restore into an empty \
             database, or add --replace to delete all data in this schema.",
            state.relations
        ));
    }
    if options.yes {
        return Ok(());
    }
    let warning = format!(
        "All data in the schema {schema} of the database `{database}` is replaced by {}.",
        options.from.display()
    );
    confirm(&warning, "the name of the database", database)
}

fn unchanged(why: &str) -> String {
    format!("The database was not changed, because restoring it failed. {why}")
}

/// A restore in progress.
struct Restore<'a> {
    backup: &'a Reader,
    programs: &'a Programs,
    replaces: bool,
    is_quiet: bool,
}

impl Restore<'_> {
    /// Restores the database. pg_restore turns the dump into a script, which psql runs in a transaction of ours. Only the last line
    /// commits it.
    async fn database(&self) -> Result<(), String> {
        let contents = contents(self.programs, self.backup).await;
        let list = ContentsFile::write(&contents.map_err(|why| unchanged(&why))?)?;
        let use_list = format!("--use-list={}", list.0.display());
        let arguments = ["--file=-", "--no-owner", "--no-privileges", &use_list];
        let mut script = self.programs.start("pg_restore", &arguments)?;
        let dump = self.backup.file(DUMP).map_err(|error| failed(&error))?;
        let feeding = feed(dump, script.input());
        let arguments = [
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            "--file=-",
        ];
        let mut psql = self.programs.start("psql", &arguments)?;
        let copied = self.copy(&mut script, &mut psql).await;
        feeding.abort();
        // An error of psql ends the copying, so its reason comes first.
        let executed = match copied {
            // Without the last line, psql rolls back.
            Err(problem) => psql.finish().await.and(Err(problem)),
            Ok(()) => psql.finish().await,
        };
        executed.map_err(|why| unchanged(&why))
    }

    async fn copy(&self, script: &mut Running, psql: &mut Running) -> Result<(), String> {
        let progress = progress::bytes(self.is_quiet, "database", None);
        let mut input = psql.input().ok_or("psql has no input")?;
        let mut buffer = vec![0; 256 * 1024];
        let ended = |error: io::Error| format!("psql ended early: {error}");
        let before = before_restore(self.replaces);
        input.write_all(before.as_bytes()).await.map_err(ended)?;
        loop {
            let count = script.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            progress.inc(count as u64);
            input.write_all(&buffer[..count]).await.map_err(ended)?;
        }
        script.wait().await?;
        let after = after_restore(&self.backup.manifest().schema);
        input.write_all(after.as_bytes()).await.map_err(ended)?;
        progress.finish_and_clear();
        Ok(())
    }

    /// Writes the images that the restored database names. Returns their number, and how many the backup does not have.
    async fn images(&self, database: &Database, copies: &Copies) -> Result<(u64, u64), String> {
        let total = self.backup.manifest().count(IMAGES);
        let progress = progress::count(self.is_quiet, "images", Some(total as u64));
        let (mut after, mut written, mut missing) = (Uuid::nil(), 0, 0);
        let failed_images = |why: &str| {
            format!(
                "The database was restored, but writing the images failed: {why}. Run the command again with --replace."
            )
        };
        loop {
            let page = copies::objects(database, after).await;
            let page = page.map_err(|error| failed_images(&error.log_text()))?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for object in page {
                let name = name_of(object);
                if !self.backup.manifest().files.contains_key(&name) {
                    missing += u64::from(!object.is_thumbnail);
                    continue;
                }
                let mut bytes = Vec::new();
                let read = self
                    .backup
                    .file(&name)
                    .and_then(|mut file| file.read_to_end(&mut bytes));
                read.map_err(|error| failed_images(&error.to_string()))?;
                let stored = copies.write(object, bytes.into()).await;
                stored.map_err(|error| failed_images(&error.log_text()))?;
                if !object.is_thumbnail {
                    written += 1;
                    progress.inc(1);
                }
            }
        }
        progress.finish_and_clear();
        Ok((written, missing))
    }
}

/// The part of the dump's table of contents that is restored, in a temporary file. It omits the schema, which exists, and comments
/// of extensions, which only the owners of the extensions may set.
struct ContentsFile(PathBuf);

impl ContentsFile {
    fn write(contents: &str) -> Result<ContentsFile, String> {
        let is_restored = |line: &&str| {
            !(line.contains(" SCHEMA - ")
                || line.contains(" COMMENT - EXTENSION ")
                || line.contains(" COMMENT - SCHEMA "))
        };
        let lines: Vec<&str> = contents.lines().filter(is_restored).collect();
        let path = std::env::temp_dir().join(format!("snapnote-restore-{}", Uuid::new_v4()));
        let written = std::fs::write(&path, lines.join("\n"));
        written.map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
        Ok(ContentsFile(path))
    }
}

impl Drop for ContentsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Keeps the secret of the backup in the data folder, if the backup has one and no other is configured there.
fn restore_key(config: &Config, backup: &Reader) -> Result<bool, String> {
    if !backup.manifest().files.contains_key(KEY) || config.auth.jwt_secret.is_some() {
        return Ok(false);
    }
    let mut secret = String::new();
    let read = backup
        .file(KEY)
        .and_then(|mut file| file.read_to_string(&mut secret));
    read.map_err(|error| failed(&error))?;
    keep_restored(&config.database.data_dir, &secret)
}

fn report(
    options: &RestoreOptions,
    backup: &Reader,
    state: &State,
    restored: &Restored,
) -> Outcome {
    let manifest = backup.manifest();
    if options.json {
        let report = json!({
            "path": options.from, "createdAt": manifest.created_at, "database": state.database,
            "replaced": state.relations > 0, "images": restored.images, "missingImages": restored.missing_images,
            "keys": manifest.files.contains_key(KEY), "keyRestored": restored.key, "pendingMigrations": restored.pending,
        });
        return print(format_args!("{report:#}\n"));
    }
    print(format_args!(
        "Restored  {} from the backup of {} (images: {})\n",
        state.database,
        manifest.created_at.format("%Y-%m-%dT%H:%M:%SZ"),
        restored.images
    ))?;
    if restored.missing_images > 0 {
        let missing = restored.missing_images;
        print(format_args!(
            "Missing   {missing} images that the backup does not have\n"
        ))?;
    }
    print(format_args!(
        "Secret    {}\n",
        secret(restored.key, manifest)
    ))?;
    if !restored.pending.is_empty() {
        print("Schema    older than this program; run `snapnote migrate up`\n")?;
    }
    Ok(())
}

/// What happened to the secrets. `is_restored`: whether the current one was written to the data folder.
fn secret(is_restored: bool, manifest: &Manifest) -> String {
    let previous = match manifest.files.contains_key(PREVIOUS_KEY) {
        true => format!(". Set SNAPNOTE_JWT_SECRET_PREVIOUS to {PREVIOUS_KEY} of the backup"),
        false => String::new(),
    };
    match (is_restored, manifest.files.contains_key(KEY)) {
        (true, _) => format!("restored to the data folder{previous}"),
        (false, true) => {
            format!("not restored, because another one is set; the backup has {KEY}{previous}")
        }
        (false, false) => "not in the backup; without the former one, all sessions end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_comments_of_extensions_are_not_restored() {
        let contents = "; Archive\n4; 2615 2200 SCHEMA - public ada\n2; 3079 16 EXTENSION - pg_trgm \n\
            9; 0 0 COMMENT - EXTENSION pg_trgm \n3; 0 0 COMMENT - SCHEMA public ada\n5; 1259 17 TABLE public SCHEMA ada";
        let file = ContentsFile::write(contents).expect("a file");
        let kept = std::fs::read_to_string(&file.0).expect("it is there");
        let expected =
            "; Archive\n2; 3079 16 EXTENSION - pg_trgm \n5; 1259 17 TABLE public SCHEMA ada";
        assert_eq!(kept, expected);
        let path = file.0.clone();
        drop(file);
        assert!(!path.exists());
    }
}
