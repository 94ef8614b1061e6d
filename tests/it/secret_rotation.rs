//! Rotating the secret: sessions, emailed tokens and links that were made with the previous secret stay valid.

use serde_json::{Value, json};
use snapnote::{
    app::AppSettings,
    auth::keys::{Keys, Purpose, Secrets},
};

use crate::support::{Person, SECRET, TestApp, keep_mails, text};

const NEW: &[u8] = b"a new secret of the tests, which is long enough";
const PIXEL: usize = 70;

/// A process with these secrets.
fn with(current: &[u8], previous: Option<&[u8]>) -> impl FnOnce(&mut AppSettings) {
    let secrets = Secrets::new(current.to_vec(), previous.map(<[u8]>::to_vec));
    move |settings| {
        settings.auth.secrets = secrets.clone();
        settings.images.secrets = secrets;
        keep_mails(settings);
    }
}

/// What a user holds when the secret is rotated.
struct Held {
    ada: Person,
    reset: String,
    upload: String,
    /// Exchanged, and its successor.
    used: String,
    newest: String,
}

async fn held(app: &TestApp) -> Held {
    let ada = app.signed_up("ada").await;
    let payload = ada.refresh(&ada.refresh_token).await;
    ada.request_password_reset("ada@example.com").await;
    let course = ada.create_course("Algebra").await;
    let document = ada.create_document(&course, "").await;
    let input = json!({ "documentId": document, "contentType": "image/png", "byteSize": PIXEL });
    let upload = ada
        .mutate("requestImageUpload", input, "upload { url }")
        .await;
    let url = text(&upload["upload"]["url"]);
    let base = format!("http://{}", app.address);
    Held {
        reset: app.mailed_token("password_reset").await,
        upload: url.strip_prefix(&base).unwrap().to_owned(),
        used: ada.refresh_token.clone(),
        newest: text(&payload["refreshToken"]),
        ada,
    }
}

/// The id of the secret that signed an access token.
fn key_id(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).unwrap().kid
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_with_the_previous_secret_stays_valid() {
    let before = TestApp::with(with(SECRET, None)).await;
    let held = held(&before).await;
    let rotated = TestApp::on(before.database.clone(), with(NEW, Some(SECRET))).await;
    let ada = held.ada.at(&rotated);
    assert!(ada.is_accepted().await);
    let repeated = ada.refresh(&held.used).await;
    assert_eq!(repeated["refreshToken"], held.newest, "the same successor");

    let renewed = ada.refresh(&held.newest).await;
    assert_eq!(renewed["userErrors"], json!([]));
    let access = text(&renewed["accessToken"]);
    assert!(ada.with_token(&access).is_accepted().await);
    assert_ne!(key_id(&access), key_id(held.ada.token.as_ref().unwrap()));

    let sent = ada.http(
        "PUT",
        &held.upload,
        &[("content-type", "image/png")],
        &[0; PIXEL],
    );
    assert_eq!(sent.await.status, 204);
    let again = rotated.mailed_token("password_reset").await;
    assert_eq!(again, held.reset, "the email has the same token");
    let reset = rotated
        .anonymous()
        .reset_password(&held.reset, "another horse")
        .await;
    assert_eq!(reset["userErrors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_the_secrets_swapped_accept_each_others_tokens() {
    let prepared = TestApp::with(with(SECRET, Some(NEW))).await;
    let rotated = TestApp::on(prepared.database.clone(), with(NEW, Some(SECRET))).await;
    for (maker, reader, name) in [(&prepared, &rotated, "ada"), (&rotated, &prepared, "grace")] {
        let person = maker.signed_up(name).await;
        let there = person.at(reader);
        assert!(there.is_accepted().await);
        let first = person.refresh(&person.refresh_token).await;
        let repeated = there.refresh(&person.refresh_token).await;
        assert_eq!(repeated["refreshToken"], first["refreshToken"], "{name}");
        let next = there.refresh(&text(&first["refreshToken"])).await;
        assert_eq!(next["userErrors"], json!([]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_previous_secret_its_tokens_and_links_are_invalid() {
    let before = TestApp::with(with(SECRET, None)).await;
    let held = held(&before).await;
    let after = TestApp::on(before.database.clone(), with(NEW, None)).await;
    let ada = held.ada.at(&after);
    assert!(!ada.is_accepted().await);
    let refused = ada.refresh(&held.newest).await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_TOKEN");
    let sent = ada.http(
        "PUT",
        &held.upload,
        &[("content-type", "image/png")],
        &[0; PIXEL],
    );
    assert_eq!(sent.await.status, 404);
    // The email cannot be sent, because its token cannot be derived.
    let id = after
        .text("SELECT id FROM mail_tokens")
        .await
        .parse()
        .unwrap();
    let derived = after.auth.mailed_token(id, &token_hash(&after).await);
    assert_eq!(derived, None);
    // The session itself is still open, and its owner can sign in.
    assert!(after.signed_in("ada").await.is_accepted().await);
}

async fn token_hash(app: &TestApp) -> Vec<u8> {
    let hex = app
        .text("SELECT encode(token_hash, 'hex') FROM mail_tokens")
        .await;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// A token names its key. One that names the previous key, but is signed with the current one, is rejected.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_must_be_signed_with_the_key_that_it_names() {
    let app = TestApp::with(with(NEW, Some(SECRET))).await;
    let ada = app.signed_up("ada").await;
    let secrets = Secrets::new(NEW.to_vec(), Some(SECRET.to_vec()));
    let Keys { current, previous } = secrets.keys(Purpose::AccessTokens);
    let previous = previous.unwrap();
    let old = TestApp::on(app.database.clone(), with(SECRET, None)).await;
    let old_id = key_id(old.signed_in("ada").await.token.as_ref().unwrap());
    let new_id = key_id(ada.token.as_ref().unwrap());
    for (id, key, accepted) in [
        (&new_id, &current, true),
        (&old_id, &previous, true),
        (&None, &current, true),
        (&new_id, &previous, false),
        (&old_id, &current, false),
        (&Some("unknown".to_owned()), &previous, false),
    ] {
        let token = signed(&ada, id.clone(), key);
        assert_eq!(
            ada.with_token(token).is_accepted().await,
            accepted,
            "{id:?}"
        );
    }
}

fn signed(person: &Person, key_id: Option<String>, key: &[u8]) -> String {
    let header = jsonwebtoken::Header {
        typ: Some("at+jwt".to_owned()),
        kid: key_id,
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let now = chrono::Utc::now().timestamp();
    let claims: Value = json!({
        "iss": "snapnote", "aud": "snapnote", "sub": person.id, "sid": person.session, "exp": now + 900,
    });
    let key = jsonwebtoken::EncodingKey::from_secret(key);
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}
