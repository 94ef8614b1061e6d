//! Invalid settings of issuers are reported with the issuer's name.

use super::{super::keys::Secrets, ExternalProviders, IssuerSettings, KeyAges};

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

fn started(toml: &str) -> Result<(), String> {
    let issuers = IssuerSettings::read(toml)?;
    let secrets = Secrets::new(SECRET.to_vec(), None);
    ExternalProviders::new(issuers, KeyAges::default(), "snapnote", &secrets).map(|_| ())
}

/// Settings of an issuer with these lines.
fn oidc(lines: &[&str]) -> String {
    let lines = lines.join("\n");
    format!("[[issuer]]\nname = \"a\"\nkind = \"oidc\"\n{lines}\n")
}

fn session(name: &str, secret: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nkind = \"better-auth-session\"\nsecret = \"{secret}\"\n"
    )
}

const ISSUER: &str = r#"issuer = "https://a.example/""#;
const AUDIENCE: &str = r#"audience = "api""#;

#[test]
fn distinct_issuers_are_accepted() {
    let auth0 = oidc(&[ISSUER, AUDIENCE]);
    let session = session("b", "another secret of thirty-two bytes!!");
    assert_eq!(started(&auth0), Ok(()));
    assert_eq!(started(&format!("{auth0}{session}")), Ok(()));
    let all = oidc(&[
        r#"issuer = "https://a.example""#,
        r#"audience = ["api", "b"]"#,
        r#"algorithms = ["ES256", "EdDSA"]"#,
        r#"types = [""]"#,
        r#"jwks_url = "http://127.0.0.1:1/jwks""#,
        r#"userinfo_url = "http://localhost:1/me""#,
        r#"claims = { email_verified = "emailVerified" }"#,
    ]);
    assert_eq!(started(&all), Ok(()));
}

#[test]
fn invalid_settings_are_reported_without_secrets() {
    let good = oidc(&[ISSUER, AUDIENCE]);
    let with = |line: &str| oidc(&[ISSUER, AUDIENCE, line]);
    let shared = "hush: a secret of thirty-two bytes!!";
    let own = String::from_utf8_lossy(SECRET);
    let jwks = r#"jwks_url = "https://a.example/keys""#;
    let same_as_ours = oidc(&[r#"issuer = "snapnote""#, AUDIENCE, jwks]);
    let with_shared = with(&format!("secret = \"{shared}\""));
    let same_issuer = good.clone() + &good.replace("name = \"a\"", "name = \"c\"");
    let two_sessions = session("b", shared) + &session("c", shared);
    let unquoted = "[[issuer]]\nname = \"b\"\nsecret = hush".to_owned();
    let password = good.replace("\"a\"", "\"password\"");
    let table = [
        (oidc(&[AUDIENCE]), "issuer must be set"),
        (oidc(&[ISSUER]), "audience must be set"),
        (with(r#"algorithms = ["HS256"]"#), "algorithms"),
        (with(r#"algorithms = ["none"]"#), "unknown variant"),
        (
            with(r#"jwks_url = "http://a.example/keys""#),
            "jwks_url must be an https URL",
        ),
        (with(r#"userinfo_url = "ftp://a.example""#), "userinfo_url"),
        (with_shared, "secret is only allowed"),
        (with("leeway = 3"), "unknown field"),
        (same_as_ours, "used by another one or by this service"),
        (password, "name must have"),
        (good.replace("oidc", "saml"), "kind must be"),
        (good.repeat(2), "another issuer has the same name"),
        (same_issuer, "used by another one"),
        (session("b", "hush"), "at least 32 bytes"),
        (session("b", &own), "must differ from SNAPNOTE_JWT_SECRET"),
        (two_sessions, "only one better-auth-session"),
        (unquoted, "line 3"),
    ];
    for (toml, expected) in table {
        let message = started(&toml).expect_err(expected);
        assert!(message.contains(expected), "{message}");
        assert!(
            !message.contains("hush") && !message.contains(&*own),
            "{message}"
        );
    }
    let message = started("/nowhere/issuers.toml").expect_err("there is no such file");
    assert!(message.contains("/nowhere/issuers.toml"), "{message}");
}
