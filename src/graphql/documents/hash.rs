//! The SHA-256 of a document's text, by which clients name it.

use std::fmt;

use sha2::{Digest, Sha256};

/// What comes before the hash in an id of GraphQL over HTTP (appendix A).
const PREFIX: &str = "sha256:";

/// The SHA-256 of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct Sha256Hash([u8; 32]);

/// The id of a document with this hash.
pub(super) fn id(hash: impl fmt::Display) -> String {
    format!("{PREFIX}{hash}")
}

impl Sha256Hash {
    /// The hash of a text.
    pub(super) fn of(text: &str) -> Self {
        Sha256Hash(Sha256::digest(text).into())
    }

    /// Parses 64 hexadecimal digits in lower case. `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let bytes = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        Some(Sha256Hash(bytes.try_into().ok()?))
    }

    /// Whether an id claims that its document has another hash than this one.
    pub(super) fn contradicts(self, id: &str) -> bool {
        let claimed = id.strip_prefix(PREFIX);
        claimed.is_some_and(|claimed| Self::parse(claimed) != Some(self))
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
