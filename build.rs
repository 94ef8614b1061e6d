//! Names the commit that the program is built from, for the log.
//!
//! It is SOURCE_COMMIT if that is set, for builds without a repository. Otherwise, release builds ask git. Debug builds do not,
//! because every commit would then rebuild everything.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_COMMIT");
    let given = std::env::var("SOURCE_COMMIT").ok();
    let given = given.filter(|commit| !commit.is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given {
        Some(commit) => commit,
        None if is_release => checked_out().unwrap_or_else(|| "unknown".to_owned()),
        None => "debug build".to_owned(),
    };
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
}

/// The checked-out commit. The build is repeated when it changes.
fn checked_out() -> Option<String> {
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if std::path::Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
