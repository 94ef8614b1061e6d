//! Counts the instructions that the service executes per request, and compares them with `baseline.json`. Unlike times, they are
//! nearly the same in each run, also on a busy machine. `benches/instructions/run` starts this; `--record` writes a new baseline.
//!
//! The program starts a PostgreSQL server with the fixed data of `data.sql`, and runs itself under callgrind (`service`). The
//! instructions of PostgreSQL and of the system are not counted.

mod requests;
mod service;
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "settings of the tests, some of which only they use"
)]
#[path = "../../tests/it/support/settings.rs"]
mod settings;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
use requests::REQUESTS;
use snapnote::{
    app::App,
    auth::{Client, SignUpInput, sessions},
    db::{connect::Target, migrate},
    error::Failure,
};
use tokio::{net::TcpListener, time::sleep};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BASELINE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/baseline.json"
);
/// How much a count may differ from the baseline, as a share of it.
const TOLERANCE: f64 = 0.05;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Instructions per request.
type Counts = BTreeMap<String, u64>;

fn main() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", url, token] => service::run(url, token).map(|()| ExitCode::SUCCESS),
        ["--record", ..] => record(&count()?),
        _ => compare(&count()?),
    }
}

fn record(counts: &Counts) -> Outcome<ExitCode> {
    let text = serde_json::to_string_pretty(counts)? + "\n";
    fs::write(BASELINE, &text)?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Prints all counts. Fails if one of them differs too much, also if it is lower: the next regression would then go unnoticed.
fn compare(counts: &Counts) -> Outcome<ExitCode> {
    let baseline: Counts = serde_json::from_slice(&fs::read(BASELINE)?)?;
    let mut all_near = true;
    println!(
        "{:<12}{:>12}{:>12}{:>9}",
        "request", "baseline", "now", "change"
    );
    for name in REQUESTS.map(|request| request.name) {
        let of = |counts: &Counts| counts.get(name).copied().unwrap_or_default();
        let (before, now) = (of(&baseline), of(counts));
        let change = now as f64 / before as f64 - 1.0;
        let is_near = change.abs() <= TOLERANCE;
        all_near &= is_near;
        let mark = if is_near { "" } else { "  beyond 5 %" };
        println!(
            "{name:<12}{before:>12}{now:>12}{:>+8.1} %{mark}",
            change * 100.0
        );
    }
    if all_near {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "If the change is intended, or the compiler is another one, record a new baseline: benches/instructions/run --record"
    );
    Ok(ExitCode::FAILURE)
}

/// The counts of this build, on a server of its own.
fn count() -> Outcome<Counts> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Embedded::start(Settings {
        name: "snapnote".to_owned(),
        folder: folder.join("postgres"),
        binaries: None,
        durable: false,
    }))?;
    let counts = count_on(&runtime, &server, &folder);
    runtime.block_on(server.stop());
    counts
}

fn count_on(
    runtime: &tokio::runtime::Runtime,
    server: &Embedded,
    folder: &Path,
) -> Outcome<Counts> {
    let token = runtime.block_on(fill(server))?;
    // Dumps of an earlier run must not be read.
    let dumps = folder.join("dumps");
    if dumps.exists() {
        fs::remove_dir_all(&dumps)?;
    }
    fs::create_dir(&dumps)?;
    let dump = dumps.join("callgrind");
    let log = folder.join("log");
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", dump.display()))
        .arg(format!("--zero-before={}", service::MEASURED))
        .arg(format!("--dump-after={}", service::MEASURED))
        .arg(std::env::current_exe()?)
        .args(["serve", &server.url(), &token])
        .stderr(fs::File::create(&log)?)
        .status()?;
    if !status.success() {
        let log = fs::read_to_string(&log)?;
        return Err(format!("the measured service failed: {status}\n{log}").into());
    }
    let mut counts = Counts::new();
    for (index, request) in REQUESTS.iter().enumerate() {
        let mut rounds = Vec::new();
        for round in 1..=service::ROUNDS {
            let number = index * service::ROUNDS + round;
            rounds.push(total(&dump.with_extension(number.to_string()))?);
        }
        rounds.sort_unstable();
        // The median, because a round can contain work that occurs once per second.
        let count = rounds[service::ROUNDS / 2] / service::REPEATS as u64;
        counts.insert(request.name.to_owned(), count);
    }
    Ok(counts)
}

/// The instructions in a dump of callgrind. There is no dump if the name of the measured function has changed.
fn total(dump: &PathBuf) -> Outcome<u64> {
    let text = fs::read_to_string(dump).map_err(|error| format!("{}: {error}", dump.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.ok_or_else(|| format!("{} has no totals", dump.display()))?;
    Ok(total.parse()?)
}

/// Fills the server's database. Returns the access token of the measured user.
async fn fill(server: &Embedded) -> Outcome<String> {
    let mut superuser = AsyncPgConnection::establish(&server.superuser_url("snapnote")).await?;
    superuser
        .batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION snapnote")
        .await?;
    let target = Target::parse(&server.url())?;
    migrate::up(&target)
        .await
        .map_err(|error| error.log_text())?;
    let app = App::new(target, settings::settings())?;
    let (auth, search) = (app.auth().clone(), app.search().clone());
    let user = SignUpInput {
        email: "ada@example.com".to_owned(),
        password: "correct horse".to_owned(),
        name: "Ada".to_owned(),
    };
    let signed_up = sessions::sign_up(&auth, user, &Client::default()).await;
    let signed_up = signed_up.map_err(|failure| match failure {
        Failure::Error(error) => error.log_text(),
        Failure::Refused(refusals) => format!("{refusals:?}"),
    })?;
    superuser.batch_execute(include_str!("data.sql")).await?;
    superuser.batch_execute("VACUUM (ANALYZE)").await?;
    // A background job begins the change feed, without which there is no search. Then the index is built here, because that
    // takes long under callgrind.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let built = async {
        while let Err(error) = search.build(signed_up.viewer().user_id).await {
            eprintln!("{}; retrying", error.log_text());
            sleep(Duration::from_millis(200)).await;
        }
    };
    app.serve(listener, built).await;
    Ok(signed_up.access_token)
}

/// As in the tests: names of folders that are not shared.
fn fresh_name() -> String {
    format!("instructions_{}", std::process::id())
}

fn image_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("images")
        .join(name)
}
