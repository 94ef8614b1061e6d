//! The names of backups in a folder, and the deletion of old ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{super::unfinished, manifest::MANIFEST};

/// The start of the names of backups.
const PREFIX: &str = "snapnote-";
/// The time in the name of a backup. It sorts by time.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// How old an unfinished backup must be before it is deleted. No backup takes longer.
const ABANDONED: TimeDelta = TimeDelta::days(2);

/// The name of a backup that begins at this time.
pub(super) fn name_at(time: DateTime<Utc>) -> String {
    format!("{PREFIX}{}", time.format(TIME))
}

/// Deletes the backups in a folder that are older than these days, and abandoned unfinished ones. Changes nothing else in the folder.
/// Returns their paths.
pub(super) fn prune(folder: &Path, days: u32, now: DateTime<Utc>) -> io::Result<Vec<PathBuf>> {
    let mut deleted = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let complete = name.strip_suffix(unfinished::SUFFIX);
        let Some(begun) = time_of(complete.unwrap_or(name)) else {
            continue;
        };
        let age = now - begun;
        let is_old = match complete {
            Some(_) => age > ABANDONED,
            None => age > TimeDelta::days(days.into()) && path.join(MANIFEST).is_file(),
        };
        if is_old {
            fs::remove_dir_all(&path)?;
            deleted.push(path);
        }
    }
    deleted.sort();
    Ok(deleted)
}

fn time_of(name: &str) -> Option<DateTime<Utc>> {
    let time = NaiveDateTime::parse_from_str(name.strip_prefix(PREFIX)?, TIME).ok()?;
    Some(time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_backups_are_deleted() {
        let folder = std::env::temp_dir().join(format!("snapnote-prune-{}", std::process::id()));
        let now = "2026-11-30T12:00:00Z".parse().expect("a time");
        let make = |name: &str, complete: bool| {
            let path = folder.join(name);
            fs::create_dir_all(&path).expect("a folder");
            if complete {
                fs::write(path.join(MANIFEST), "{}").expect("a file");
            }
        };
        for (name, complete) in [
            ("snapnote-20261122T115959Z", true),
            ("snapnote-20261123T120001Z", true),
            ("snapnote-20261130T120000Z", true),
            ("snapnote-20261101T000000Z", false),
            ("snapnote-20261127T000000Z.unfinished", false),
            ("snapnote-20261130T110000Z.unfinished", false),
            ("snapnote-notes", true),
            ("20261101T000000Z", true),
        ] {
            make(name, complete);
        }
        let deleted = prune(&folder, 7, now).expect("it can be read");
        let names = deleted.iter().filter_map(|path| path.file_name()?.to_str());
        let expected = [
            "snapnote-20261122T115959Z",
            "snapnote-20261127T000000Z.unfinished",
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 6);
        assert_eq!(time_of(&name_at(now)), Some(now));
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
