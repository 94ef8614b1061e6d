//! Compresses the files of the site, and lists them as Rust source.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::{Failure, policy::Inline};

/// The source of `POLICY` and of `FILES`, sorted by path. The compressed files are in `gzipped`.
pub(crate) fn source(site: &Path, gzipped: &Path) -> Result<String, Failure> {
    if gzipped.exists() {
        fs::remove_dir_all(gzipped)?;
    }
    fs::create_dir_all(gzipped)?;
    let mut files = Vec::new();
    collect(site, &mut files)?;
    let mut paths: Vec<String> = Vec::new();
    for file in files {
        let path = file
            .strip_prefix(site)?
            .to_str()
            .ok_or("a path is not UTF-8")?;
        paths.push(path.replace('\\', "/"));
    }
    paths.sort();
    let (mut inline, mut list) = (Inline::default(), String::new());
    for (number, path) in paths.iter().enumerate() {
        let content = fs::read(site.join(path))?;
        match path.rsplit_once('.') {
            Some((_, "html")) => inline.add_page(str::from_utf8(&content)?),
            Some((_, "js")) => inline.add_script(str::from_utf8(&content)?),
            _ => {}
        }
        let to = gzipped.join(number.to_string());
        fs::write(&to, compressed(&content)?)?;
        let (tag, is_hashed) = (tag(&content), is_hashed(path));
        writeln!(
            list,
            "File {{ path: {path:?}, gzip: include_bytes!({to:?}), tag: {tag:?}, is_hashed: {is_hashed} }},"
        )?;
    }
    let policy = inline.policy();
    Ok(format!(
        "pub(super) const POLICY: &str = {policy:?};\npub(super) const FILES: &[File] = &[\n{list}];\n"
    ))
}

/// The files in this folder and below it, without hidden ones.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn compressed(content: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

/// The entity tag: the first 16 bytes of the SHA-256.
fn tag(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let bytes = digest.iter().take(16);
    let digest = bytes.fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("\"{digest}\"")
}

/// Whether mdBook put a hash of the content into the name, as in `book-0123abcd.js`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let hash = stem.rsplit_once('-').map(|(_, hash)| hash);
    !name.ends_with(".html")
        && hash.is_some_and(|hash| {
            hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}
