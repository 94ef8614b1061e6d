//! What PostgreSQL reads of 100,000 users to find a few by a part of their address, told by its own counters.

use std::time::Instant;

use serde_json::json;

use super::{admin, names, users};
use crate::support::{Client, TestApp};

/// More often than PostgreSQL makes a plan for the values at hand.
const TIMES: i64 = 8;

/// Parts of addresses, with the number of users that have them.
const PARTS: [(&str, usize); 5] = [
    ("user77777@", 1),
    ("R7777", 11),
    ("77777@EXAMPLE.COM", 1),
    ("7_7", 0),
    ("nobody-has-this", 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_a_part_of_their_address_by_an_index() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    app.sql(
        "INSERT INTO users (id, email, email_key, name, created_at)
         SELECT md5(n::text)::uuid, 'User' || n || '@example.com', 'user' || n || '@example.com', n, now() - n * interval '1 minute'
         FROM generate_series(1, 100000) AS n",
    )
    .await;
    app.sql("VACUUM ANALYZE users").await;
    app.pool.close().await;
    let service = TestApp::on(app.database.clone(), |_| {}).await;
    app.sql("SELECT pg_stat_reset()").await;
    let client = Client {
        address: service.address,
        ..root.client.clone()
    };
    let began = Instant::now();
    for _ in 0..TIMES {
        for (part, count) in PARTS {
            let found = users(&client, json!({ "email": part, "first": 20 })).await;
            assert_eq!(found["totalCount"], count, "{part}");
            assert_eq!(names(&found).len(), count, "{part}");
        }
    }
    let asked = TIMES * PARTS.len() as i64;
    println!("{:?} for {asked} pages", began.elapsed());
    let all = users(&client, json!({ "email": "EXAMPLE", "first": 3 })).await;
    assert_eq!(
        (&all["totalCount"], names(&all)),
        (&json!(100_001), vec!["root", "1", "2"])
    );
    service.stop().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";
    while app.number(others).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let used =
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'users_email_trigrams_idx'";
    // Once for the page, once for the total.
    let scans = app.number(used).await;
    assert!(scans >= 2 * asked, "{scans} scans for {asked} pages");
    let whole = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'users'";
    let whole = app.number(whole).await;
    assert!(
        whole <= 1,
        "{whole}: the total of all users alone may read the table"
    );
}
