//! Sign-ins are limited by account and network address, so that attackers never lock out the owner.

use std::collections::HashSet;

use serde_json::Value;

use super::{ADA, AWAY, HOME, WRONG, code, limited, passed, sign_in, sign_up, succeeded};
use crate::support::{PASSWORD, TestApp};

/// A service where ada@example.com was attacked from other addresses until the limit was reached.
pub(super) async fn hammered() -> TestApp {
    let app = limited(|limits| {
        limits.sign_in = "3/h".parse().unwrap();
        limits.sign_in_account = "5/h".parse().unwrap();
    })
    .await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    for n in 0..5 {
        let address = format!("198.51.100.{}", n / 2);
        let answer = sign_in(&app, &address, ADA, WRONG).await;
        assert_eq!(code(&answer), "INVALID_CREDENTIALS");
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn attackers_elsewhere_do_not_lock_out_the_owner() {
    let app = hammered().await;
    for password in [WRONG, PASSWORD] {
        let answer = sign_in(&app, AWAY, ADA, password).await;
        assert!(!passed(&answer), "from an address without a sign-in");
    }
    let home = sign_in(&app, HOME, ADA, PASSWORD).await;
    assert!(succeeded(&home));
    // A session ends after 90 days. An owner who used it to its end is still known at the next sign-in.
    let ended =
        "UPDATE sessions SET created_at = now() - interval '90 days 1 minute', expires_at = now()";
    app.sql(ended).await;
    let home = sign_in(&app, HOME, ADA, PASSWORD).await;
    assert!(succeeded(&home));
    app.sql("UPDATE sessions SET last_used_at = now() - interval '91 days'")
        .await;
    let answer = sign_in(&app, HOME, ADA, PASSWORD).await;
    assert!(!passed(&answer), "from an address without a recent sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn attackers_at_the_owners_address_are_limited_there_only() {
    let app = limited(|limits| limits.sign_in = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    assert!(passed(&sign_up(&app, HOME, "grace").await));
    while passed(&sign_in(&app, HOME, ADA, WRONG).await) {}
    let grace = sign_in(&app, HOME, "grace@example.com", PASSWORD).await;
    assert!(succeeded(&grace));
    let away = sign_in(&app, AWAY, ADA, PASSWORD).await;
    assert!(succeeded(&away));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_accounts_are_limited_like_known_ones_without_hashing() {
    let app = limited(|limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_account = "3/h".parse().unwrap();
    })
    .await;
    for name in ["ada", "inactive"] {
        assert!(passed(&sign_up(&app, HOME, name).await));
    }
    app.sql("UPDATE users SET is_active = false WHERE name = 'inactive'")
        .await;
    let mut outcomes = HashSet::new();
    for name in ["ada", "inactive", "nobody"] {
        let email = format!("{name}@example.com");
        let mut seen = Vec::new();
        for address in [AWAY, AWAY, AWAY, "198.51.100.8", "198.51.100.9"] {
            let before = app.auth.passwords_hashed();
            let answer = sign_in(&app, address, &email, WRONG).await;
            let hashed = app.auth.passwords_hashed() - before;
            assert_eq!(hashed, u64::from(passed(&answer)), "{name}");
            let mut body = answer.json();
            let extensions = body.pointer_mut("/errors/0/extensions");
            if let Some(extensions) = extensions.and_then(Value::as_object_mut) {
                extensions.remove("retryAfterMs");
            }
            seen.push((answer.status, body.to_string()));
        }
        let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 429, 200, 429], "{name}");
        outcomes.insert(seen);
    }
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spellings_of_an_email_address_share_a_limit() {
    let app = limited(|limits| limits.sign_in = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "idi").await));
    for email in ["idi@example.com", " IDI@Example.COM\t"] {
        let answer = sign_in(&app, HOME, email, WRONG).await;
        assert_eq!(code(&answer), "INVALID_CREDENTIALS");
    }
    for email in ["Idi@example.com", "idi@example.com ", "IDI@EXAMPLE.COM"] {
        let answer = sign_in(&app, HOME, email, PASSWORD).await;
        assert!(!passed(&answer), "{email:?}");
    }
    // This address is another account, although the database's lower() makes them equal.
    let answer = sign_in(&app, HOME, "\u{130}di@example.com", PASSWORD).await;
    assert_eq!(code(&answer), "INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_network_is_one_address() {
    let app = limited(|limits| {
        limits.sign_in = "2/h".parse().unwrap();
        limits.sign_in_account = "1/h".parse().unwrap();
    })
    .await;
    assert!(passed(&sign_up(&app, "2001:db8:1:2::1", "ada").await));
    for address in ["2001:db8:1:3::1", "2001:db8:1:3:ffff::2"] {
        let answer = sign_in(&app, address, ADA, WRONG).await;
        // The account's limit allows one sign-in for strangers.
        assert_eq!(passed(&answer), address == "2001:db8:1:3::1");
    }
    for (n, address) in ["2001:db8:1:2::9", "2001:db8:1:2:a:b:c:d", "2001:db8:1:2::7"]
        .into_iter()
        .enumerate()
    {
        let answer = sign_in(&app, address, ADA, PASSWORD).await;
        assert_eq!(passed(&answer), n < 2, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_addresses_of_untrusted_clients_are_ignored() {
    let app =
        TestApp::with(|settings| settings.auth.rate_limits.sign_up = "2/h".parse().unwrap()).await;
    for (n, address) in [HOME, AWAY, "192.0.2.3"].into_iter().enumerate() {
        let answer = sign_up(&app, address, &n.to_string()).await;
        assert_eq!(passed(&answer), n < 2, "{address}");
    }
    let elsewhere = "sessions WHERE ip_address <> '127.0.0.1'";
    assert_eq!(app.count(elsewhere).await, 0);
}
