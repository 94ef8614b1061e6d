//! The manifest of a backup: what it contains, with the SHA-256 of each file.

use std::{collections::BTreeMap, fmt::Write};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The file name of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// The file name of the database's dump, in pg_dump's custom format.
pub(super) const DUMP: &str = "database.dump";
/// The folders of images and thumbnails. A file's name is the id of its image.
pub(super) const IMAGES: &str = "images";
pub(super) const THUMBNAILS: &str = "thumbnails";
/// The secrets, if requested.
pub(in crate::cli) const KEY: &str = "keys/jwt-secret";
pub(in crate::cli) const PREVIOUS_KEY: &str = "keys/jwt-secret-previous";
/// The version of the layout.
pub(super) const FORMAT: u32 = 1;

/// What a backup contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    /// The version of the layout. Programs reject newer ones.
    pub(super) format: u32,
    /// The version of the program that made the backup.
    pub(super) program: String,
    /// When the backup began.
    pub(super) created_at: DateTime<Utc>,
    /// The version of the PostgreSQL server.
    pub(super) server_version: String,
    /// The major version of pg_dump. Older programs cannot read the dump.
    pub(super) dump_major: u32,
    /// The schema of the tables.
    pub(super) schema: String,
    /// The newest migration of the database.
    pub(super) newest_migration: String,
    /// Images that the database names, but that were missing in the store.
    pub(super) missing_images: u64,
    /// The files by their path in the backup.
    pub(super) files: BTreeMap<String, FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Its size.
    pub(super) bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub(super) sha256: String,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(bytes: &[u8]) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let invalid = |error: serde_json::Error| format!("{MANIFEST} is invalid: {error}");
        let version: Version = serde_json::from_slice(bytes).map_err(invalid)?;
        if version.format > FORMAT {
            return Err(format!(
                "it has format {}, which needs a newer snapnote",
                version.format
            ));
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(invalid)?;
        match manifest.files.keys().find(|path| !is_safe(path)) {
            Some(path) => Err(format!("{MANIFEST} names the file {path:?}")),
            None => Ok(manifest),
        }
    }

    /// The size of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// The number of files in a folder.
    pub(super) fn count(&self, folder: &str) -> usize {
        let is_in = |path: &&String| {
            path.split_once('/')
                .is_some_and(|(start, _)| start == folder)
        };
        self.files.keys().filter(is_in).count()
    }
}

/// Whether a path stays in the folder of the backup.
fn is_safe(path: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part != "."
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    path.split('/').all(is_name)
}

/// Computes the entry of a file from its bytes.
#[derive(Default)]
pub(super) struct Hasher {
    digest: Sha256,
    bytes: u64,
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> FileEntry {
        let mut sha256 = String::new();
        for byte in self.digest.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        FileEntry {
            bytes: self.bytes,
            sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_outside_the_backup_are_rejected() {
        for (path, safe) in [
            ("database.dump", true),
            ("images/018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f", true),
            ("../etc/passwd", false),
            ("/etc/passwd", false),
            ("images//a", false),
            ("images/../a", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(is_safe(path), safe, "{path}");
        }
    }

    #[test]
    fn manifests_of_newer_programs_are_rejected_with_the_reason() {
        let newer = Manifest::read(br#"{ "format": 2, "other": true }"#).expect_err("it is newer");
        assert!(newer.contains("newer snapnote"), "{newer}");
        assert!(Manifest::read(b"{}").is_err());
    }

    #[test]
    fn a_hash_is_that_of_all_bytes() {
        let mut hasher = Hasher::default();
        hasher.update(b"ab");
        hasher.update(b"c");
        let entry = hasher.finish();
        assert_eq!(entry.bytes, 3);
        // printf abc | sha256sum
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(entry.sha256, expected);
    }
}
