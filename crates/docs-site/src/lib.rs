//! The documentation as a site: the pages of `docs/SUMMARY.md`, rendered by mdBook when the crate is built, with a search.
//!
//! The files are in the program, gzipped. `build/` has the steps: `pages` (which files are pages, and where their links lead on the
//! site), `render` (mdBook), `policy` (the Content-Security-Policy), `embed` (the list of files). Without the feature `render`,
//! the site is empty.

/// A file of the site.
#[derive(Debug)]
pub struct File {
    /// The path below the root of the site, e.g. `auth.html`.
    pub path: &'static str,
    /// The content in gzip.
    pub gzip: &'static [u8],
    /// The entity tag of the content, in quotes.
    pub tag: &'static str,
    /// Whether the path contains a hash of the content, so that the file never changes.
    pub is_hashed: bool,
}

mod generated {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/site.rs"));
}

/// The files of the site, sorted by path.
pub static FILES: &[File] = generated::FILES;

/// The Content-Security-Policy of all files. It allows no inline script except mdBook's, and no other origin.
pub static POLICY: &str = generated::POLICY;

/// The file at this path.
#[must_use]
pub fn file(path: &str) -> Option<&'static File> {
    let found = FILES.binary_search_by_key(&path, |file| file.path);
    found.ok().map(|index| &FILES[index])
}
