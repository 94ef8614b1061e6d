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

/// Renders the site in this folder, and returns the folder of its files. `crate_folder` has the settings and the theme.
pub(crate) fn site(
    crate_folder: &Path,
    repository: &Repository,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let sources = folder.join("pages");
    fs::create_dir_all(folder.join("theme/fonts"))?;
    fs::create_dir_all(&sources)?;
    let from_crate = [
        ("theme/fonts/fonts.css", "theme/fonts/fonts.css"),
        ("theme/graphql.js", "theme/graphql.js"),
        ("theme/site.css", "theme/site.css"),
        ("../../graphiql/src/favicon.svg", "theme/favicon.svg"),
        // mdBook copies files that are not pages.
        ("LICENSES.txt", "pages/LICENSES.txt"),
    ];
    for (from, to) in from_crate {
        let from = crate_folder.join(from);
        println!("cargo::rerun-if-changed={}", from.display());
        fs::copy(from, folder.join(to))?;
    }
    println!(
        "cargo::rerun-if-changed={}",
        repository.root.join("docs").display()
    );
    let pages = Pages::of(repository)?;
    for source in pages.sources() {
        println!(
            "cargo::rerun-if-changed={}",
            repository.root.join(source).display()
        );
    }
    pages.write(&sources)?;
    let settings = crate_folder.join("book.toml");
    println!("cargo::rerun-if-changed={}", settings.display());
    let config = Config::from_str(&fs::read_to_string(settings)?)?;
    MDBook::load_with_config(folder, config)
        .and_then(|book| book.build())
        .map_err(|error| format!("{error:#}"))?;
    Ok(folder.join("site"))
}
