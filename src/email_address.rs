//! Email addresses: what a valid one is, and when two of them are the same account.
//!
//! All code that handles addresses uses [`EmailAddress`]: sign-up, sign-in, password reset, change of address, import,
//! `admin grant`, external identity providers, the rate limiter and the mailer.
//!
//! # The rule
//! Each address has one canonical form, its key. In the part before the `@`, the text is in NFC and ASCII letters are
//! in lower case. The domain is in ASCII by IDNA (UTS 46, nontransitional) and in lower case. Two addresses are the
//! same account if and only if their keys are equal; the database compares keys only (`users.email_key`), never case
//! mappings of its own.
//!
//! An address is valid only if mail can be sent to it: the part before the `@` is a dot-atom (RFC 5322) of at most 64
//! bytes, with letters, digits and marks of any script (RFC 6531). Quotes and comments are not supported. The domain is
//! a domain name.
//!
//! # Which form is used where
//! - `users.email` shows [`as_str`](EmailAddress::as_str): what the user typed, normalized, without the whitespace around it.
//! - Lookups, unique constraints and rate limits use [`key`](EmailAddress::key).
//! - Mail goes to [`recipient`](EmailAddress::recipient): mail servers may not know the domain in another form than ASCII.
//! - External providers link only if [`is_canonical`](EmailAddress::is_canonical).

use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use url::Host;

use crate::{
    error::{Refusal, RefusalCode},
    rules::{is_blank, is_invisible},
};

/// A valid email address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress {
    text: String,
    key: String,
    is_canonical: bool,
}

/// Why a text is not a valid email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidEmail {
    /// It is empty, or only whitespace and invisible characters.
    Blank,
    /// It, or its canonical form, is longer than [`EmailAddress::MAX_LENGTH`].
    TooLong,
    /// It does not have exactly one `@`, or it contains whitespace or control characters.
    Malformed,
    /// The part before the `@` is too long, or not a dot-atom.
    LocalPart,
    /// The domain is not a domain name.
    Domain,
}

/// Maximum length of the part before the `@` in bytes (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART_BYTES: usize = 64;
/// The characters that a dot-atom may contain besides letters, digits and dots (RFC 5322, 3.2.3).
const ATOM_SYMBOLS: &str = "!#$%&'*+-/=?^_`{|}~";

impl EmailAddress {
    /// Maximum length of the text in characters, and of its canonical form in bytes (RFC 5321, 4.5.3.1.3).
    pub const MAX_LENGTH: usize = 254;

    /// Parses what a user typed. Whitespace around the address is ignored.
    ///
    /// # Errors
    /// The first reason why it is invalid.
    pub fn parse(typed: &str) -> Result<Self, InvalidEmail> {
        Self::exactly(typed.trim())
    }

    /// Parses what a caller typed into `input.<field>`.
    ///
    /// # Errors
    /// The user error for that field.
    pub(crate) fn of_input(field: &str, typed: &str) -> Result<Self, Refusal> {
        Self::parse(typed).map_err(|invalid| invalid.refusal(field))
    }

    /// Parses what another program sent: whitespace around the address makes it invalid.
    ///
    /// # Errors
    /// The first reason why it is invalid.
    pub fn exactly(text: &str) -> Result<Self, InvalidEmail> {
        if is_blank(text) {
            return Err(InvalidEmail::Blank);
        }
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidEmail::TooLong);
        }
        let composed: String = text.nfc().collect();
        let (local, domain) = composed.split_once('@').ok_or(InvalidEmail::Malformed)?;
        let unprintable = |character: char| character.is_whitespace() || character.is_control();
        if domain.contains('@') || composed.contains(unprintable) {
            return Err(InvalidEmail::Malformed);
        }
        let local = foldable(local);
        if !is_dot_atom(&local) || local.len() > MAX_LOCAL_PART_BYTES {
            return Err(InvalidEmail::LocalPart);
        }
        let (ascii, shown) = domain_forms(domain).ok_or(InvalidEmail::Domain)?;
        let key = format!("{}@{ascii}", local.to_ascii_lowercase());
        if key.len() > Self::MAX_LENGTH {
            return Err(InvalidEmail::TooLong);
        }
        Ok(EmailAddress {
            is_canonical: text.eq_ignore_ascii_case(&key),
            text: format!("{local}@{shown}"),
            key,
        })
    }

    /// The address as it was typed, but normalized: in NFC, and a domain that is not ASCII in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical form. Addresses with equal keys are the same account.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`, as it was typed, in NFC.
    pub fn local_part(&self) -> &str {
        self.text.split_once('@').map_or("", |(local, _)| local)
    }

    /// The domain as an ASCII domain name in lower case.
    pub fn domain(&self) -> &str {
        self.key.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Where mail is sent: the part before the `@` as it was typed, in NFC, and the domain in ASCII. Its ASCII lower
    /// case is the key.
    pub fn recipient(&self) -> String {
        format!("{}@{}", self.local_part(), self.domain())
    }

    /// Whether the text was the canonical form except for ASCII case. Only then does an external provider prove that
    /// the user has this mailbox: other systems map other spellings differently, e.g. to `strasse.example` for
    /// `straße.example`.
    pub fn is_canonical(&self) -> bool {
        self.is_canonical
    }
}

impl InvalidEmail {
    /// What is wrong, as the end of a sentence that starts with the name of the field.
    pub fn reason(self) -> String {
        match self {
            InvalidEmail::Blank => "must not be blank.".to_owned(),
            InvalidEmail::TooLong => format!(
                "must not be longer than {} characters, also in UTF-8 with its domain in ASCII (`xn--…`).",
                EmailAddress::MAX_LENGTH
            ),
            InvalidEmail::Malformed => {
                "must be an email address such as `ada@example.com`: one `@` with text on both sides, without whitespace."
                    .to_owned()
            }
            InvalidEmail::LocalPart => format!(
                "must have 1 to {MAX_LOCAL_PART_BYTES} bytes before the `@`: letters, digits, symbols such as `+`, `-` and \
                 `_`, and single dots between them. Enter it without quotes, angle brackets and invisible characters."
            ),
            InvalidEmail::Domain => {
                "must end with a valid domain name such as `example.com`. IP addresses are not supported.".to_owned()
            }
        }
    }

    /// The user error for `input.<field>`.
    fn refusal(self, field: &str) -> Refusal {
        let code = match self {
            InvalidEmail::Blank => RefusalCode::Blank,
            InvalidEmail::TooLong => RefusalCode::TooLong,
            InvalidEmail::Malformed | InvalidEmail::LocalPart | InvalidEmail::Domain => {
                RefusalCode::Invalid
            }
        };
        Refusal::of(field, code, format!("`{field}` {}", self.reason()))
    }
}

/// The part before the `@`, whose ASCII lower case must be in NFC like itself. Some lower-case letters compose with a
/// mark and their upper case does not, e.g. H̱ and ẖ. Parts with these are put in lower case.
fn foldable(local: &str) -> String {
    let folded = local.to_ascii_lowercase();
    match is_nfc(&folded) {
        true => local.to_owned(),
        false => folded.nfc().collect(),
    }
}

/// Whether this is one or more atoms with dots between them.
fn is_dot_atom(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || ATOM_SYMBOLS.contains(character);
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let is_visible = !is_invisible(character);
    let groups = [
        GeneralCategoryGroup::Letter,
        GeneralCategoryGroup::Mark,
        GeneralCategoryGroup::Number,
    ];
    is_visible && groups.iter().any(|group| group.contains(category))
}

/// The domain in ASCII and lower case, and as it is shown: as typed if that is ASCII, otherwise in Unicode as IDNA maps
/// it. `None` if it is not a domain name.
fn domain_forms(domain: &str) -> Option<(String, String)> {
    let ascii = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()?;
    // A name that ends with a number is an IP address (URL Standard).
    if !matches!(Host::parse(&ascii), Ok(Host::Domain(_))) {
        return None;
    }
    let shown = match domain.is_ascii() {
        true => domain.to_owned(),
        false => unicode(&ascii),
    };
    Some((ascii.into_owned(), shown))
}

/// A valid domain in Unicode.
fn unicode(domain: &str) -> String {
    let (text, _) = Uts46::new().to_unicode(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
    );
    text.into_owned()
}

#[cfg(test)]
mod tests;
