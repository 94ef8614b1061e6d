//! Users, and typed calls for their accounts. Each returns the payload of its mutation.

use std::ops::Deref;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Client, TestApp, eventually, text};

/// The password of all users.
pub(crate) const PASSWORD: &str = "correct horse";

/// What signing up, signing in and refreshing a session select by default.
pub(crate) const SIGNED_IN: &str = "user { id } session { id } accessToken refreshToken";

/// A user who is signed in, with their client.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) session: String,
    pub(crate) refresh_token: String,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    /// Whom the payload of a sign-up or sign-in describes; it selects at least [`SIGNED_IN`].
    pub(crate) fn of(client: &Client, payload: &Value) -> Person {
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        Person {
            client: client.with_token(text(&payload["accessToken"])),
            id: text(&payload["user"]["id"]),
            session: text(&payload["session"]["id"]),
            refresh_token: text(&payload["refreshToken"]),
        }
    }
}

/// The input with which `<name>@example.com` signs up.
pub(crate) fn newcomer(name: &str) -> Value {
    json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "name": name })
}

impl TestApp {
    /// The service and its first user, `<name>@example.com`.
    pub(crate) async fn with_user(self, name: &str) -> (TestApp, Person) {
        let person = self.signed_up(name).await;
        (self, person)
    }

    /// The service and its first two users.
    pub(crate) async fn with_users(self, one: &str, other: &str) -> (TestApp, Person, Person) {
        let people = (self.signed_up(one).await, self.signed_up(other).await);
        (self, people.0, people.1)
    }

    /// The service and an admin.
    pub(crate) async fn with_admin(self, name: &str) -> (TestApp, Person) {
        let admin = self.admin(name).await;
        (self, admin)
    }

    /// A new user, `<name>@example.com`.
    pub(crate) async fn signed_up(&self, name: &str) -> Person {
        let anonymous = self.anonymous();
        let payload = anonymous.mutate("signUp", newcomer(name), SIGNED_IN).await;
        Person::of(&anonymous, &payload)
    }

    /// Another session of `<name>@example.com`.
    pub(crate) async fn signed_in(&self, name: &str) -> Person {
        let anonymous = self.anonymous();
        let payload = anonymous
            .sign_in(&format!("{name}@example.com"), PASSWORD)
            .await;
        Person::of(&anonymous, &payload)
    }

    /// A new user who is an admin.
    pub(crate) async fn admin(&self, name: &str) -> Person {
        let person = self.signed_up(name).await;
        let sql = format!("UPDATE users SET role = 'admin' WHERE id = '{}'", person.id);
        self.sql(&sql).await;
        person
    }

    /// How many audit log entries have this action.
    pub(crate) async fn logged(&self, action: &str) -> i64 {
        self.count(&format!("audit_logs WHERE action = '{action}'"))
            .await
    }

    /// How many mails of this kind wait in the outbox.
    pub(crate) async fn mails(&self, kind: &str) -> i64 {
        self.count(&format!("mails WHERE kind = '{kind}'")).await
    }

    /// The token that was mailed last for this purpose.
    pub(crate) async fn mailed_token(&self, purpose: &str) -> String {
        let from = format!("FROM mail_tokens WHERE purpose = '{purpose}'");
        let id = self.text(&format!("SELECT id {from}")).await;
        let hash = format!("SELECT encode(token_hash, 'base64') {from}");
        let hash = STANDARD.decode(self.text(&hash).await).unwrap();
        self.auth.mailed_token(id.parse().unwrap(), &hash).unwrap()
    }
}

impl Client {
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Value {
        let input = json!({ "email": email, "password": password });
        self.try_mutate("signIn", input, SIGNED_IN).await
    }

    /// Whether this address and password are accepted.
    pub(crate) async fn can_sign_in(&self, email: &str, password: &str) -> bool {
        self.sign_in(email, password).await["userErrors"] == json!([])
    }

    pub(crate) async fn sign_out(&self) -> Value {
        self.mutate("signOut", Value::Null, "signedOut").await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Value {
        let input = json!({ "refreshToken": token });
        let selection =
            "user { id } session { id current createdAt expiresAt } accessToken refreshToken";
        self.try_mutate("refreshSession", input, selection).await
    }

    pub(crate) async fn request_email_verification(&self) -> Value {
        let name = "requestEmailVerification";
        self.try_mutate(name, Value::Null, "accepted").await
    }

    pub(crate) async fn verify_email(&self, token: &str) -> Value {
        let input = json!({ "token": token });
        self.try_mutate("verifyEmail", input, "user { email }")
            .await
    }

    pub(crate) async fn request_email_change(&self, new: &str, password: impl Serialize) -> Value {
        let input = json!({ "newEmail": new, "password": password });
        self.try_mutate("requestEmailChange", input, "accepted")
            .await
    }

    pub(crate) async fn change_password(&self, current: &str, new: &str) -> Value {
        let input = json!({ "currentPassword": current, "newPassword": new });
        self.try_mutate("changePassword", input, "").await
    }

    pub(crate) async fn request_password_reset(&self, email: &str) -> Value {
        let input = json!({ "email": email });
        self.try_mutate("requestPasswordReset", input, "accepted")
            .await
    }

    pub(crate) async fn reset_password(&self, token: &str, new: &str) -> Value {
        let input = json!({ "token": token, "newPassword": new });
        let selection =
            "user { id email emailVerified } session { id current } accessToken refreshToken";
        self.try_mutate("resetPassword", input, selection).await
    }

    pub(crate) async fn deactivate_me(&self, password: impl Serialize) -> Value {
        let input = json!({ "password": password });
        self.try_mutate("deactivateMe", input, "user { id active }")
            .await
    }

    pub(crate) async fn delete_me(&self, password: impl Serialize) -> Value {
        let input = json!({ "password": password });
        self.try_mutate("deleteMe", input, "deletedIds").await
    }

    /// Whether the service accepts this client's token. A field that needs a user and no statement.
    pub(crate) async fn is_accepted(&self) -> bool {
        let query = "{ nodes(ids: []) { __typename } }";
        let status = self.post(query, json!({})).await.status;
        assert!(status == 200 || status == 401, "{status}");
        status == 200
    }

    /// Waits until the token is rejected. A process that does not learn of a revocation would accept it for 15 minutes.
    pub(crate) async fn eventually_rejected(&self) {
        eventually("the token is rejected", async || !self.is_accepted().await).await;
    }
}
