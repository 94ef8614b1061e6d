//! The bucket in S3, or in a compatible store, and the presigned links by which clients send and read objects
//! themselves.
//!
//! `object_store` always dates links with the current time, so `rusty_s3` signs them, with credentials from
//! `object_store`. An image's link is dated with the start of the hour, so that it is the same for all requests within
//! an hour on every process. Credentials that change within the hour change the link, and the link expires when its
//! credentials do.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use object_store::{
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider},
};
use rusty_s3::{Credentials, S3Action, UrlStyle};
use url::Url;
use uuid::Uuid;

use super::{
    links,
    model::{Announced, ContentType},
    s3_requests::Traced,
};
use crate::error::Error;

/// The default region.
const DEFAULT_REGION: &str = "us-east-1";
/// Maximum lifetime of an upload link in seconds.
const MAX_UPLOAD_LIFETIME: i64 = 24 * 3600;
/// How long requests to the store are retried.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// The environment variables that are used: those with credentials. Endpoint and bucket are only in the URL.
const CREDENTIAL_KEYS: [AmazonS3ConfigKey; 11] = [
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    AmazonS3ConfigKey::MetadataEndpoint,
];

/// Makes links to a bucket's objects.
pub(super) struct Bucket {
    bucket: rusty_s3::Bucket,
    credentials: AwsCredentialProvider,
}

/// Opens the store `s3://bucket/prefix?endpoint=…&region=…&style=path|host`. Returns it with its links and the prefix
/// of its keys, which is empty or ends with a slash.
///
/// # Errors
/// A message that says what is wrong with the URL or the credentials.
pub(super) fn open(
    url: &Url,
    environment: &[(String, String)],
) -> Result<(AmazonS3, Bucket, String), String> {
    let prefix = prefix(url)?;
    let bucket = bucket(url, environment)?;
    let base = bucket.base_url().as_str().trim_end_matches('/');
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket.name())
        .with_region(bucket.region())
        // The endpoint contains the bucket in either style, so that both libraries use the same address.
        .with_virtual_hosted_style_request(true)
        .with_endpoint(base)
        .with_http_connector(Traced)
        .with_allow_http(bucket.base_url().scheme() == "http")
        .with_retry(RetryConfig {
            max_retries: 3,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        });
    for (name, value) in environment {
        match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            Ok(key) if CREDENTIAL_KEYS.contains(&key) && !value.is_empty() => {
                builder = builder.with_config(key, value);
            }
            _ => {}
        }
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    let credentials = Arc::clone(store.credentials());
    let links = Bucket {
        bucket,
        credentials,
    };
    Ok((store, links, prefix))
}

/// The prefix of all keys. Only characters that neither library escapes are allowed: they escape others differently, so
/// that clients would send to another object than the service reads.
fn prefix(url: &Url) -> Result<String, String> {
    let prefix = url.path().trim_matches('/');
    if prefix.is_empty() && url.fragment().is_none() {
        return Ok(String::new());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let mut parts = prefix.split('/');
    if url.fragment().is_some() || !parts.all(|part| !part.is_empty() && part.bytes().all(is_plain))
    {
        return Err("its prefix may only contain letters a to z and A to Z, digits, '.', '_', '-', and single slashes".to_owned());
    }
    Ok(format!("{prefix}/"))
}

fn bucket(url: &Url, environment: &[(String, String)]) -> Result<rusty_s3::Bucket, String> {
    let name = url.host_str().ok_or("it has no bucket")?.to_owned();
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it must not contain credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
                .to_owned(),
        );
    }
    let (mut endpoint, mut region, mut style) = (None, None, None);
    for (key, value) in url.query_pairs() {
        match &*key {
            "endpoint" => endpoint = Some(value.into_owned()),
            "region" => region = Some(value.into_owned()),
            "style" => style = Some(value.into_owned()),
            _ => {
                return Err(format!(
                    "its parameter {key:?} is unknown; endpoint, region and style are allowed"
                ));
            }
        }
    }
    let region = region.unwrap_or_else(|| default_region(environment));
    let by_path = match style.as_deref() {
        Some("path") => true,
        Some("host") => false,
        Some(_) => return Err("its style must be path or host".to_owned()),
        // Amazon's certificates are only valid for one label before its own name.
        None => endpoint.is_some() || name.contains('.'),
    };
    let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let endpoint: Url = endpoint
        .parse()
        .map_err(|error| format!("its endpoint is invalid: {error}"))?;
    let style = if by_path {
        UrlStyle::Path
    } else {
        UrlStyle::VirtualHost
    };
    rusty_s3::Bucket::new(endpoint, style, name, region).map_err(|error| error.to_string())
}

/// The region of the environment, or [`DEFAULT_REGION`].
fn default_region(environment: &[(String, String)]) -> String {
    let set = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        let value = found.map(|(_, value)| value.clone());
        value.filter(|value| !value.is_empty())
    };
    set("AWS_REGION")
        .or_else(|| set("AWS_DEFAULT_REGION"))
        .unwrap_or_else(|| DEFAULT_REGION.to_owned())
}

impl Bucket {
    /// A link that accepts an upload of exactly this type and size.
    pub(super) async fn upload(
        &self,
        key: &str,
        announced: &Announced,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<String, Error> {
        let credentials = self.credentials().await?;
        let length = announced.byte_size.to_string();
        let mut action = self.bucket.put_object(Some(&credentials), key);
        let headers = action.headers_mut();
        headers.insert("content-length", length);
        headers.insert("content-type", announced.content_type.as_str());
        let seconds = (expires_at - now).num_seconds();
        let seconds = seconds.clamp(1, MAX_UPLOAD_LIFETIME);
        let lifetime = Duration::from_secs(seconds.unsigned_abs());
        Ok(action.sign_with_time(lifetime, &date(now)?).into())
    }

    /// A link to an image.
    pub(super) async fn image(
        &self,
        key: &str,
        id: Uuid,
        content_type: ContentType,
        now: DateTime<Utc>,
    ) -> Result<String, Error> {
        let credentials = self.credentials().await?;
        let (start, until) = links::validity(now);
        let mut action = self.bucket.get_object(Some(&credentials), key);
        let query = action.query_mut();
        query.insert("response-content-type", content_type.as_str());
        let disposition = super::disposition(id, content_type);
        query.insert("response-content-disposition", disposition);
        query.insert("response-cache-control", "private, max-age=3600, immutable");
        let lifetime = (until - start).to_std().map_err(Error::internal)?;
        Ok(action.sign_with_time(lifetime, &date(start)?).into())
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let found = self.credentials.get_credential().await;
        let found = found.map_err(|error| {
            Error::unavailable(format!(
                "reading the credentials of the image store failed: {error}"
            ))
        })?;
        let (key, secret) = (found.key_id.clone(), found.secret_key.clone());
        Ok(match &found.token {
            Some(token) => Credentials::new_with_token(key, secret, token.clone()),
            None => Credentials::new(key, secret),
        })
    }
}

fn date(time: DateTime<Utc>) -> Result<Timestamp, Error> {
    Timestamp::from_second(time.timestamp()).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_ENDPOINT_URL_S3", "https://elsewhere.example.com"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn base(url: &str) -> Result<String, String> {
        let url = url.parse().expect("it is a URL");
        let (_, links, prefix) = open(&url, &environment())?;
        Ok(format!("{}{prefix}", links.bucket.base_url()))
    }

    #[test]
    fn the_url_selects_the_bucket() {
        for (url, expected) in [
            ("s3://notes", "https://notes.s3.us-east-1.amazonaws.com/"),
            (
                "s3://notes/a/b/?region=eu-west-1",
                "https://notes.s3.eu-west-1.amazonaws.com/a/b/",
            ),
            (
                "s3://notes/A-z_0.9/b//",
                "https://notes.s3.us-east-1.amazonaws.com/A-z_0.9/b/",
            ),
            (
                "s3://my.notes",
                "https://s3.us-east-1.amazonaws.com/my.notes/",
            ),
            (
                "s3://notes?endpoint=http://127.0.0.1:9000&region=x",
                "http://127.0.0.1:9000/notes/",
            ),
            (
                "s3://notes?endpoint=https://s3.example.com&style=host",
                "https://notes.s3.example.com/",
            ),
        ] {
            assert_eq!(base(url).as_deref(), Ok(expected), "{url}");
        }
        for (url, said) in [
            ("s3://key:hush@notes", "AWS_ACCESS_KEY_ID"),
            ("s3://notes?acl=public", "acl"),
            ("s3://notes?style=both", "style"),
            ("s3://notes?endpoint=nowhere", "endpoint"),
            ("s3://notes/my%20pages", "prefix"),
            ("s3://notes/my pages", "prefix"),
            ("s3://notes/p%61ges", "prefix"),
            ("s3://notes/a//b", "prefix"),
            ("s3://notes/~ada", "prefix"),
            ("s3://notes/a+b", "prefix"),
            ("s3://notes/a=b", "prefix"),
            ("s3://notes/a:b", "prefix"),
            ("s3://notes/Seiten-für-Ada", "prefix"),
            ("s3://notes/pages#1", "prefix"),
            ("s3://notes#pages", "prefix"),
        ] {
            let message = base(url).expect_err(url);
            assert!(
                message.contains(said) && !message.contains("hush"),
                "{message}"
            );
        }
    }

    #[tokio::test]
    async fn image_links_are_stable_within_the_hour_and_contain_no_secret() {
        let url = "s3://notes/pages".parse().expect("it is a URL");
        let (_, links, _) = open(&url, &environment()).expect("a store");
        let link = async |time: &str| {
            let now = time.parse().expect("a time");
            let id = Uuid::from_u128(7);
            links
                .image("pages/images/7", id, ContentType::Png, now)
                .await
                .expect("a link")
        };
        let first = link("2026-11-21T08:00:00Z").await;
        assert_eq!(first, link("2026-11-21T08:59:59Z").await);
        assert_ne!(first, link("2026-11-21T09:00:00Z").await);
        for part in [
            "X-Amz-Date=20261121T080000Z",
            "X-Amz-Expires=7500",
            "/pages/images/7?",
        ] {
            assert!(first.contains(part), "{first}");
        }
        assert!(!first.contains("hush"));
    }

    /// The expected signatures were made by botocore with the same key, time and headers.
    #[tokio::test]
    async fn signatures_equal_those_of_botocore() {
        let url = "s3://notes/pages?endpoint=https://s3.example.com&region=eu-central-1";
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_SESSION_TOKEN", "token/+="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (_, links, _) = open(&url.parse().expect("a URL"), &environment).expect("a store");
        let now: DateTime<Utc> = "2026-11-21T08:00:00Z".parse().expect("a time");
        let id = Uuid::from_u128(7);
        let announced = Announced {
            content_type: ContentType::Png,
            byte_size: 1234,
        };
        let expires_at = now + chrono::TimeDelta::minutes(15);
        let key = format!("pages/uploads/{id}");
        let upload = links.upload(&key, &announced, now, expires_at).await;
        let upload = upload.expect("a link");
        let signature = "ec7256a252911210126c3a9361575643ab4de8c4398ca8cab5d3092d5265d4eb";
        assert!(upload.ends_with(signature), "{upload}");
        let key = format!("pages/images/{id}");
        let image = links.image(&key, id, ContentType::Png, now).await;
        let image = image.expect("a link");
        let signature = "367d182d09f78c699b329eb8034ee002929f77de6808010e4b584e6de20957f1";
        assert!(image.ends_with(signature), "{image}");
        for part in [
            "https://s3.example.com/notes/pages/images/",
            "&X-Amz-Expires=7500&",
            "response-content-disposition=inline%3B%20filename%3D%22",
        ] {
            assert!(image.contains(part), "{image}");
        }
    }
}
