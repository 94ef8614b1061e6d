//! Which Markdown files are pages of the site, and where their links lead.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Failure, markdown};

/// The list of contents, in mdBook's format.
const SUMMARY: &str = "docs/SUMMARY.md";

/// The repository that the pages are in.
pub(crate) struct Repository {
    /// Its folder on this machine.
    pub(crate) root: PathBuf,
    /// Where people read its files that are not pages.
    pub(crate) url: String,
}

/// The pages, from their paths in the repository to their names on the site.
pub(crate) struct Pages<'a> {
    repository: &'a Repository,
    names: BTreeMap<String, String>,
}

impl<'a> Pages<'a> {
    /// The pages that the list of contents names.
    pub(crate) fn of(repository: &'a Repository) -> Result<Self, Failure> {
        let mut names = BTreeMap::new();
        for (_, destination) in markdown::links(&repository.read(SUMMARY)?)? {
            let path = joined(SUMMARY, &destination)?;
            names.insert(path.clone(), name(&path));
        }
        Ok(Pages { repository, names })
    }

    /// The paths of the pages in the repository.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Writes the pages and the list of contents to a folder, as mdBook reads them.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::write(folder.join("SUMMARY.md"), self.edited(SUMMARY)?)?;
        for (source, name) in &self.names {
            fs::write(folder.join(format!("{name}.md")), self.edited(source)?)?;
        }
        Ok(())
    }

    /// A file with the links of the site, and with languages that the site highlights.
    fn edited(&self, source: &str) -> Result<String, Failure> {
        let text = self.repository.read(source)?;
        let named = |error: Failure| format!("{source}: {error}");
        let mut edits = Vec::new();
        for (range, destination) in markdown::links(&text).map_err(named)? {
            let new = self.destination(source, &destination).map_err(named)?;
            edits.extend(new.map(|new| (range, new)));
        }
        for (range, info) in markdown::infos(&text) {
            edits.push((range, language(&info).to_owned()));
        }
        Ok(markdown::replaced(&text, edits))
    }

    /// Where a link of a file leads on the site. `None`: where it leads anyway.
    fn destination(&self, source: &str, destination: &str) -> Result<Option<String>, Failure> {
        if destination.contains(':') || destination.starts_with(['#', '/']) {
            return Ok(None);
        }
        let (file, anchor) = match destination.find('#') {
            Some(at) => destination.split_at(at),
            None => (destination, ""),
        };
        let path = joined(source, file)?;
        let page = self
            .names
            .get(&path)
            .or_else(|| self.names.get(&format!("{path}/README.md")));
        Ok(Some(match page {
            Some(name) => format!("{name}.md{anchor}"),
            None if path == "schema.graphql" => "/schema.graphql".to_owned(),
            None => self.repository.link(&path) + anchor,
        }))
    }
}

impl Repository {
    fn read(&self, path: &str) -> Result<String, Failure> {
        let text = fs::read_to_string(self.root.join(path));
        text.map_err(|error| format!("cannot read {path}: {error}").into())
    }

    fn link(&self, path: &str) -> String {
        let kind = match self.root.join(path).is_dir() {
            true => "tree",
            false => "blob",
        };
        format!("{}/{kind}/main/{path}", self.url)
    }
}

/// The path in the repository of a link's file.
fn joined(source: &str, file: &str) -> Result<String, Failure> {
    let (folder, _) = source.rsplit_once('/').unwrap_or_default();
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts
                    .pop()
                    .ok_or_else(|| format!("{file} is outside the repository"))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The name of a page on the site. Pages outside `docs` are named after their folder.
fn name(path: &str) -> String {
    if path == "README.md" {
        return "index".to_owned();
    }
    let path = path.strip_prefix("docs/").unwrap_or(path);
    let path = path
        .strip_suffix("/README.md")
        .or_else(|| path.strip_suffix(".md"));
    path.unwrap_or_default().to_lowercase().replace('/', "-")
}

/// The language of a code block as mdBook's highlight.js knows it. It is the first word after the fence, and tools may read others.
/// `theme/graphql.js` highlights GraphQL.
fn language(info: &str) -> &str {
    match info.split_whitespace().next().unwrap_or_default() {
        "graphql" => "plaintext,graphql",
        "mermaid" => "plaintext",
        "tsx" => "ts",
        language => language,
    }
}
