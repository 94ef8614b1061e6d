//! The migration to canonical addresses, on a database that has users already.

use std::collections::HashSet;

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use snapnote::{
    db::{connect::Target, migrate},
    email_address::EmailAddress,
};

use super::{LOOKALIKES, sign_up};
use crate::support::{PASSWORD, TestApp, codes, empty_database, superuser, target_of};

/// Takes a database back to before the migration.
async fn before_addresses(database: &str) -> (Target, AsyncPgConnection) {
    let target = target_of(database).await;
    let states = migrate::status(&target).await.unwrap();
    let at = states
        .iter()
        .position(|state| state.name.contains("000008_addresses"));
    let applied = states.iter().filter(|state| state.applied).count();
    let count = applied.saturating_sub(at.unwrap());
    migrate::down(&target, count).await.unwrap();
    (target, superuser(database).await)
}

#[derive(diesel::QueryableByName)]
struct Stored {
    #[diesel(sql_type = diesel::sql_types::Text)]
    email: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    email_key: String,
}

async fn stored(conn: &mut AsyncPgConnection) -> Vec<Stored> {
    let query = "SELECT email, email_key FROM users ORDER BY id";
    diesel::sql_query(query).load(conn).await.unwrap()
}

/// Users with the characters that mappings change and many others, in both parts of their addresses.
const USERS: &str = "
    INSERT INTO users (id, email, name)
    SELECT gen_random_uuid(), address, 'n' FROM (
        SELECT DISTINCT ON (lower(address)) address FROM (
            SELECT chr(n) AS c, n FROM generate_series(33, 69000) AS n
            WHERE (n < 55296 OR n > 57343) AND (n < 1500 OR n % 17 = 0 OR n BETWEEN 64200 AND 65550 OR n BETWEEN 7600 AND 8600) AND n <> 64
        ) AS letter, LATERAL (VALUES
            ('U' || n || c || '@example.com'),
            ('u' || n || '@' || c || '.Example'),
            ('u' || n || '@Ba' || c || 'z.bücher.example'),
            ('u' || n || '@' || c || 'é中' || c || 'B')) AS written (address)
    ) AS addresses";

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_derives_the_same_keys_as_the_service() {
    let database = empty_database().await;
    let (target, mut conn) = {
        let target = target_of(&database).await;
        migrate::up(&target).await.unwrap();
        before_addresses(&database).await
    };
    conn.batch_execute(USERS).await.unwrap();
    migrate::up(&target).await.unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for Stored { email, email_key } in stored(&mut conn).await {
        match EmailAddress::exactly(&email) {
            Ok(address) => {
                assert_eq!(address.key(), email_key, "{email}");
                valid += 1;
            }
            Err(_) => {
                assert!(
                    EmailAddress::exactly(&email_key).is_err(),
                    "{email}: {email_key}"
                );
                invalid += 1;
            }
        }
    }
    assert!(valid > 5_000 && invalid > 5_000, "{valid} and {invalid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_from_before_the_migration_can_sign_in_and_lookalikes_cannot() {
    let app = TestApp::start().await;
    let owners: HashSet<&str> = LOOKALIKES.iter().map(|(owner, ..)| *owner).collect();
    for owner in &owners {
        sign_up(&app, owner).await;
    }
    let pending = "INSERT INTO mail_tokens (user_id, id, purpose, email, token_hash, expires_at)
        SELECT id, gen_random_uuid(), purpose, email, sha256((id || purpose)::bytea), now() + interval '1 hour'
        FROM users, unnest(ARRAY['email_change', 'password_reset', 'email_verification']) AS purpose";
    let (target, mut conn) = before_addresses(&app.database).await;
    conn.batch_execute(pending).await.unwrap();
    migrate::up(&target).await.unwrap();
    for (owner, lookalike, _) in LOOKALIKES {
        assert!(
            app.anonymous().can_sign_in(owner, PASSWORD).await,
            "{owner}"
        );
        let refused = app.anonymous().sign_in(lookalike, PASSWORD).await;
        assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"], "{lookalike}");
    }
    let kept = "mail_tokens JOIN users ON users.id = user_id
        WHERE mail_tokens.email_key = users.email_key AND purpose <> 'email_change'";
    assert_eq!(app.count(kept).await, 2 * owners.len() as i64);
    assert_eq!(app.count("mail_tokens").await, 2 * owners.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_fails_and_names_two_users_with_one_address() {
    let app = TestApp::start().await;
    let (target, mut conn) = before_addresses(&app.database).await;
    let ids = [1, 2].map(|n| format!("00000000-0000-0000-0000-00000000000{n}"));
    let users = format!(
        "INSERT INTO users (id, email, name) VALUES ('{}', 'Ada@bücher.example', 'Ada'),
            ('{}', 'ada@XN--bcher-kva.example', 'Ada'), (gen_random_uuid(), 'eva@example.com', 'Eva')",
        ids[0], ids[1]
    );
    conn.batch_execute(&users).await.unwrap();
    let error = migrate::up(&target).await.unwrap_err();
    let told = format!("{} and {}.", ids[0], ids[1]);
    assert!(error.detail.contains(&told), "{error:?}");
    assert!(!error.detail.contains("bücher"), "{error:?}");
    let delete = format!("DELETE FROM users WHERE id = '{}'", ids[1]);
    conn.batch_execute(&delete).await.unwrap();
    assert!(!migrate::up(&target).await.unwrap().is_empty());
    let keys: Vec<String> = stored(&mut conn)
        .await
        .into_iter()
        .map(|user| user.email_key)
        .collect();
    assert_eq!(keys[0], "ada@xn--bcher-kva.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_rejects_keys_that_do_not_match_their_address() {
    let app = TestApp::start().await;
    app.signed_up("ada").await;
    let mut conn = superuser(&app.database).await;
    for wrong in [
        "UPDATE users SET email = 'eve@example.com'",
        "UPDATE users SET email_key = 'eve@example.com'",
        "UPDATE users SET email_key = NULL",
    ] {
        assert!(conn.batch_execute(wrong).await.is_err(), "{wrong}");
    }
    let right = "UPDATE users SET email = 'Eve@example.com', email_key = 'eve@example.com'";
    conn.batch_execute(right).await.unwrap();
}
