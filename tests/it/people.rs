//! People: signing up and in, `me`, and what one tells of oneself. What becomes of tokens is in `sessions`, who sees
//! secrets in `secrets`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, TestApp};

pub(crate) const SIGN_UP: &str = "mutation($input: SignUpInput!) { signUp(input: $input) {
    user { id email name avatarUrl emailVerified active role createdAt updatedAt lastSignInAt
           profile { proficiency technicalBackground hardwareAccess learningGoals preferences } }
    session { id current ipAddress userAgent createdAt lastUsedAt expiresAt }
    accessToken accessTokenExpiresAt refreshToken userErrors { code field } } }";

pub(crate) const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    user { id lastSignInAt } session { id current } accessToken refreshToken
    userErrors { code field message } } }";

pub(crate) const ME: &str = "{ me { id email name avatarUrl updatedAt profile {
    proficiency technicalBackground hardwareAccess learningGoals preferences updatedAt } } }";

/// What somebody needs to sign up as `<name>@example.com`.
pub(crate) fn person(name: &str) -> Value {
    json!({ "input": { "email": format!("{name}@example.com"), "password": "correct horse", "name": name } })
}

pub(crate) async fn sign_in(visitor: &Client, email: &str, password: &str) -> Value {
    let input = json!({ "input": { "email": email, "password": password } });
    visitor.data(SIGN_IN, input).await["signIn"].take()
}

fn at(time: &Value) -> chrono::DateTime<chrono::Utc> {
    serde_json::from_value(time.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_up_is_signed_in_at_once() {
    let app = TestApp::start().await;
    let input =
        json!({ "email": " Ada@Example.com\n", "password": "correct horse", "name": "Ada 語" });
    let body = json!({ "query": SIGN_UP, "variables": { "input": input } }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "curl/8.5"),
    ];
    let answer = app
        .visitor()
        .http("POST", "/graphql", &headers, body.as_bytes())
        .await;
    let payload = answer.json()["data"]["signUp"].take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let user = &payload["user"];
    assert_eq!(user["email"], "Ada@Example.com");
    assert_eq!(user["name"], "Ada 語");
    assert_eq!(user["avatarUrl"], Value::Null);
    assert_eq!(
        json!([user["emailVerified"], user["active"], user["role"]]),
        json!([false, true, "USER"])
    );
    assert_eq!(user["lastSignInAt"], user["createdAt"]);
    assert_eq!(user["id"].as_str().unwrap().as_bytes()[14], b'7');
    let nothing = json!({ "proficiency": "PRO", "technicalBackground": null, "hardwareAccess": null,
                          "learningGoals": null, "preferences": null });
    assert_eq!(user["profile"], nothing);

    let session = &payload["session"];
    assert_eq!(session["current"], true);
    assert_eq!(session["ipAddress"], "127.0.0.1");
    assert_eq!(session["userAgent"], "curl/8.5");
    let lasts = at(&session["expiresAt"]) - at(&session["createdAt"]);
    assert_eq!(lasts.num_days(), 30);
    let seconds = (at(&payload["accessTokenExpiresAt"]) - chrono::Utc::now()).num_seconds();
    assert!((890..=900).contains(&seconds), "{seconds}");

    let ada = Client {
        token: payload["accessToken"].as_str().map(str::to_owned),
        ..app.visitor()
    };
    assert_eq!(ada.data(ME, json!({})).await["me"]["id"], user["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_one_persons_in_upper_and_lower_case() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    app.signed_up("grace").await;
    for address in ["grace@example.com", "  GRACE@Example.COM "] {
        let input = json!({ "email": address, "password": "another horse", "name": "Not Grace" });
        let payload = visitor.data(SIGN_UP, json!({ "input": input })).await["signUp"].take();
        assert_eq!(
            payload["userErrors"],
            json!([{ "code": "TAKEN", "field": ["input", "email"] }])
        );
        assert_eq!(payload["accessToken"], Value::Null);
        let payload = sign_in(&visitor, address, "correct horse").await;
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(payload["session"]["current"], true);
    }
    assert_eq!(app.number("SELECT count(*) FROM users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_sign_up_is_told_at_once_and_changes_nothing() {
    let app = TestApp::start().await;
    let long = format!("{}@b", "語".repeat(254));
    let cases = [
        (["", "", ""], "BLANK email TOO_SHORT password BLANK name"),
        (
            ["nobody", "1234567", " \t"],
            "INVALID email TOO_SHORT password BLANK name",
        ),
        (
            [&long, &"x".repeat(129), &"x".repeat(256)],
            "TOO_LONG email TOO_LONG password TOO_LONG name",
        ),
        (
            ["a\0@example.com", "12345678\0", "a\0"],
            "INVALID email INVALID password INVALID name",
        ),
        (["a b@example.com", "12345678", "Ada"], "INVALID email"),
    ];
    for ([email, password, name], expected) in cases {
        let input = json!({ "email": email, "password": password, "name": name });
        let payload = app.visitor().data(SIGN_UP, json!({ "input": input })).await["signUp"].take();
        let told: Vec<String> = payload["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                assert_eq!(error["field"][0], "input");
                format!(
                    "{} {}",
                    error["code"].as_str().unwrap(),
                    error["field"][1].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(told.join(" "), expected);
        assert_eq!(payload["user"], Value::Null);
    }
    assert_eq!(app.number("SELECT count(*) FROM users").await, 0);
    assert_eq!(app.auth.passwords_hashed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_sign_up_with_one_address_one_gets_it() {
    let app = TestApp::start().await;
    let visitors: Vec<Client> = (0..20).map(|_| app.visitor()).collect();
    let tries = visitors
        .iter()
        .map(|visitor| visitor.data(SIGN_UP, person("ada")));
    let answers = join_all(tries).await;
    let taken = json!([{ "code": "TAKEN", "field": ["input", "email"] }]);
    let (got, refused): (Vec<_>, Vec<_>) = answers
        .iter()
        .map(|answer| &answer["signUp"])
        .partition(|payload| payload["userErrors"] == json!([]));
    assert_eq!(got.len(), 1);
    assert!(refused.iter().all(|payload| payload["userErrors"] == taken));
    for table in ["users", "user_profiles", "sessions"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(app.number(&count).await, 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_sign_in_is_told_the_same_at_the_same_cost() {
    let app = TestApp::start().await;
    for name in ["ada", "inactive", "outsider"] {
        app.signed_up(name).await;
    }
    app.sql("UPDATE users SET is_active = false WHERE name = 'inactive'")
        .await;
    app.sql("UPDATE users SET password_hash = NULL WHERE name = 'outsider'")
        .await;
    let refused = json!({ "user": null, "session": null, "accessToken": null, "refreshToken": null, "userErrors": [
        { "code": "INVALID_CREDENTIALS", "field": null, "message": "The email address or the password is wrong." }] });
    let long = "x".repeat(100_000);
    for (email, password) in [
        ("ada@example.com", "wrong horse"),
        ("ada@example.com", ""),
        ("ada@example.com", &long),
        ("ada@example.com", "correct horse\0"),
        ("nobody@example.com", "correct horse"),
        ("nobody@example.com\0", "correct horse"),
        ("", "correct horse"),
        ("inactive@example.com", "correct horse"),
        ("outsider@example.com", "correct horse"),
        ("outsider@example.com", ""),
    ] {
        let before = app.auth.passwords_hashed();
        let payload = sign_in(&app.visitor(), email, password).await;
        assert_eq!(payload, refused, "{email:?}");
        assert_eq!(app.auth.passwords_hashed() - before, 1, "{email:?}");
    }
    assert_eq!(app.number("SELECT count(*) FROM sessions").await, 3);
}

/// As [`TestApp::number`], until it is what it must be; gives up after five seconds.
async fn becomes(app: &TestApp, sql: &str, expected: i64) {
    for _ in 0..100 {
        if app.number(sql).await == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(app.number(sql).await, expected, "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_knows_who_signed_in_and_who_failed_to() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let user = ada.data(ME, json!({})).await["me"]["id"].clone();
    let session =
        sign_in(&app.visitor(), "ada@example.com", "correct horse").await["session"]["id"].clone();
    sign_in(&app.visitor(), "ada@example.com", "wrong horse").await;
    sign_in(&app.visitor(), "nobody@example.com", "wrong horse").await;
    let signed_in = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'SIGN_IN' AND entity_type = 'Session'
         AND user_id = '{0}' AND actor_id = '{0}' AND entity_id = '{1}' AND ip_address = '127.0.0.1'",
        user.as_str().unwrap(),
        session.as_str().unwrap()
    );
    assert_eq!(app.number(&signed_in).await, 1);
    let failed = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'SIGN_IN_FAILED' AND entity_type = 'User'
         AND user_id = '{0}' AND entity_id = '{0}' AND ip_address = '127.0.0.1'",
        user.as_str().unwrap()
    );
    becomes(&app, &failed, 1).await;
    let all = "SELECT count(*) FROM audit_logs WHERE action IN ('SIGN_IN', 'SIGN_IN_FAILED')";
    assert_eq!(app.number(all).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_is_remembered_but_changes_nobody() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE users SET last_sign_in_at = NULL").await;
    let before = ada.data(ME, json!({})).await;
    let payload = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    assert!(payload["user"]["lastSignInAt"].is_string(), "{payload}");
    assert_eq!(ada.data(ME, json!({})).await, before);
}

const UPDATE_ME: &str = "mutation($input: UpdateMeInput!) { updateMe(input: $input) {
    user { name avatarUrl updatedAt } userErrors { code field } } }";

async fn update_me(client: &Client, input: Value) -> Value {
    client.data(UPDATE_ME, json!({ "input": input })).await["updateMe"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_of_an_update_of_oneself_stays_and_null_clears() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let picture = "https://example.com/ada.png";
    let changed = update_me(&ada, json!({ "avatarUrl": picture })).await;
    assert_eq!(changed["user"]["name"], "ada");
    assert_eq!(changed["user"]["avatarUrl"], picture);
    let renamed = update_me(&ada, json!({ "name": "Ada" })).await;
    assert_eq!(renamed["user"]["name"], "Ada");
    assert_eq!(renamed["user"]["avatarUrl"], picture);

    let log = "SELECT count(*) FROM audit_logs WHERE action = 'UPDATED'";
    let before = app.number(log).await;
    let nothing = update_me(&ada, json!({})).await;
    assert_eq!(nothing["user"], renamed["user"]);
    assert_eq!(app.number(log).await, before);

    let cleared = update_me(&ada, json!({ "avatarUrl": null })).await;
    assert_eq!(cleared["user"]["name"], "Ada");
    assert_eq!(cleared["user"]["avatarUrl"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_update_of_oneself_is_refused_whole() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let before = ada.data(ME, json!({})).await;
    let long = format!("https://example.com/{}", "x".repeat(493));
    for (input, expected) in [
        (
            json!({ "name": null, "avatarUrl": long }),
            json!([{ "code": "BLANK", "field": ["input", "name"] },
                   { "code": "TOO_LONG", "field": ["input", "avatarUrl"] }]),
        ),
        (
            json!({ "name": " ", "avatarUrl": null }),
            json!([{ "code": "BLANK", "field": ["input", "name"] }]),
        ),
        (
            json!({ "name": "a\0" }),
            json!([{ "code": "INVALID", "field": ["input", "name"] }]),
        ),
        (
            json!({ "name": "x".repeat(256) }),
            json!([{ "code": "TOO_LONG", "field": ["input", "name"] }]),
        ),
    ] {
        let payload = update_me(&ada, input).await;
        assert_eq!(payload, json!({ "user": null, "userErrors": expected }));
    }
    for url in ["nowhere", "javascript:alert(1)", "ftp://example.com/a", ""] {
        let input = json!({ "input": { "avatarUrl": url } });
        assert_eq!(ada.error_code(UPDATE_ME, input).await, "BAD_USER_INPUT");
    }
    assert_eq!(ada.data(ME, json!({})).await, before);
}

const UPDATE_PROFILE: &str =
    "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
    user { profile { proficiency technicalBackground hardwareAccess learningGoals preferences } }
    userErrors { code field } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_updated_field_by_field() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let full = "語".repeat(10_000);
    let steps = [
        (
            json!({ "proficiency": "BEGINNER", "learningGoals": full, "preferences": "" }),
            json!({ "proficiency": "BEGINNER", "technicalBackground": null, "hardwareAccess": null,
                    "learningGoals": full, "preferences": "" }),
        ),
        (
            json!({ "technicalBackground": "Looms", "hardwareAccess": "An engine", "learningGoals": null }),
            json!({ "proficiency": "BEGINNER", "technicalBackground": "Looms", "hardwareAccess": "An engine",
                    "learningGoals": null, "preferences": "" }),
        ),
        (
            json!({}),
            json!({ "proficiency": "BEGINNER", "technicalBackground": "Looms", "hardwareAccess": "An engine",
                    "learningGoals": null, "preferences": "" }),
        ),
    ];
    for (input, expected) in steps {
        let payload =
            ada.data(UPDATE_PROFILE, json!({ "input": input })).await["updateProfile"].take();
        let expected = json!({ "user": { "profile": expected }, "userErrors": [] });
        assert_eq!(payload, expected);
    }
    let before = ada.data(ME, json!({})).await;
    let long = "x".repeat(10_001);
    let bad = json!({ "proficiency": null, "technicalBackground": long, "preferences": "\0" });
    let payload = ada.data(UPDATE_PROFILE, json!({ "input": bad })).await["updateProfile"].take();
    let expected = json!([{ "code": "BLANK", "field": ["input", "proficiency"] },
                          { "code": "TOO_LONG", "field": ["input", "technicalBackground"] },
                          { "code": "INVALID", "field": ["input", "preferences"] }]);
    assert_eq!(payload, json!({ "user": null, "userErrors": expected }));
    assert_eq!(ada.data(ME, json!({})).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_its_own_persons_alone() {
    let app = TestApp::start().await;
    let (ada, grace) = (app.signed_up("ada").await, app.signed_up("grace").await);
    let input = json!({ "input": { "preferences": "Tea" } });
    ada.data(UPDATE_PROFILE, input).await;
    update_me(&ada, json!({ "name": "Ada" })).await;
    let me = grace.data(ME, json!({})).await;
    assert_eq!(me["me"]["name"], "grace");
    assert_eq!(me["me"]["profile"]["preferences"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_a_lists_owner_is_read_once() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for _ in 0..10 {
        let query = "mutation { createCourse(input: { name: \"Looms\" }) { course { id } } }";
        ada.data(query, json!({})).await;
    }
    let before = app.pool.statements();
    let query = "{ courses { nodes { owner { id profile { proficiency } } } } }";
    let courses = ada.data(query, json!({})).await["courses"]["nodes"].take();
    assert_eq!(courses.as_array().unwrap().len(), 10);
    assert_eq!(courses[9]["owner"]["profile"]["proficiency"], "PRO");
    // The courses, their owner, the profile; and, once a second, what was revoked.
    let sent = app.pool.statements() - before;
    assert!(sent <= 4, "{sent} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_nobody_and_cannot_change() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    assert_eq!(visitor.data(ME, json!({})).await, json!({ "me": null }));
    for query in [
        "mutation { updateMe(input: { name: \"x\" }) { user { id } } }",
        "mutation { updateProfile(input: {}) { user { id } } }",
        "mutation { signOut { signedOut } }",
    ] {
        let answer = visitor.graphql(query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        let field = answer["data"].as_object().unwrap().values().next();
        assert_eq!(field, Some(&Value::Null), "{answer}");
    }
}
