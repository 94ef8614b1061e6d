//! Renders `docs/` with mdBook, and writes the site as Rust source: each file gzipped, and the policy of its pages.

#[cfg(feature = "render")]
mod embed;
#[cfg(feature = "render")]
mod markdown;
#[cfg(feature = "render")]
mod pages;
#[cfg(feature = "render")]
mod policy;
#[cfg(feature = "render")]
mod render;

use std::{env, error::Error, fs, path::PathBuf, process::ExitCode};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build");
    match generated().and_then(|source| write(&source)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=rendering docs/ failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(source: &str) -> Result<(), Failure> {
    fs::write(out_dir()?.join("site.rs"), source)?;
    Ok(())
}

fn out_dir() -> Result<PathBuf, Failure> {
    Ok(PathBuf::from(env::var("OUT_DIR")?))
}

#[cfg(not(feature = "render"))]
fn generated() -> Result<String, Failure> {
    Ok(
        "pub(super) const POLICY: &str = \"\";\npub(super) const FILES: &[File] = &[];\n"
            .to_owned(),
    )
}

#[cfg(feature = "render")]
fn generated() -> Result<String, Failure> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let repository = pages::Repository {
        root: here.join("../.."),
        url: env::var("CARGO_PKG_REPOSITORY")?,
    };
    let site = render::site(&here, &repository, &out_dir()?.join("book"))?;
    embed::source(&site, &out_dir()?.join("gzipped"))
}
