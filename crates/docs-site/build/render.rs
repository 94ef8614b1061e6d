//! Renders the pages with mdBook.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use mdbook_driver::{MDBook, config::Config};

use crate::{
    Failure,
    pages::{Pages, Repository},
};

/// Files that mdBook needs besides the pages: where they are, seen from the crate, and where mdBook expects them.
const FILES: [(&str, &str); 6] = [
    ("theme/fonts/fonts.css", "theme/fonts/fonts.css"),
    ("theme/graphql.js", "theme/graphql.js"),
    ("theme/header.hbs", "theme/header.hbs"),
    ("theme/site.css", "theme/site.css"),
    ("../../graphiql/src/favicon.svg", "theme/favicon.svg"),
    // mdBook copies files that are not pages.
    ("LICENSES.txt", "pages/LICENSES.txt"),
];

/// Renders the site in this folder, and returns the folder of its files.
pub(crate) fn site(
    crate_folder: &Path,
    repository: &Repository,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("theme/fonts"))?;
    fs::create_dir_all(folder.join("pages"))?;
    for (from, to) in FILES {
        fs::copy(watched(crate_folder.join(from)), folder.join(to))?;
    }
    let pages = Pages::of(repository)?;
    for source in pages.sources().chain(["docs"]) {
        watched(repository.root.join(source));
    }
    pages.write(&folder.join("pages"))?;
    let settings = fs::read_to_string(watched(crate_folder.join("book.toml")))?;
    MDBook::load_with_config(folder, Config::from_str(&settings)?)
        .and_then(|book| book.build())
        .map_err(|error| format!("{error:#}"))?;
    Ok(folder.join("site"))
}

/// Repeats the build when this file changes, or a file in this folder.
fn watched(path: PathBuf) -> PathBuf {
    println!("cargo::rerun-if-changed={}", path.display());
    path
}
