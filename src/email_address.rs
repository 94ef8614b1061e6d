//! Email addresses: what a valid one is, and when two of them are the same account.
//!
//! All code that handles addresses uses [`EmailAddress`]: sign-up, sign-in, password reset, change of address, import,
//! `admin grant`, external identity providers, the rate limiter and the mailer.
//!
//! # The rule
//! Each address has one canonical form, its key. In the part before the `@`, ASCII letters are in lower case. The domain is in
//! ASCII by IDNA (UTS 46, nontransitional) and in lower case. Two addresses are the same account if and only if their keys
//! are equal; the database compares keys only (`users.email_key`), never case mappings of its own.
//!
//! A valid address differs from its key only in ASCII case and in the Punycode of its domain. So the part before the `@` is in
//! NFC, and IDNA would not map any character of the domain. `ada@ﬁn.example`, `ada@gİt.example` and
//! addresses in NFD are therefore invalid rather than mapped to the address of another owner. Other systems map them
//! differently, so an external provider may have verified a different mailbox than the one that the key names.
//!
//! # Which form is used where
//! - `users.email` shows [`as_str`](EmailAddress::as_str): what the user typed, without the whitespace around it.
//! - Lookups, unique constraints and rate limits use [`key`](EmailAddress::key).
//! - Mail goes to [`recipient`](EmailAddress::recipient): mail servers may not know the domain in another form than ASCII.
//! - External providers link only if [`is_canonical`](EmailAddress::is_canonical).

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::is_nfc;

use crate::error::{Refusal, RefusalCode};

/// A valid email address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress {
    text: String,
    key: String,
}

/// Why a text is not a valid email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidEmail {
    /// It is empty, or only whitespace.
    Blank,
    /// It, or its canonical form, is longer than [`EmailAddress::MAX_LENGTH`].
    TooLong,
    /// It is not one `@` with text on both sides, or it contains whitespace or control characters.
    Malformed,
    /// The part before the `@` is not in NFC.
    NotNormalized,
    /// The domain is not a domain name, or IDNA would map it to a different one.
    Domain,
}

impl EmailAddress {
    /// Maximum length in characters, of the text and of its canonical form.
    pub const MAX_LENGTH: usize = 255;

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
        if text.trim().is_empty() {
            return Err(InvalidEmail::Blank);
        }
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidEmail::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Malformed)?;
        let unprintable = |character: char| character.is_whitespace() || character.is_control();
        if local.is_empty() || domain.contains('@') || text.contains(unprintable) {
            return Err(InvalidEmail::Malformed);
        }
        let folded = local.to_ascii_lowercase();
        // Lower case can compose with a mark that upper case cannot, e.g. ẖ: then the key would not be in NFC.
        if !is_nfc(local) || !is_nfc(&folded) {
            return Err(InvalidEmail::NotNormalized);
        }
        let domain = ascii_domain(domain).ok_or(InvalidEmail::Domain)?;
        let key = format!("{folded}@{domain}");
        if key.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidEmail::TooLong);
        }
        let text = text.to_owned();
        Ok(EmailAddress { text, key })
    }

    /// The address as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical form. Addresses with equal keys are the same account.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`, as it was typed.
    pub fn local_part(&self) -> &str {
        self.text.split_once('@').map_or("", |(local, _)| local)
    }

    /// The domain as an ASCII domain name in lower case.
    pub fn domain(&self) -> &str {
        self.key.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Where mail is sent: the part before the `@` as it was typed, and the domain in ASCII. Its ASCII lower case is the key.
    pub fn recipient(&self) -> String {
        format!("{}@{}", self.local_part(), self.domain())
    }

    /// Whether the address equals its canonical form except for ASCII case. A domain in Unicode does not: providers that
    /// follow IDNA 2003 verify a different domain for some of them, e.g. `strasse.example` for `straße.example`.
    pub fn is_canonical(&self) -> bool {
        self.text.eq_ignore_ascii_case(&self.key)
    }
}

impl InvalidEmail {
    /// What is wrong, as the end of a sentence that starts with the name of the field.
    pub fn reason(self) -> String {
        match self {
            InvalidEmail::Blank => "must not be blank.".to_owned(),
            InvalidEmail::TooLong => format!(
                "must not be longer than {} characters, also with its domain in ASCII.",
                EmailAddress::MAX_LENGTH
            ),
            InvalidEmail::Malformed => {
                "must be an email address: one @ with text on both sides, without whitespace.".to_owned()
            }
            InvalidEmail::NotNormalized => {
                "must be in Unicode normalization form C (NFC) before the @.".to_owned()
            }
            InvalidEmail::Domain => "must end with a valid domain name. Enter an internationalized domain in lower case \
                                     or in its ASCII form (xn--…)."
                .to_owned(),
        }
    }

    /// The user error for `input.<field>`.
    fn refusal(self, field: &str) -> Refusal {
        let code = match self {
            InvalidEmail::Blank => RefusalCode::Blank,
            InvalidEmail::TooLong => RefusalCode::TooLong,
            InvalidEmail::Malformed | InvalidEmail::NotNormalized | InvalidEmail::Domain => {
                RefusalCode::Invalid
            }
        };
        Refusal::of(field, code, format!("{field} {}", self.reason()))
    }
}

/// The domain in ASCII and lower case; `None` if it is invalid, or IDNA maps more of it than ASCII case.
fn ascii_domain(domain: &str) -> Option<String> {
    let typed = domain.to_ascii_lowercase();
    let ascii = Uts46::new()
        .to_ascii(
            typed.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()?;
    let same_count = typed.split('.').count() == ascii.split('.').count();
    let mut labels = typed.split('.').zip(ascii.split('.'));
    let unmapped =
        same_count && labels.all(|(typed, ascii)| typed == ascii || typed == unicode(ascii));
    unmapped.then(|| ascii.into_owned())
}

/// A valid label of a domain, in Unicode.
fn unicode(label: &str) -> String {
    let (text, _) = Uts46::new().to_unicode(
        label.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
    );
    text.into_owned()
}

#[cfg(test)]
mod tests;
