//! Signed links of this service, for images in a local folder. A link allows its holder to send one upload or read one
//! image until it expires. No part of it can be changed.
//!
//! # Design decisions
//! - The service signs its own links with a key derived from its secret. Checking one needs no statement: the image's
//!   type is in the link, signed.
//! - An image's link is the same for all requests within an hour, on every process, so that browsers can cache the
//!   image.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use subtle::ConstantTimeEq;
use url::Url;
use uuid::Uuid;

use super::model::{ContentType, ObjectRef};
use crate::auth::{
    hmac,
    keys::{Keys, Purpose, Secrets},
};

/// An image's link changes every hour.
const RENEWAL_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// How long it is valid from the start of that hour: at least an hour, and some minutes for differences between clocks.
const LIFETIME: TimeDelta = TimeDelta::minutes(125);

/// Makes and checks links.
pub(super) struct Links {
    base: String,
    keys: Keys,
}

impl Links {
    /// `base`: the public URL of this service.
    pub(super) fn new(base: &Url, secrets: &Secrets) -> Self {
        Links {
            base: base.as_str().trim_end_matches('/').to_owned(),
            keys: secrets.keys(Purpose::ImageLinks),
        }
    }

    /// The URL that accepts an upload.
    pub(super) fn upload(&self, id: Uuid, expires_at: DateTime<Utc>) -> String {
        let (base, expires) = (&self.base, expires_at.timestamp());
        let signature = self.signature("upload", id, "", expires);
        format!("{base}/uploads/{id}?expires={expires}&signature={signature}")
    }

    /// Whether the signature is that of an upload's link, and the link has not expired.
    pub(super) fn may_upload(
        &self,
        id: Uuid,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> bool {
        now.timestamp() < expires && self.is_ours(signature, "upload", id, "", expires)
    }

    /// The URL of an image or a thumbnail.
    pub(super) fn image(
        &self,
        object: ObjectRef,
        content_type: ContentType,
        now: DateTime<Utc>,
    ) -> String {
        let (base, extension) = (&self.base, content_type.extension());
        let (kind, id) = (object.kind.as_str(), object.id);
        let until = validity(now).1.timestamp();
        let signature = self.signature(kind, id, extension, until);
        format!("{base}/{kind}s/{id}.{extension}?until={until}&signature={signature}")
    }

    /// Whether the signature is that of a link to an image or thumbnail of this type, and the link has not expired.
    pub(super) fn may_read(
        &self,
        object: ObjectRef,
        content_type: ContentType,
        until: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> bool {
        let (kind, extension) = (object.kind.as_str(), content_type.extension());
        now.timestamp() < until && self.is_ours(signature, kind, object.id, extension, until)
    }

    fn signature(&self, what: &str, id: Uuid, extension: &str, until: i64) -> String {
        signature_with(&self.keys.current, what, id, extension, until)
    }

    fn is_ours(&self, signature: &str, what: &str, id: Uuid, extension: &str, until: i64) -> bool {
        let make = |key: &[u8]| signature_with(key, what, id, extension, until);
        let is_it = |ours: &String| ours.as_bytes().ct_eq(signature.as_bytes()).into();
        self.keys.matching(make, is_it).is_some()
    }
}

fn signature_with(key: &[u8], what: &str, id: Uuid, extension: &str, until: i64) -> String {
    let signed = format!("{what}\n{id}\n{extension}\n{until}");
    URL_SAFE_NO_PAD.encode(hmac(key, &[signed.as_bytes()]))
}

/// The start of the hour, and the expiry of links made within it.
pub(super) fn validity(now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let start = now.duration_trunc(RENEWAL_INTERVAL).unwrap_or(now);
    (start, start + LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        let base = "https://api.example.com/notes/"
            .parse()
            .expect("it is a URL");
        Links::new(&base, &secrets(b"a secret of the tests", None))
    }

    fn secrets(current: &[u8], previous: Option<&[u8]>) -> Secrets {
        Secrets::new(current.to_vec(), previous.map(<[u8]>::to_vec))
    }

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().expect("it is a time")
    }

    /// The expiry in a link, and the signature.
    fn parameters(url: &str) -> (i64, String) {
        let url = Url::parse(url).expect("it is a URL");
        let values: Vec<String> = url.query_pairs().map(|(_, value)| value.into()).collect();
        (values[0].parse().expect("a number"), values[1].clone())
    }

    #[test]
    fn image_links_are_stable_within_the_hour_and_valid_for_an_hour() {
        let id = ObjectRef::image(Uuid::from_u128(7));
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
    fn changed_links_are_rejected() {
        let (id, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let image = ObjectRef::image(id);
        let now = at("2026-11-21T08:30:00Z");
        let (until, signature) = parameters(&links().image(image, ContentType::Png, now));
        let reads = |object, kind, until, signature: &str| {
            links().may_read(object, kind, until, signature, now)
        };
        assert!(reads(image, ContentType::Png, until, &signature));
        for object in [ObjectRef::image(other), ObjectRef::thumbnail(id)] {
            assert!(!reads(object, ContentType::Png, until, &signature));
        }
        assert!(!reads(image, ContentType::Gif, until, &signature));
        assert!(!reads(image, ContentType::Png, until + 1, &signature));
        assert!(!reads(image, ContentType::Png, until, ""));
        assert!(!links().may_upload(id, until, &signature, now));
        let (expires, signature) = parameters(&links().upload(id, now + TimeDelta::minutes(1)));
        assert!(links().may_upload(id, expires, &signature, now));
        assert!(!links().may_upload(id, expires, &signature, now + TimeDelta::minutes(1)));
        assert!(!links().may_upload(other, expires, &signature, now));
        let base = links().base.parse().expect("a URL");
        let of = |previous| Links::new(&base, &secrets(b"another secret", previous));
        assert!(!of(None).may_upload(id, expires, &signature, now));
        let rotated = of(Some(&b"a secret of the tests"[..]));
        assert!(rotated.may_upload(id, expires, &signature, now));
    }
}
