//! The keys of the service. Each purpose has a key of its own, so that what is signed for one purpose is never valid for
//! another. All keys are derived from one secret with HKDF-SHA-256 (RFC 5869), without salt, and with the purpose's label as `info`.
//! docs/auth.md lists the labels.
//!
//! # Design decisions
//! - **Rotation.** While a previous secret is configured, what was made with it is still accepted, and new tokens and links
//!   are made with the current one. Processes with the two secrets swapped accept each other's tokens, so a rotation needs no
//!   downtime.
//! - **A token that must be derived again** (an emailed one, or the successor of a refresh token) may have been made with either
//!   secret. The stored hash tells which (`Keys::matching`).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of a key in bytes: that of an HMAC-SHA-256.
const KEY_BYTES: usize = 32;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signs access tokens (HS256).
    AccessTokens,
    /// The id of the secret in the header of access tokens. It is no key, and public.
    KeyId,
    /// Derives refresh tokens.
    RefreshTokens,
    /// Derives emailed tokens.
    MailTokens,
    /// Hides accounts and addresses in the stored buckets of the rate limiter.
    RateLimits,
    /// Signs links to images.
    ImageLinks,
    /// Derives the passwords of demo users.
    DemoPasswords,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Purpose; 7] = [
        Purpose::AccessTokens,
        Purpose::KeyId,
        Purpose::RefreshTokens,
        Purpose::MailTokens,
        Purpose::RateLimits,
        Purpose::ImageLinks,
        Purpose::DemoPasswords,
    ];

    /// The label that separates the key from all others.
    pub fn label(self) -> &'static str {
        match self {
            Purpose::AccessTokens => "snapnote access tokens v1",
            Purpose::KeyId => "snapnote key id v1",
            Purpose::RefreshTokens => "snapnote refresh tokens v1",
            Purpose::MailTokens => "snapnote mail tokens v1",
            Purpose::RateLimits => "snapnote rate limits v1",
            Purpose::ImageLinks => "snapnote image links v1",
            Purpose::DemoPasswords => "snapnote demo passwords v1",
        }
    }
}

/// The secret of the service and, during a rotation, the other one that is still accepted. Not `Debug`.
#[derive(Clone)]
pub struct Secrets {
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl Secrets {
    /// New tokens and links are made with `current`. Those of `previous` are accepted, too.
    pub fn new(current: Vec<u8>, previous: Option<Vec<u8>>) -> Secrets {
        Secrets { current, previous }
    }

    /// The keys for a purpose.
    pub fn keys(&self, purpose: Purpose) -> Keys {
        let previous = self.previous.as_ref();
        Keys {
            current: derive(&self.current, purpose),
            previous: previous.map(|secret| derive(secret, purpose)),
        }
    }

    /// Whether one of the secrets is this text. Takes the same time for each.
    pub(super) fn contain(&self, other: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        let is = |secret: &[u8]| secret.ct_eq(other);
        let previous = self.previous.as_deref().unwrap_or(&self.current);
        (is(&self.current) | is(previous)).into()
    }
}

/// The keys for one purpose. Not `Debug`.
pub struct Keys {
    /// The key for everything new.
    pub current: Vec<u8>,
    /// The key of what was made with the previous secret.
    pub previous: Option<Vec<u8>>,
}

impl Keys {
    /// Of what `make` makes with each key, that for which `is_it` holds. Both are always made and compared.
    pub(crate) fn matching<T>(
        &self,
        make: impl Fn(&[u8]) -> T,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let check = |key: &Vec<u8>| {
            let made = make(key);
            let found = is_it(&made);
            (made, found)
        };
        let previous = self.previous.as_ref().map(check);
        let (made, found) = check(&self.current);
        if found {
            return Some(made);
        }
        previous.and_then(|(made, found)| found.then_some(made))
    }
}

fn derive(secret: &[u8], purpose: Purpose) -> Vec<u8> {
    let mut key = vec![0; KEY_BYTES];
    Hkdf::<Sha256>::new(None, secret)
        .expand(purpose.label().as_bytes(), &mut key)
        .expect("HKDF-SHA-256 yields up to 8,160 bytes");
    key
}

/// HMAC-SHA-256 of the concatenated parts. The caller must make sure that different parts cannot yield the same bytes.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(b"the new secret".to_vec(), Some(b"the old secret".to_vec()))
    }

    #[test]
    fn every_purpose_and_every_secret_has_its_own_key() {
        let keys = Purpose::ALL.map(|purpose| secrets().keys(purpose));
        let keys = keys
            .into_iter()
            .flat_map(|keys| [Some(keys.current), keys.previous]);
        let different: BTreeSet<Vec<u8>> = keys.flatten().collect();
        assert_eq!(different.len(), 2 * Purpose::ALL.len());
    }

    #[test]
    fn keys_do_not_depend_on_the_other_secret() {
        let alone = Secrets::new(b"the old secret".to_vec(), None).keys(Purpose::MailTokens);
        assert_eq!(
            secrets().keys(Purpose::MailTokens).previous,
            Some(alone.current)
        );
        assert_eq!(alone.previous, None);
    }

    #[test]
    fn keys_are_those_of_rfc_5869() {
        // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:'the old secret' -kdfopt info:'snapnote image links v1' HKDF
        let key = Secrets::new(b"the old secret".to_vec(), None).keys(Purpose::ImageLinks);
        let hex: String = key
            .current
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "48c24f666898d01fade124c5b95209173aee4a9b8cd278c24ba7cc5288d6fde0"
        );
    }

    #[test]
    fn the_docs_list_every_label() {
        let docs = include_str!("../../docs/auth.md");
        for purpose in Purpose::ALL {
            assert!(
                docs.contains(&format!("`{}`", purpose.label())),
                "{purpose:?}"
            );
        }
    }

    #[test]
    fn what_either_key_made_is_found() {
        let keys = secrets().keys(Purpose::MailTokens);
        let make = |key: &[u8]| hmac(key, &[b"id"]);
        for secret in ["the new secret", "the old secret"] {
            let alone = Secrets::new(secret.as_bytes().to_vec(), None).keys(Purpose::MailTokens);
            let expected = make(&alone.current);
            let found = keys.matching(make, |made| *made == expected);
            assert_eq!(found, Some(expected));
        }
        assert_eq!(keys.matching(make, |_| false), None);
    }

    #[test]
    fn both_secrets_are_recognized() {
        assert!(secrets().contain(b"the new secret") && secrets().contain(b"the old secret"));
        assert!(!secrets().contain(b"another secret"));
        assert!(!Secrets::new(b"one".to_vec(), None).contain(b"two"));
    }
}
