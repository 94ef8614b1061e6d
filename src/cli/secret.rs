//! The secret from which all keys are derived: SNAPNOTE_JWT_SECRET, or a generated one in the data folder. During a rotation also
//! SNAPNOTE_JWT_SECRET_PREVIOUS.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use super::backup::{KEY, PREVIOUS_KEY};
use crate::{
    auth::keys::Secrets,
    config::{AuthConfig, Config, Secret},
};

/// The file of the generated secret in the data folder.
const FILE: &str = "jwt-secret";

/// The current and the previous secret. Without SNAPNOTE_JWT_SECRET, the current one is generated and kept in the data folder.
/// `config` has checked that it is set if DATABASE_URL is.
fn configured(config: &Config) -> Result<(Secret, Option<Secret>), String> {
    let current = match &config.auth.jwt_secret {
        Some(secret) => secret.clone(),
        None => kept_secret(&config.database.data_dir)?,
    };
    Ok((current, config.auth.jwt_secret_previous.clone()))
}

/// The secrets from which keys are derived.
pub(super) fn secrets(config: &Config) -> Result<Secrets, String> {
    let (current, previous) = configured(config)?;
    let bytes = |secret: Secret| secret.reveal().as_bytes().to_vec();
    Ok(Secrets::new(bytes(current), previous.map(bytes)))
}

/// The secrets as text, with their names in a backup.
pub(super) fn secret_texts(config: &Config) -> Result<Vec<(&'static str, String)>, String> {
    let (current, previous) = configured(config)?;
    let named = [(KEY, Some(current)), (PREVIOUS_KEY, previous)];
    let texts = named.into_iter().filter_map(|(name, secret)| {
        let secret = secret?;
        Some((name, secret.reveal().to_owned()))
    });
    Ok(texts.collect())
}

/// Keeps the secret of a backup in the data folder, unless there is one already. Returns whether it was written.
pub(super) fn keep_restored(folder: &Path, secret: &str) -> Result<bool, String> {
    let path = folder.join(FILE);
    if path.exists() {
        return Ok(false);
    }
    let written = write_if_missing(folder, &path, secret);
    written
        .map_err(|error| format!("The key cannot be written to {}: {error}.", path.display()))?;
    Ok(true)
}

/// The key in the data folder, generated if missing. Processes that start at the same time get the same key.
fn kept_secret(folder: &Path) -> Result<Secret, String> {
    let path = folder.join(FILE);
    let failed =
        |error: io::Error| format!("The key in {} cannot be used: {error}.", path.display());
    let mut random = [0; 48];
    getrandom::fill(&mut random)
        .map_err(|error| format!("The system returned no random numbers: {error}."))?;
    write_if_missing(folder, &path, &STANDARD.encode(random)).map_err(failed)?;
    let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(format!(
            "Other users can read {path}. Run `chmod 600 {path}`, or delete the file to generate a new key."
        ));
    }
    let secret = fs::read_to_string(&path).map_err(failed)?;
    let secret = secret.trim();
    if secret.len() < AuthConfig::MIN_SECRET_BYTES {
        let (path, length) = (path.display(), secret.len());
        return Err(format!(
            "The key in {path} has {length} bytes; the minimum is {}. Delete the file to generate a new key.",
            AuthConfig::MIN_SECRET_BYTES
        ));
    }
    secret.parse().map_err(|error| format!("{error}"))
}

/// Writes a temporary file and links it, so that no process reads half a key. The first of two processes wins.
fn write_if_missing(folder: &Path, path: &Path, key: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Keeps the key out of version control.
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        fs::write(&ignored, "*\n")?;
    }
    let temporary = folder.join(format!("{FILE}.{}", Uuid::now_v7()));
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path of a folder that does not exist yet.
    fn folder(name: &str) -> std::path::PathBuf {
        let unique = format!("snapnote-cli-{}-{name}", std::process::id());
        std::env::temp_dir().join(unique)
    }

    #[test]
    fn processes_that_start_together_get_the_same_key() {
        let folder = folder("race");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| kept_secret(&folder)))
                .collect();
            begun.into_iter().map(|thread| thread.join()).collect()
        });
        let first = kept_secret(&folder).expect("it is kept");
        assert!(first.reveal().len() >= AuthConfig::MIN_SECRET_BYTES);
        for secret in secrets {
            assert_eq!(secret.expect("no panic"), Ok(first.clone()));
        }
        let path = folder.join(FILE);
        let metadata = fs::metadata(&path).expect("it is a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(names, 2, "the key and .gitignore");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        let message = kept_secret(&folder).expect_err("other users can read it");
        assert!(message.contains("chmod 600"), "{message}");
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
