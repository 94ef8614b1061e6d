//! Passwords: hashed with Argon2id, off the async threads, a few at a time.
//!
//! Hashing takes 19 MiB and some 20 ms of a processor. Without the permits a burst of sign-ins cut everybody else's
//! throughput to a sixth. Who has no password, or is not there, costs the same as who is. Hashes that other systems made
//! (bcrypt, any Argon2) are verified as they are, and never made.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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

/// What a hash of another system may cost at most; a costlier one never verifies.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 20;
const MOST_LANES: u32 = 16;
/// Of bcrypt, as the exponent of 2; the most takes some 5 s.
const LEAST_BCRYPT_COST: u32 = 4;
const MOST_BCRYPT_COST: u32 = 16;

/// Whether a password is the one of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not, or there is no hash that can be understood.
    Wrong,
    /// It is.
    Right,
    /// It is, and the hash is not of our algorithm with our parameters: time to replace it.
    RightButOld,
}

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
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.off_the_async_threads(move || hash(&password)).await?
    }

    /// Whether that is the password of the hash; never, and at the same cost, if there is no hash.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let nobodys = self.nobodys.clone();
        self.off_the_async_threads(move || match hash {
            Some(hash) => verdict(&password, &hash),
            None => {
                verdict(&password, &nobodys);
                Verdict::Wrong
            }
        })
        .await
    }

    /// How many passwords were hashed or verified since the process started.
    pub(super) fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// Does what takes tens of milliseconds of a processor, when it is its turn.
    pub(super) async fn off_the_async_threads<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        // The permit goes along: a request that gives up does not make room for another hash before this one ends.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await
            .map_err(|error| Error::internal(format!("working on a password: {error}")))
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}

fn verdict(password: &str, text: &str) -> Verdict {
    let right = if let Some(hash) = argon2_hash(text) {
        // Algorithm, version and parameters are those of the hash.
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    } else if is_bcrypt_hash(text) {
        // Like every bcrypt it reads 72 bytes. Some end at a NUL, too, and would take what stands before it alone.
        !password.contains('\0') && bcrypt::verify(password, text).unwrap_or(false)
    } else {
        false
    };
    match right {
        false => Verdict::Wrong,
        true if is_ours(text) => Verdict::Right,
        true => Verdict::RightButOld,
    }
}

/// Whether that is a hash that [`Passwords::verify`] understands: any Argon2 as a PHC string, or bcrypt, at a bearable cost.
pub(crate) fn is_known_hash(text: &str) -> bool {
    argon2_hash(text).is_some() || is_bcrypt_hash(text)
}

fn is_ours(text: &str) -> bool {
    text.starts_with(&format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"
    ))
}

fn argon2_hash(text: &str) -> Option<PasswordHash> {
    let mut hash = PasswordHash::new(text).ok()?;
    Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    // Argon2 1.0 wrote no version; this library would take the newest.
    let version = hash.version.get_or_insert(Version::V0x10.into());
    Version::try_from(*version).ok()?;
    let parameters = Params::try_from(&hash).ok()?;
    let bearable = parameters.m_cost() <= MOST_MEMORY_KIB
        && parameters.t_cost() <= MOST_PASSES
        && parameters.p_cost() <= MOST_LANES;
    let complete = hash.salt.is_some() && hash.hash.is_some();
    (bearable && complete).then_some(hash)
}

/// Not `$2x$`: a crypt with a fault made those, and this library has not that fault.
fn is_bcrypt_hash(text: &str) -> bool {
    let prefixed = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let cost = bcrypt::HashParts::from_str(text).map(|parts| parts.get_cost());
    prefixed && cost.is_ok_and(|cost| (LEAST_BCRYPT_COST..=MOST_BCRYPT_COST).contains(&cost))
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
            ("correct horse", Some(hash.clone()), Verdict::Right),
            ("wrong horse", Some(hash), Verdict::Wrong),
            ("correct horse", None, Verdict::Wrong),
            ("nobody has this password", None, Verdict::Wrong),
            ("correct horse", Some("no hash".to_owned()), Verdict::Wrong),
        ] {
            let answer = passwords
                .verify(password.to_owned(), hash)
                .await
                .expect("it can be verified");
            assert_eq!(answer, expected, "{password}");
        }
        assert_eq!(passwords.hashed(), 6);
    }

    /// Test vectors of Argon2's and crypt_blowfish's authors.
    #[test]
    fn hashes_of_other_systems_are_right_but_old() {
        for (password, hash) in [
            (
                "password",
                "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs",
            ),
            (
                "password",
                "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E",
            ),
            (
                "password",
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            ),
            (
                "U*U",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
            (
                "U*U",
                "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
            (
                "U*U",
                "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
        ] {
            assert!(is_known_hash(hash), "{hash}");
            assert_eq!(verdict(password, hash), Verdict::RightButOld, "{hash}");
            assert_eq!(verdict("another", hash), Verdict::Wrong, "{hash}");
        }
    }

    #[test]
    fn bcrypt_reads_72_bytes_and_never_a_nul() {
        let hash = bcrypt::hash("x".repeat(72), 4).expect("it can be hashed");
        assert_eq!(verdict(&"x".repeat(100), &hash), Verdict::RightButOld);
        assert_eq!(verdict(&"x".repeat(71), &hash), Verdict::Wrong);
        let hash = bcrypt::hash("a\0b", 4).expect("it can be hashed");
        assert_eq!(verdict("a\0b", &hash), Verdict::Wrong);
    }

    #[test]
    fn what_is_malformed_or_too_costly_never_verifies() {
        let end = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let blowfish = "$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        for hash in [
            "",
            "$",
            "U*U",
            "$argon2id$",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            &format!("$argon2id$v=18$m=256,t=2,p=1{end}"),
            &format!("$argon2x$v=19$m=256,t=2,p=1{end}"),
            &format!("$scrypt$v=19$m=256,t=2,p=1{end}"),
            &format!("$argon2id$v=19$m=1048577,t=2,p=1{end}"),
            &format!("$argon2id$v=19$m=256,t=21,p=1{end}"),
            &format!("$argon2id$v=19$m=256,t=2,p=17{end}"),
            &format!("$argon2id$v=19$m=7,t=2,p=1{end}"),
            &format!("$argon2id$v=19$m=99999999999,t=2,p=1{end}"),
            &format!("$2x$05{blowfish}"),
            &format!("$2b$17{blowfish}"),
            &format!("$2b$03{blowfish}"),
            &format!("$2b$05{}", &blowfish[..50]),
            &format!("$2b$05{}é", &blowfish[..52]),
        ] {
            assert!(!is_known_hash(hash), "{hash}");
            for password in ["U*U", "password", ""] {
                assert_eq!(verdict(password, hash), Verdict::Wrong, "{hash}");
            }
        }
    }
}
