//! Links that the service signs for itself, where the pictures stand in a local folder. Whoever has one may send that
//! upload, or read that picture, until it expires; nothing in it can be changed.
//!
//! A picture's link is the same for all that ask within an hour, on every process, so that browsers keep what they have.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use subtle::ConstantTimeEq;
use url::Url;
use uuid::Uuid;

use super::model::ContentType;
use crate::auth::hmac;

/// A link to a picture is made anew every hour…
const HOUR: TimeDelta = TimeDelta::hours(1);
/// …and works for so long from that hour's start: an hour at least, and some minutes for clocks that differ.
const LIFETIME: TimeDelta = TimeDelta::minutes(125);

/// Makes and checks links.
pub(super) struct Links {
    base: String,
    key: Vec<u8>,
}

impl Links {
    /// `base`: where this service is reached from outside.
    pub(super) fn new(base: &Url, secret: &[u8]) -> Self {
        Links {
            base: base.as_str().trim_end_matches('/').to_owned(),
            key: hmac(secret, &[b"snapnote image links v1"]),
        }
    }

    /// Where to send an upload.
    pub(super) fn upload(&self, id: Uuid, expires_at: DateTime<Utc>) -> String {
        let (base, expires) = (&self.base, expires_at.timestamp());
        let signature = self.signature("upload", id, "", expires);
        format!("{base}/uploads/{id}?expires={expires}&signature={signature}")
    }

    /// Whether that is the signature of a link to send an upload, and the link is still good.
    pub(super) fn may_upload(
        &self,
        id: Uuid,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> bool {
        now.timestamp() < expires && self.is_ours(signature, "upload", id, "", expires)
    }

    /// Where to read a picture.
    pub(super) fn image(&self, id: Uuid, content_type: ContentType, now: DateTime<Utc>) -> String {
        let (base, extension) = (&self.base, content_type.extension());
        let until = good_from_until(now).1.timestamp();
        let signature = self.signature("image", id, extension, until);
        format!("{base}/images/{id}.{extension}?until={until}&signature={signature}")
    }

    /// Whether that is the signature of a link to a picture of that type, and the link is still good.
    pub(super) fn may_read(
        &self,
        id: Uuid,
        content_type: ContentType,
        until: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> bool {
        let extension = content_type.extension();
        now.timestamp() < until && self.is_ours(signature, "image", id, extension, until)
    }

    fn signature(&self, what: &str, id: Uuid, extension: &str, until: i64) -> String {
        let signed = format!("{what}\n{id}\n{extension}\n{until}");
        URL_SAFE_NO_PAD.encode(hmac(&self.key, &[signed.as_bytes()]))
    }

    fn is_ours(&self, signature: &str, what: &str, id: Uuid, extension: &str, until: i64) -> bool {
        let ours = self.signature(what, id, extension, until);
        ours.as_bytes().ct_eq(signature.as_bytes()).into()
    }
}

/// The hour's start, and until when a link works that is made within it.
pub(super) fn good_from_until(now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let start = now.duration_trunc(HOUR).unwrap_or(now);
    (start, start + LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        let base = "https://api.example.com/notes/"
            .parse()
            .expect("it is a URL");
        Links::new(&base, b"a secret of the tests")
    }

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().expect("it is a time")
    }

    /// The parameter that is signed, and the signature.
    fn parameters(url: &str) -> (i64, String) {
        let url = Url::parse(url).expect("it is a URL");
        let values: Vec<String> = url.query_pairs().map(|(_, value)| value.into()).collect();
        (values[0].parse().expect("a number"), values[1].clone())
    }

    #[test]
    fn a_pictures_link_is_the_same_within_the_hour_and_works_for_an_hour() {
        let id = Uuid::from_u128(7);
        let last = at("2026-11-21T08:59:59.999Z");
        let link = links().image(id, ContentType::Png, at("2026-11-21T08:00:00Z"));
        assert_eq!(link, links().image(id, ContentType::Png, last));
        assert!(link.starts_with(
            "https://api.example.com/notes/images/00000000-0000-0000-0000-000000000007.png?until="
        ));
        let next = links().image(id, ContentType::Png, at("2026-11-21T09:00:00Z"));
        assert_ne!(link, next);
        let (until, signature) = parameters(&link);
        let good = |now| links().may_read(id, ContentType::Png, until, &signature, now);
        assert!(good(last + TimeDelta::hours(1)));
        assert!(!good(last + TimeDelta::hours(2)));
    }

    #[test]
    fn nothing_of_a_link_can_be_changed() {
        let (id, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let now = at("2026-11-21T08:30:00Z");
        let (until, signature) = parameters(&links().image(id, ContentType::Png, now));
        let reads =
            |id, kind, until, signature: &str| links().may_read(id, kind, until, signature, now);
        assert!(reads(id, ContentType::Png, until, &signature));
        assert!(!reads(other, ContentType::Png, until, &signature));
        assert!(!reads(id, ContentType::Gif, until, &signature));
        assert!(!reads(id, ContentType::Png, until + 1, &signature));
        assert!(!reads(id, ContentType::Png, until, ""));
        assert!(!links().may_upload(id, until, &signature, now));
        let (expires, signature) = parameters(&links().upload(id, now + TimeDelta::minutes(1)));
        assert!(links().may_upload(id, expires, &signature, now));
        assert!(!links().may_upload(id, expires, &signature, now + TimeDelta::minutes(1)));
        assert!(!links().may_upload(other, expires, &signature, now));
        let others = Links::new(&links().base.parse().expect("a URL"), b"another secret");
        assert!(!others.may_upload(id, expires, &signature, now));
    }
}
