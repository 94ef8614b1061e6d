//! The public keys of an issuer: fetched when they are needed, and kept.
//!
//! They are fetched again after 10 minutes, or for a key that is unknown, but at most once in 30 seconds, by one request
//! for all that wait. Only who needs a key that is not there waits: one that is there serves beside a fetch, and on for a day
//! if the issuer cannot be reached. A fetch goes on though the request that began it is given up, and one issuer's slowness
//! is no other's.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::task::JoinHandle;
use url::Url;

use crate::error::Error;

/// Bytes of an issuer's answer at most.
const MOST_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// How old the keys of an outside issuer may be.
#[derive(Debug, Clone, Copy)]
pub struct KeyAges {
    /// Until then they are not fetched again, but for one that is unknown: 10 minutes.
    pub fresh: Duration,
    /// What lies between two fetches at least: 30 seconds.
    pub between: Duration,
    /// Until then they serve though the issuer cannot be reached: a day.
    pub dead: Duration,
}

impl Default for KeyAges {
    fn default() -> Self {
        KeyAges {
            fresh: Duration::from_secs(10 * 60),
            between: Duration::from_secs(30),
            dead: Duration::from_secs(24 * 3600),
        }
    }
}

/// An HTTP client that follows nothing and waits for nobody.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("snapnote/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("SNAPNOTE_ISSUERS: no HTTPS client can be made: {error}."))
}

/// The keys of one issuer.
pub(super) struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    url: Url,
    client: Client,
    ages: KeyAges,
    known: Mutex<Known>,
    /// Held by the one that fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<Vec<Key>>,
    /// When these keys were asked for; `None`: there are none.
    fetched: Option<Instant>,
    /// When a fetch was last begun, whatever came of it.
    tried: Option<Instant>,
}

struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    decoding: DecodingKey,
}

impl Keys {
    pub(super) fn new(issuer: String, url: Url, client: Client, ages: KeyAges) -> Self {
        let inner = Inner {
            issuer,
            url,
            client,
            ages,
            known: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        };
        Keys {
            inner: Arc::new(inner),
        }
    }

    /// The issuer's key with that id, for that algorithm; without an id, its only one.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no keys that can serve.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Option<DecodingKey>, Error> {
        let ages = self.inner.ages;
        let known = self.inner.lock().clone();
        if let Some(key) = known.find(id, algorithm)
            && younger(known.fetched, ages.dead)
        {
            if !younger(known.fetched, ages.fresh) && !younger(known.tried, ages.between) {
                drop(self.inner.fetch());
            }
            return Ok(Some(key));
        }
        // It fails only if it panicked; then there are no new keys.
        let _ = self.inner.fetch().await;
        let known = self.inner.lock().clone();
        if younger(known.fetched, ages.dead) {
            return Ok(known.find(id, algorithm));
        }
        let issuer = &self.inner.issuer;
        Err(Error::unavailable(format!(
            "the keys of the issuer {issuer} cannot be fetched"
        )))
    }
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits = |key: &&Key| {
            key.decoding.family() == family(algorithm)
                && key.algorithm.is_none_or(|own| own == algorithm)
                && id.is_none_or(|id| key.id.as_deref() == Some(id))
        };
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key.decoding.clone()),
            // Of two that fit, none is the one.
            _ => None,
        }
    }
}

fn younger(at: Option<Instant>, age: Duration) -> bool {
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

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the keys, unless that was tried lately; done when a fetch that is under way is over. It needs nobody who
    /// waits for it.
    fn fetch(self: &Arc<Self>) -> JoinHandle<()> {
        let inner = self.clone();
        tokio::spawn(async move {
            let _alone = inner.fetching.lock().await;
            if younger(inner.lock().tried, inner.ages.between) {
                return;
            }
            let began = Instant::now();
            inner.lock().tried = Some(began);
            match published(&inner.client, inner.url.clone()).await {
                Ok(keys) => {
                    let mut known = inner.lock();
                    known.keys = Arc::new(keys);
                    known.fetched = Some(began);
                }
                Err(error) => tracing::warn!(
                    issuer = inner.issuer,
                    error,
                    "the keys of an outside issuer could not be fetched"
                ),
            }
        })
    }
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The keys that are published there and can verify a signature: one that we do not know is passed over.
async fn published(client: &Client, url: Url) -> Result<Vec<Key>, String> {
    let set: Published = fetch(client.get(url)).await?;
    let keys: Vec<Key> = set.keys.into_iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err("there is no key that could be used".to_owned());
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
    let algorithm = match jwk.common.key_algorithm {
        Some(name) => Some(name.to_string().parse().ok()?),
        None => None,
    };
    // A shared secret is nothing to be published.
    let public = decoding.family() != AlgorithmFamily::Hmac;
    (for_signatures && public).then_some(Key {
        id: jwk.common.key_id,
        algorithm,
        decoding,
    })
}

/// Reads a JSON answer of bounded length.
///
/// # Errors
/// Why there is none, for the log.
pub(super) async fn fetch<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, String> {
    let words = |error: reqwest::Error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    };
    let mut answer = request.send().await.map_err(words)?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answered {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(words)? {
        if body.len() + part.len() > MOST_BYTES {
            return Err(format!("its answer is longer than {MOST_BYTES} bytes"));
        }
        body.extend_from_slice(&part);
    }
    serde_json::from_slice(&body)
        .map_err(|error| format!("its answer is not as it must be: {error}"))
}
