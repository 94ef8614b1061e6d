//! Passwords: hashed with Argon2id, off the async threads, a few at a time.
//!
//! Hashing takes 19 MiB and some 20 ms of a processor. Without the permits a burst of sign-ins cut everybody else's
//! throughput to a sixth. Who has no password, or is not there, costs the same as who is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::error::Error;

/// OWASP's recommendation: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and verifies. Cheap to clone.
#[derive(Clone)]
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    hashed: Arc<AtomicU64>,
    /// Of no password: what an unknown person's is compared with.
    nobodys: Arc<str>,
}

impl Passwords {
    /// `permits`: hashes at a time.
    pub(super) fn new(permits: usize) -> Self {
        let nobodys = hash("nobody has this password")
            .expect("the parameters are constants within Argon2's limits");
        Passwords {
            permits: Arc::new(Semaphore::new(permits)),
            hashed: Arc::new(AtomicU64::new(0)),
            nobodys: nobodys.into(),
        }
    }

    /// A password's hash as a PHC string.
    pub(super) async fn hash(&self, password: String) -> Result<String, Error> {
        self.off_the_async_threads(move || hash(&password)).await?
    }

    /// Whether that is the password of the hash; never, and at the same cost, if there is no hash.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let nobodys = self.nobodys.clone();
        self.off_the_async_threads(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| nobodys.to_string());
            let Ok(hash) = PasswordHash::new(&hash) else {
                return false;
            };
            hasher().is_ok_and(|hasher| hasher.verify_password(password.as_bytes(), &hash).is_ok())
                && known
        })
        .await
    }

    /// How many passwords were hashed or verified since the process started.
    pub(super) fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    async fn off_the_async_threads<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        // The permit goes along: a request that gives up does not make room for another hash before this one ends.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await
            .map_err(|error| Error::internal(format!("hashing a password: {error}")))
    }
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn hash(password: &str) -> Result<String, Error> {
    let hash = hasher()?
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_alone() {
        let passwords = Passwords::new(1);
        let hash = passwords
            .hash("correct horse".to_owned())
            .await
            .expect("it can be hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (password, hash, expected) in [
            ("correct horse", Some(hash.clone()), true),
            ("wrong horse", Some(hash), false),
            ("correct horse", None, false),
            ("nobody has this password", None, false),
            ("correct horse", Some("no hash".to_owned()), false),
        ] {
            let answer = passwords
                .verify(password.to_owned(), hash)
                .await
                .expect("it can be verified");
            assert_eq!(answer, expected, "{password}");
        }
        assert_eq!(passwords.hashed(), 6);
    }
}
