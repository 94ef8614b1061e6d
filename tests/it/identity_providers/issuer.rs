//! An external identity provider: an HTTP server for keys and userinfo, which can fail in many ways; and tokens signed with
//! keys for tests.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(super) const RSA: &[u8] = include_bytes!("keys/rsa.der");
pub(super) const NEW_RSA: &[u8] = include_bytes!("keys/rsa-new.der");
pub(super) const EC: &[u8] = include_bytes!("keys/ec.der");
pub(super) const ED: &[u8] = include_bytes!("keys/ed.der");

/// A private key for an algorithm.
pub(super) fn key(der: &[u8], algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(der),
        Algorithm::EdDSA => EncodingKey::from_ed_der(der),
        _ => EncodingKey::from_rsa_der(der),
    }
}

/// The public half of a key, as it is published.
pub(super) fn published(der: &[u8], algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(&key(der, algorithm), algorithm).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    json!(jwk)
}

/// How the server answers.
#[derive(Clone)]
pub(super) enum Answer {
    Json(Value),
    Text(&'static str),
    /// A response that is too long.
    Endless,
    Redirect,
    /// No response, until the client closes the connection.
    Never,
}

#[derive(Default)]
struct State {
    keys: Option<Answer>,
    userinfo: Option<Answer>,
    /// Paths that were requested, in order.
    asked: Vec<String>,
    /// Requests that clients gave up.
    given_up: usize,
}

/// The server. It stops when dropped.
pub(super) struct Issuer {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Issuer {
    /// One that publishes all keys of the tests: `rsa`, `ec` and `ed`.
    pub(super) async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Issuer::on(listener);
        issuer.publish(Answer::Json(json!({ "keys": [
            published(RSA, Algorithm::RS256, "rsa"),
            published(EC, Algorithm::ES256, "ec"),
            published(ED, Algorithm::EdDSA, "ed"),
        ] })));
        issuer
    }

    fn on(listener: TcpListener) -> Issuer {
        let (address, state) = (
            listener.local_addr().unwrap(),
            Arc::<Mutex<State>>::default(),
        );
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Issuer {
            address,
            state,
            serving,
        }
    }

    pub(super) fn publish(&self, keys: Answer) {
        self.state.lock().unwrap().keys = Some(keys);
    }

    pub(super) fn tell(&self, userinfo: Answer) {
        self.state.lock().unwrap().userinfo = Some(userinfo);
    }

    /// How many requests clients gave up.
    pub(super) fn given_up(&self) -> usize {
        self.state.lock().unwrap().given_up
    }

    /// How often this path was requested.
    pub(super) fn asked(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| *asked == path).count()
    }

    /// Its settings, as an operator writes them.
    pub(super) fn toml(&self, rest: &str) -> String {
        let address = self.address;
        format!(
            "[[issuer]]\nname = \"outside\"\nkind = \"oidc\"\nissuer = \"https://issuer.example/\"\naudience = \"notes\"\n\
             jwks_url = \"http://{address}/keys\"\nalgorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\n{rest}\n"
        )
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        match path.as_str() {
            "/keys" => state.keys.clone(),
            "/userinfo" if head.to_lowercase().contains("authorization: bearer ") => {
                state.userinfo.clone()
            }
            _ => None,
        }
    };
    let (status, more, body) = match answer {
        Some(Answer::Json(value)) => ("200 OK", "", value.to_string()),
        Some(Answer::Text(text)) => ("200 OK", "", text.to_owned()),
        Some(Answer::Endless) => ("200 OK", "", " ".repeat(300 * 1024)),
        Some(Answer::Redirect) => ("302 Found", "location: /elsewhere\r\n", String::new()),
        Some(Answer::Never) => {
            let _ = stream.read(&mut [0]).await;
            state.lock().unwrap().given_up += 1;
            return;
        }
        None => ("404 Not Found", "", String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// A good token's header.
pub(super) fn header(algorithm: Algorithm, id: &str) -> Header {
    Header {
        kid: Some(id.to_owned()),
        ..Header::new(algorithm)
    }
}

/// The claims of a valid token. The email address is verified.
pub(super) fn claims(subject: &str) -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({ "iss": "https://issuer.example/", "aud": ["notes", "more"], "sub": subject, "iat": now, "exp": now + 600,
            "email": format!("{subject}@example.com"), "email_verified": true, "name": subject })
}

/// A token of that header and those claims.
pub(super) fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

/// A token that the issuer made for that subject.
pub(super) fn token(subject: &str) -> String {
    token_of(&claims(subject))
}

/// A token that the issuer made with these claims.
pub(super) fn token_of(claims: &Value) -> String {
    let algorithm = Algorithm::RS256;
    signed(&header(algorithm, "rsa"), claims, &key(RSA, algorithm))
}
