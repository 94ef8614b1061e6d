//! How fast it is, measured on demand (`cargo test --test it changes::speed -- --ignored --nocapture`): what a thousand
//! subscribers cost those who write, against NOTIFY in a trigger, and how long a change is on its way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel_async::SimpleAsyncConnection;
use futures_util::StreamExt;
use snapnote::{
    auth::{Credential, UserId, Viewer},
    courses::{self, NewCourse},
    db::{Database, connect::Target},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::live::subscribe;
use crate::support::{TestApp, migrated_database, superuser, url_of};

const PEOPLE: u128 = 1000;
const WRITERS: u128 = 16;
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

fn viewer(number: u128) -> Viewer {
    Viewer {
        user_id: UserId(Uuid::from_u128(number + 1)),
        credential: Credential::Session(Uuid::nil()),
    }
}

async fn process(database: &str) -> TestApp {
    let direct = target_of(database).await;
    TestApp::on(database.to_owned(), |settings| {
        settings.live.direct = Some(direct);
        settings.pool.most = 20;
    })
    .await
}

async fn write(pool: &Database, number: u128) {
    let new = NewCourse {
        id: None,
        name: "c".to_owned(),
        description: None,
        color: None,
        icon: None,
    };
    let mut conn = pool.connection().await.unwrap();
    courses::create(&mut conn, &viewer(number), new)
        .await
        .unwrap();
}

/// Two processes on a database with many people.
async fn stage() -> [TestApp; 2] {
    let database = migrated_database().await;
    let apps = [process(&database).await, process(&database).await];
    let people = format!(
        "INSERT INTO users (id, email, email_key, name)
         SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@example.com', n || '@example.com', 'n'
         FROM generate_series(1, {PEOPLE}) AS n"
    );
    apps[0].sql(&people).await;
    apps
}

/// Subscribers, one a person, half of them at each process; each counts what comes.
fn subscribers(apps: &[TestApp; 2], count: &Arc<AtomicU64>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for number in 0..PEOPLE {
        let person = viewer(number).user_id.0.to_string();
        let mut changes = subscribe(&apps[(number % 2) as usize], &person, None);
        let count = count.clone();
        tasks.spawn(async move {
            while let Some(change) = changes.next().await {
                change.unwrap_or_else(|error| panic!("{}", error.log_text()));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks
}

/// Writes a second.
async fn throughput(app: &TestApp) -> f64 {
    let (mut tasks, begun) = (JoinSet::new(), Instant::now());
    for writer in 0..WRITERS {
        let pool = app.pool.clone();
        tasks.spawn(async move {
            let mut written = 0;
            while begun.elapsed() < ROUND {
                write(&pool, (written * WRITERS + writer) % PEOPLE).await;
                written += 1;
            }
            written
        });
    }
    let mut all = 0;
    while let Some(written) = tasks.join_next().await {
        all += written.unwrap();
    }
    all as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn what_a_thousand_subscribers_cost_those_who_write() {
    let apps = stage().await;
    let app = &apps[0];
    let notify = "CREATE FUNCTION naive() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('naive', NEW.user_id::text); RETURN NULL; END $$;
        CREATE TRIGGER naive AFTER INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION naive()";
    let mut listener = superuser(&app.database).await;
    listener.batch_execute("LISTEN naive").await.unwrap();
    throughput(app).await;
    let (mut without, mut with, mut naive) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(throughput(app).await);
        let count = Arc::new(AtomicU64::new(0));
        let before = app.count("courses").await;
        let mut tasks = subscribers(&apps, &count);
        // Until all have begun.
        sleep(Duration::from_secs(3)).await;
        with.push(throughput(app).await);
        sleep(Duration::from_secs(1)).await;
        let written = app.count("courses").await - before;
        assert_eq!(count.load(Ordering::Relaxed), written as u64);
        tasks.shutdown().await;
        without.push(throughput(app).await);
        app.sql(notify).await;
        naive.push(throughput(app).await);
        app.sql("DROP TRIGGER naive ON audit_logs; DROP FUNCTION naive")
            .await;
    }
    without.push(throughput(app).await);
    println!("writes a second without subscribers: {without:.0?}");
    println!("with 1,000 subscribers: {with:.0?}");
    println!("with NOTIFY in a trigger and no subscribers: {naive:.0?}");
    // Each against what was just before and just behind it: the tables grow, and machines have moods.
    let ratio = |these: &[f64], first: usize| {
        let around =
            |round: usize| (without[2 * round + first] + without[2 * round + first + 1]) / 2.0;
        let ratios = these.iter().enumerate();
        median(ratios.map(|(round, these)| these / around(round)).collect())
    };
    println!(
        "ratios: {:.2}, naive {:.2}",
        ratio(&with, 0),
        ratio(&naive, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a test"]
async fn how_long_a_change_is_on_its_way() {
    let apps = stage().await;
    for (name, app) in [("at the same process", &apps[0]), ("at another", &apps[1])] {
        let person = viewer(7).user_id.0.to_string();
        let mut changes = subscribe(app, &person, None);
        let begun = tokio::time::timeout(Duration::from_secs(2), changes.next()).await;
        assert!(begun.is_err(), "nothing yet");
        let mut times = Vec::new();
        for _ in 0..500 {
            write(&apps[0].pool, 7).await;
            let written = Instant::now();
            changes
                .next()
                .await
                .unwrap()
                .unwrap_or_else(|error| panic!("{}", error.log_text()));
            times.push(written.elapsed().as_secs_f64() * 1000.0);
            sleep(Duration::from_millis(15)).await;
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: median {:.1} ms, p99 {:.1} ms, most {:.1} ms",
            times[250], times[494], times[499]
        );
    }
}
