//! The public keys of an issuer: fetched when needed, and cached.
//!
//! Keys are fetched again after 10 minutes, or for an unknown key, but at most once in 30 seconds. One fetch serves all
//! requests that wait. Only requests that need an unknown key wait. A known key serves during a fetch, and for a day if
//! the issuer is unreachable. A fetch continues if its request gives up, and a slow issuer does not delay others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::task::JoinHandle;
use tracing::Instrument;
use url::Url;

use crate::{error::Error, telemetry::work};

/// Maximum size of an issuer's response.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Limits on the age of an issuer's keys.
#[derive(Debug, Clone, Copy)]
pub struct KeyAges {
    /// Until this age, keys are only fetched again for an unknown key (default 10 minutes).
    pub fresh: Duration,
    /// Minimum time between two fetches (default 30 seconds).
    pub min_interval: Duration,
    /// Until this age, keys are used if the issuer is unreachable (default 1 day).
    pub max_age: Duration,
}

impl Default for KeyAges {
    fn default() -> Self {
        KeyAges {
            fresh: Duration::from_secs(10 * 60),
            min_interval: Duration::from_secs(30),
            max_age: Duration::from_secs(24 * 3600),
        }
    }
}

/// An HTTP client with timeouts that follows no redirects.
pub(super) fn http_client() -> Result<Client, String> {
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("snapnote/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("SNAPNOTE_ISSUERS: creating an HTTPS client failed: {error}."))
}

/// The keys of one issuer.
pub(super) struct Keys {
    issuer: String,
    url: Url,
    client: Client,
    ages: KeyAges,
    cached: Mutex<CachedKeys>,
    /// Locked during a fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: Arc<Vec<Key>>,
    /// When the last successful fetch began. `None` if there are no keys.
    fetched: Option<Instant>,
    /// When the last fetch began, successful or not.
    tried: Option<Instant>,
}

pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    decoding: DecodingKey,
}

impl Keys {
    pub(super) fn new(issuer: String, url: Url, client: Client, ages: KeyAges) -> Arc<Self> {
        Arc::new(Keys {
            issuer,
            url,
            client,
            ages,
            cached: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// The issuer's key with this id for this algorithm. Without an id, the only key.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no usable keys.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Option<DecodingKey>, Error> {
        let ages = self.ages;
        let known = self.cached.lock().clone();
        if let Some(key) = known.find(id, algorithm)
            && is_younger(known.fetched, ages.max_age)
        {
            if !is_younger(known.fetched, ages.fresh) && !is_younger(known.tried, ages.min_interval)
            {
                drop(self.fetch());
            }
            return Ok(Some(key));
        }
        // The task only fails if it panicked. There are no new keys then.
        let _ = self.fetch().await;
        let known = self.cached.lock().clone();
        if is_younger(known.fetched, ages.max_age) {
            return Ok(known.find(id, algorithm));
        }
        let issuer = &self.issuer;
        Err(Error::unavailable(format!(
            "fetching the keys of the issuer {issuer} failed"
        )))
    }
}

impl CachedKeys {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits = |key: &&Key| {
            key.decoding.family() == family(algorithm)
                && key.algorithm.is_none_or(|own| own == algorithm)
                && id.is_none_or(|id| key.id.as_deref() == Some(id))
        };
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key.decoding.clone()),
            // If two keys match, the choice would be arbitrary.
            _ => None,
        }
    }
}

fn is_younger(at: Option<Instant>, age: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < age)
}

fn family(algorithm: Algorithm) -> AlgorithmFamily {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => AlgorithmFamily::Hmac,
        Algorithm::ES256 | Algorithm::ES384 => AlgorithmFamily::Ec,
        Algorithm::EdDSA => AlgorithmFamily::Ed,
        _ => AlgorithmFamily::Rsa,
    }
}

impl Keys {
    /// Fetches the keys, unless a fetch was begun recently; waits for a fetch in progress. The task runs to its end
    /// even if no request waits for it.
    fn fetch(self: &Arc<Self>) -> JoinHandle<()> {
        let keys = self.clone();
        let fetch = async move {
            let _alone = keys.fetching.lock().await;
            if is_younger(keys.cached.lock().tried, keys.ages.min_interval) {
                return;
            }
            let began = Instant::now();
            keys.cached.lock().tried = Some(began);
            match fetch_keys(&keys.client, keys.url.clone()).await {
                Ok(fetched) => {
                    let mut known = keys.cached.lock();
                    known.keys = Arc::new(fetched);
                    known.fetched = Some(began);
                }
                Err(error) => tracing::warn!(
                    issuer = keys.issuer,
                    error,
                    "fetching the keys of an issuer failed"
                ),
            }
        };
        tokio::spawn(work::inherited(fetch).in_current_span())
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The published keys that can verify signatures. Unknown kinds are skipped.
pub(super) async fn fetch_keys(client: &Client, url: Url) -> Result<Vec<Key>, String> {
    let set: KeySet = fetch_json(client.get(url)).await?;
    let keys: Vec<Key> = set.keys.into_iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err("the response has no usable key".to_owned());
    }
    Ok(keys)
}

fn key(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let for_signatures = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let algorithm = jwk
        .common
        .key_algorithm
        .map(|name| name.to_string().parse());
    let algorithm = algorithm.transpose().ok()?;
    // A shared secret must not be published, so such a key is ignored.
    let public = decoding.family() != AlgorithmFamily::Hmac;
    (for_signatures && public).then_some(Key {
        id: jwk.common.key_id,
        algorithm,
        decoding,
    })
}

/// Reads a JSON response of limited size.
///
/// # Errors
/// The reason, for the log.
pub(super) async fn fetch_json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, String> {
    let describe = |error: reqwest::Error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    };
    let request = match work::traceparent() {
        Some(trace) => request.header("traceparent", trace),
        None => request,
    };
    let mut response = request.send().await.map_err(describe)?;
    if response.status() != StatusCode::OK {
        return Err(format!("the response status was {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(describe)? {
        if body.len() + part.len() > MAX_RESPONSE_BYTES {
            return Err(format!(
                "the response is longer than {MAX_RESPONSE_BYTES} bytes"
            ));
        }
        body.extend_from_slice(&part);
    }
    serde_json::from_slice(&body).map_err(|error| format!("the response is invalid: {error}"))
}
