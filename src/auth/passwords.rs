//! Password hashing with Argon2id, in blocking threads, a few at the same time.
//!
//! Hashing takes 19 MiB and about 20 ms of CPU. Without the limit on concurrent hashes, a burst of sign-ins reduced the
//! throughput of all other requests to a sixth. Users without a password and unknown users cost the same time as
//! others. Hashes of other systems (bcrypt, any Argon2) are verified but never created. Those systems may not have
//! normalized the password, so it is also compared as typed.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::password_rules::Password;
use crate::{
    error::Error,
    telemetry::{Exposition, Histogram, Source},
};

/// OWASP's recommendation: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Compared with the passwords of unknown users, so that they cost the same time. A hash of no password, with the parameters of
/// [`hash`]. It is not computed at the start, because the allocator would keep the memory of that.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c25hcG5vdGUtbm8tdXNlcg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Maximum cost of hashes from other systems. Costlier hashes never verify.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 20;
const MAX_LANES: u32 = 16;
/// bcrypt's cost is an exponent of 2. The maximum takes about 5 s.
const MIN_BCRYPT_COST: u32 = 4;
const MAX_BCRYPT_COST: u32 = 16;

/// The result of verifying a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The password is wrong, or the hash is missing or invalid.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but the hash must be replaced: it has another algorithm or other parameters than ours, or
    /// it is the hash of a password that was not normalized.
    RightButOutdated,
}

/// Hashes and verifies passwords.
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    hashed: AtomicU64,
    queue: Arc<HashingQueue>,
}

impl Passwords {
    /// `permits`: maximum number of concurrent hashes.
    pub(super) fn new(permits: usize) -> Self {
        Passwords {
            permits: Arc::new(Semaphore::new(permits)),
            hashed: AtomicU64::new(0),
            queue: Arc::default(),
        }
    }

    /// Hashes a password into a PHC string.
    pub(super) async fn hash(&self, password: Password) -> Result<String, Error> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.run_blocking(move || hash(password.normalized()))
            .await?
    }

    /// Verifies a password. Without a hash the result is `Wrong`, after the same time.
    pub(super) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.run_blocking(move || match hash {
            Some(hash) => verify(&password, &hash),
            None => {
                verify(&password, DUMMY_HASH);
                Verdict::Wrong
            }
        })
        .await
    }

    /// The measurements of the queue.
    pub(super) fn queue(&self) -> &Arc<HashingQueue> {
        &self.queue
    }

    /// Number of passwords that were hashed or verified since the process started.
    pub(super) fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// Runs CPU-bound work in a blocking thread once a permit is free.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = Waiting::begin(&self.queue);
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        drop(waiting);
        let queue = self.queue.clone();
        // The task owns the permit: if a request gives up, the permit is only released when its hash ends.
        let task = tokio::task::spawn_blocking(move || {
            let (_permit, began) = (permit, Instant::now());
            let outcome = work();
            queue.durations.observe(began.elapsed());
            outcome
        });
        task.await.map_err(Error::of_task)
    }
}

/// What is measured of the work that waits for a permit.
#[derive(Debug, Default)]
pub(crate) struct HashingQueue {
    waiting: AtomicU64,
    waits: Histogram,
    durations: Histogram,
}

impl Source for HashingQueue {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let help = "Passwords that wait to be hashed, verified or rated.";
        to.gauge("snapnote_password_hashing_waiting", help, waiting)?;
        let help = "How long passwords waited until they were hashed, verified or rated.";
        to.histogram("snapnote_password_hashing_wait_seconds", help, &self.waits)?;
        let help = "Duration of hashing, verifying or rating a password.";
        let name = "snapnote_password_hashing_duration_seconds";
        to.histogram(name, help, &self.durations)
    }
}

/// A caller that waits for a permit. Dropping it ends the wait.
struct Waiting<'a> {
    queue: &'a HashingQueue,
    began: Instant,
}

impl Waiting<'_> {
    fn begin(queue: &HashingQueue) -> Waiting<'_> {
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting {
            queue,
            began: Instant::now(),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        self.queue.waits.observe(self.began.elapsed());
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password(password.as_bytes())
        .map_err(Error::internal)?;
    Ok(hash.to_string())
}

fn verify(password: &Password, text: &str) -> Verdict {
    let normalized = password.normalized();
    let right = password
        .spellings()
        .find(|spelling| is_right(spelling, text));
    match right {
        None => Verdict::Wrong,
        Some(spelling) if spelling == normalized && is_ours(text) => Verdict::Right,
        Some(_) => Verdict::RightButOutdated,
    }
}

fn is_right(password: &str, text: &str) -> bool {
    if let Some(hash) = argon2_hash(text) {
        // The hash carries algorithm, version and parameters.
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    } else if is_bcrypt_hash(text) {
        // bcrypt reads at most 72 bytes. Some implementations also stop at a NUL and would only compare the text before
        // it.
        !password.contains('\0') && bcrypt::verify(password, text).unwrap_or(false)
    } else {
        false
    }
}

/// Whether [`Passwords::verify`] can verify this hash: any Argon2 as a PHC string, or bcrypt, within the maximum cost.
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
    // Argon2 1.0 wrote no version; the library would assume the newest.
    let version = hash.version.get_or_insert(Version::V0x10.into());
    Version::try_from(*version).ok()?;
    let parameters = Params::try_from(&hash).ok()?;
    let affordable = parameters.m_cost() <= MAX_MEMORY_KIB
        && parameters.t_cost() <= MAX_PASSES
        && parameters.p_cost() <= MAX_LANES;
    let complete = hash.salt.is_some() && hash.hash.is_some();
    (affordable && complete).then_some(hash)
}

/// Rejects `$2x$`: a faulty crypt made those hashes, and this library does not reproduce its fault.
fn is_bcrypt_hash(text: &str) -> bool {
    let prefixed = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let cost = bcrypt::HashParts::from_str(text).map(|parts| parts.get_cost());
    prefixed && cost.is_ok_and(|cost| (MIN_BCRYPT_COST..=MAX_BCRYPT_COST).contains(&cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(typed: &str) -> Password {
        Password::new(typed.to_owned())
    }

    #[tokio::test]
    async fn a_hash_verifies_only_its_password() {
        let passwords = Passwords::new(1);
        let hash = passwords
            .hash(password("correct horse"))
            .await
            .expect("it can be hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (typed, hash, expected) in [
            ("correct horse", Some(hash.clone()), Verdict::Right),
            ("correct\u{A0}horse", Some(hash.clone()), Verdict::Right),
            ("wrong horse", Some(hash), Verdict::Wrong),
            ("correct horse", None, Verdict::Wrong),
            ("no user has this password", None, Verdict::Wrong),
            ("correct horse", Some("no hash".to_owned()), Verdict::Wrong),
        ] {
            let verdict = passwords
                .verify(password(typed), hash)
                .await
                .expect("it can be verified");
            assert_eq!(verdict, expected, "{typed}");
        }
        assert_eq!(passwords.hashed(), 7);
    }

    #[test]
    fn the_hash_for_unknown_users_has_the_parameters_and_lengths_of_others() {
        let hash = hash("correct horse").expect("it can be hashed");
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        let lengths = |hash: &str| hash.split('$').map(str::len).collect::<Vec<_>>();
        assert_eq!(parameters(DUMMY_HASH), parameters(&hash));
        assert_eq!(lengths(DUMMY_HASH), lengths(&hash));
        assert!(is_known_hash(DUMMY_HASH));
    }

    /// Test vectors by the authors of Argon2 and crypt_blowfish.
    #[test]
    fn hashes_of_other_systems_verify_and_are_outdated() {
        let argon2 = [
            "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs",
            "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ];
        let bcrypt = [
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ];
        let of_argon2 = argon2.map(|hash| ("password", hash));
        for (typed, hash) in of_argon2
            .into_iter()
            .chain(bcrypt.map(|hash| ("U*U", hash)))
        {
            assert!(is_known_hash(hash), "{hash}");
            assert_eq!(
                verify(&password(typed), hash),
                Verdict::RightButOutdated,
                "{hash}"
            );
            assert_eq!(verify(&password("another"), hash), Verdict::Wrong, "{hash}");
        }
    }

    #[test]
    fn hashes_of_other_systems_verify_normalized_and_as_typed_there() {
        let decomposed = "cafe\u{301} zebra";
        let bcrypt = |typed: &str| bcrypt::hash(typed, 4).expect("it can be hashed");
        let argon2 = |typed: &str| hash(typed).expect("it can be hashed");
        for hash in [bcrypt(decomposed), argon2(decomposed)] {
            let verdict = verify(&password(decomposed), &hash);
            assert_eq!(verdict, Verdict::RightButOutdated, "{hash}");
            let verdict = verify(&password("cafe zebra"), &hash);
            assert_eq!(verdict, Verdict::Wrong, "{hash}");
        }
        for typed in [decomposed, "caf\u{e9} zebra"] {
            let composed = bcrypt("caf\u{e9} zebra");
            let verdict = verify(&password(typed), &composed);
            assert_eq!(verdict, Verdict::RightButOutdated, "{typed}");
            let ours = argon2("caf\u{e9} zebra");
            assert_eq!(verify(&password(typed), &ours), Verdict::Right, "{typed}");
        }
    }

    #[test]
    fn bcrypt_reads_72_bytes_and_rejects_nul() {
        let hash = bcrypt::hash("x".repeat(72), 4).expect("it can be hashed");
        assert_eq!(
            verify(&password(&"x".repeat(100)), &hash),
            Verdict::RightButOutdated
        );
        assert_eq!(verify(&password(&"x".repeat(71)), &hash), Verdict::Wrong);
        let hash = bcrypt::hash("a\0b", 4).expect("it can be hashed");
        assert_eq!(verify(&password("a\0b"), &hash), Verdict::Wrong);
    }

    #[test]
    fn malformed_and_too_costly_hashes_never_verify() {
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
            for typed in ["U*U", "password", ""] {
                assert_eq!(verify(&password(typed), hash), Verdict::Wrong, "{hash}");
            }
        }
    }
}
