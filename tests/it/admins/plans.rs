//! What PostgreSQL reads of 100,000 users to find a few by a part of their email address.

use serde_json::json;

use super::{names, users};
use crate::support::{TestApp, asked_alone, index_scans, read_of};

/// More often than PostgreSQL plans a statement for its values.
const TIMES: i64 = 8;

/// Parts of email addresses, and the number of users who have them.
const PARTS: [(&str, usize); 5] = [
    ("user77777@", 1),
    ("R7777", 11),
    ("77777@EXAMPLE.COM", 1),
    ("7_7", 0),
    ("nobody-has-this", 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn users_are_filtered_by_email_address_with_an_index() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    app.sql(
        "INSERT INTO users (id, email, email_key, name, created_at)
         SELECT md5(n::text)::uuid, 'User' || n || '@example.com', 'user' || n || '@example.com', n, now() - n * interval '1 minute'
         FROM generate_series(1, 100000) AS n",
    )
    .await;
    // PostgreSQL tries the pattern on a sample of the addresses. If the default sample happened to contain one of the few matches, it
    // would expect a thousand of them and read the users in the order of the list.
    app.sql("ALTER INDEX users_email_trigrams_idx ALTER COLUMN 1 SET STATISTICS 1000")
        .await;
    app.sql("VACUUM ANALYZE users").await;
    let asked = TIMES * PARTS.len() as i64;
    asked_alone(&app, &root, async |client| {
        for _ in 0..TIMES {
            for (part, count) in PARTS {
                let found = users(client, json!({ "email": part, "first": 20 })).await;
                assert_eq!(found["totalCount"], count, "{part}");
                assert_eq!(names(&found).len(), count, "{part}");
            }
        }
        let all = users(client, json!({ "email": "EXAMPLE", "first": 3 })).await;
        assert_eq!(all["totalCount"], 100_001);
        assert_eq!(names(&all), ["root", "1", "2"]);
    })
    .await;
    // Once for the page, once for the total.
    let scans = index_scans(&app, "users_email_trigrams_idx").await;
    assert!(scans >= 2 * asked, "{scans} scans for {asked} pages");
    // Only the total of all users may read the whole table. Each of its up to two parallel workers counts as well.
    let users = read_of(&app, "users").await;
    assert!(users.whole <= 3, "{users:?}");
}
