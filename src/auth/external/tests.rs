//! Invalid settings of issuers are reported with the issuer's name.

use super::{ExternalProviders, IssuerSettings, KeyAges};

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

fn started(toml: &str) -> Result<(), String> {
    let issuers = IssuerSettings::read(toml)?;
    ExternalProviders::new(issuers, KeyAges::default(), "snapnote", SECRET).map(|_| ())
}

fn oidc(rest: &str) -> String {
    format!("[[issuer]]\nname = \"a\"\nkind = \"oidc\"\n{rest}\n")
}

#[test]
fn distinct_issuers_are_accepted() {
    let auth0 = "issuer = \"https://a.example/\"\naudience = \"api\"";
    let session = "[[issuer]]\nname = \"b\"\nkind = \"better-auth-session\"\nsecret = \"another secret of thirty-two bytes!!\"\n";
    assert_eq!(started(&oidc(auth0)), Ok(()));
    assert_eq!(started(&format!("{}{session}", oidc(auth0))), Ok(()));
    let all = "issuer = \"https://a.example\"\naudience = [\"api\", \"b\"]\nalgorithms = [\"ES256\", \"EdDSA\"]\n\
               types = [\"\"]\njwks_url = \"http://127.0.0.1:1/jwks\"\nuserinfo_url = \"http://localhost:1/me\"\n\
               claims = { email_verified = \"emailVerified\" }";
    assert_eq!(started(&oidc(all)), Ok(()));
}

#[test]
fn invalid_settings_are_reported_without_secrets() {
    let good = "issuer = \"https://a.example/\"\naudience = \"api\"";
    let session = |name: &str, secret: &str| {
        format!(
            "[[issuer]]\nname = \"{name}\"\nkind = \"better-auth-session\"\nsecret = \"{secret}\"\n"
        )
    };
    let shared = "hush: a secret of thirty-two bytes!!";
    let own = String::from_utf8_lossy(SECRET);
    let table = [
        (oidc("audience = \"api\""), "issuer must be set"),
        (
            oidc("issuer = \"https://a.example/\""),
            "audience must be set",
        ),
        (
            oidc(&format!("{good}\nalgorithms = [\"HS256\"]")),
            "algorithms",
        ),
        (
            oidc(&format!("{good}\nalgorithms = [\"none\"]")),
            "unknown variant",
        ),
        (
            oidc(&format!("{good}\njwks_url = \"http://a.example/keys\"")),
            "jwks_url must be an https URL",
        ),
        (
            oidc(&format!("{good}\nuserinfo_url = \"ftp://a.example\"")),
            "userinfo_url",
        ),
        (
            oidc(&format!("{good}\nsecret = \"{shared}\"")),
            "secret is only allowed",
        ),
        (oidc(&format!("{good}\nleeway = 3")), "unknown field"),
        (
            oidc(
                "issuer = \"snapnote\"\naudience = \"api\"\njwks_url = \"https://a.example/keys\"",
            ),
            "used by another one or by this service",
        ),
        (
            oidc(good).replace("\"a\"", "\"password\""),
            "name must have",
        ),
        (oidc(good).replace("oidc", "saml"), "kind must be"),
        (oidc(good).repeat(2), "another issuer has the same name"),
        (
            format!(
                "{}{}",
                oidc(good),
                oidc(good).replace("name = \"a\"", "name = \"c\"")
            ),
            "used by another one",
        ),
        (session("b", "hush"), "at least 32 bytes"),
        (session("b", &own), "must differ from SNAPNOTE_JWT_SECRET"),
        (
            format!("{}{}", session("b", shared), session("c", shared)),
            "only one better-auth-session",
        ),
        (
            "[[issuer]]\nname = \"b\"\nsecret = hush".to_owned(),
            "line 3",
        ),
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
