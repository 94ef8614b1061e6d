//! The key of access tokens: the one that is set, or the data folder's own.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use crate::config::{Config, Secret};

/// The least length of the key of access tokens, in bytes: as long as what HS256 makes.
const LEAST_SECRET: usize = 32;

/// The key of access tokens: the one that is set; on the embedded database one of the data folder's own.
pub(super) fn secret(config: &Config) -> Result<Vec<u8>, String> {
    let remedy = "Make one with `openssl rand -base64 48` and set SNAPNOTE_JWT_SECRET to it.";
    let secret = match (&config.auth.jwt_secret, &config.database.database_url) {
        (Some(secret), _) => secret.reveal().as_bytes().to_vec(),
        (None, Some(_)) => {
            return Err(format!(
                "SNAPNOTE_JWT_SECRET is not set, and with DATABASE_URL it must be. {remedy}"
            ));
        }
        (None, None) => kept_secret(&config.database.data_dir)?
            .reveal()
            .as_bytes()
            .to_vec(),
    };
    if secret.len() < LEAST_SECRET {
        let length = secret.len();
        return Err(format!(
            "SNAPNOTE_JWT_SECRET has {length} bytes, and it must have {LEAST_SECRET} at least. {remedy}"
        ));
    }
    Ok(secret)
}

/// The data folder's own key, made if there is none. Of two processes that begin at once both get the same.
fn kept_secret(folder: &Path) -> Result<Secret, String> {
    let path = folder.join("jwt-secret");
    let wrong =
        |error: io::Error| format!("The key in {} cannot be used: {error}.", path.display());
    fs::create_dir_all(folder).map_err(wrong)?;
    // Nobody is to commit a key by accident.
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        fs::write(&ignored, "*\n").map_err(wrong)?;
    }
    let mut random = [0; 48];
    getrandom::fill(&mut random)
        .map_err(|error| format!("The system gives no random numbers: {error}."))?;
    // Written beside it and linked, so that nobody ever reads half a key; the first of two wins.
    let beside = folder.join(format!("jwt-secret.{}", Uuid::now_v7()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(wrong)?;
    file.write_all(STANDARD.encode(random).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(wrong)?;
    let linked = fs::hard_link(&beside, &path);
    fs::remove_file(&beside).map_err(wrong)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(wrong(error));
        }
        _ => {}
    }
    let mode = fs::metadata(&path).map_err(wrong)?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(format!(
            "{path} can be read by others. Run `chmod 600 {path}`, or delete it to get a new key."
        ));
    }
    let mut secret = String::new();
    fs::File::open(&path)
        .and_then(|mut file| file.read_to_string(&mut secret))
        .map_err(wrong)?;
    secret.trim().parse().map_err(|error| format!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is not there yet.
    fn folder(name: &str) -> std::path::PathBuf {
        let unique = format!("snapnote-cli-{}-{name}", std::process::id());
        std::env::temp_dir().join(unique)
    }

    #[test]
    fn all_who_begin_at_once_keep_the_same_secret() {
        let folder = folder("race");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| kept_secret(&folder)))
                .collect();
            begun.into_iter().map(|thread| thread.join()).collect()
        });
        let first = kept_secret(&folder).expect("it is kept");
        assert!(first.reveal().len() >= LEAST_SECRET);
        for secret in secrets {
            assert_eq!(secret.expect("no panic"), Ok(first.clone()));
        }
        let path = folder.join("jwt-secret");
        let metadata = fs::metadata(&path).expect("it is a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(names, 2, "the key and .gitignore");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        let message = kept_secret(&folder).expect_err("others can read it");
        assert!(message.contains("chmod 600"), "{message}");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
