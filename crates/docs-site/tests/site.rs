//! Checks the rendered site: its links and anchors, which must also be those of GitHub, and its size.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use docs_site::{FILES, File};
use flate2::read::GzDecoder;

/// Where links to files that are not pages lead.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// The path of the service outside `/docs` that pages may link to. The service always has it.
const SCHEMA: &str = "/schema.graphql";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn content(file: &File) -> String {
    let mut text = String::new();
    let read = GzDecoder::new(file.gzip).read_to_string(&mut text);
    read.unwrap_or_else(|error| panic!("{}: {error}", file.path));
    text
}

/// The pages by their paths.
fn pages() -> BTreeMap<&'static str, String> {
    let pages = FILES.iter().filter(|file| file.path.ends_with(".html"));
    pages.map(|file| (file.path, content(file))).collect()
}

/// The values of an attribute.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = String> + use<'a> {
    let parts = html
        .split(&format!(" {attribute}=\""))
        .skip(1)
        .collect::<Vec<_>>();
    let values = parts.into_iter().filter_map(|part| part.split_once('"'));
    values.map(|(value, _)| value.replace("&amp;", "&"))
}

/// What is wrong with the links of these pages. Besides pages, they may lead to `other` files.
fn dead_links(pages: &BTreeMap<&str, String>, other: &BTreeSet<&str>) -> Vec<String> {
    let anchors: HashMap<&str, BTreeSet<String>> = pages
        .iter()
        .map(|(path, html)| (*path, values(html, "id").collect()))
        .collect();
    let mut dead = Vec::new();
    for (page, html) in pages {
        for link in values(html, "href").chain(values(html, "src")) {
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { page } else { target };
            let is_alive = match anchors.get(target) {
                Some(anchors) => anchor.is_empty() || anchors.contains(anchor),
                None => other.contains(target) || leads_outside(target),
            };
            if !is_alive {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    dead
}

/// Whether the target is a file of the repository, a path of the service, or on another site.
fn leads_outside(target: &str) -> bool {
    match target.strip_prefix(REPOSITORY) {
        Some(path) => {
            let path = path
                .strip_prefix("/blob/main/")
                .or_else(|| path.strip_prefix("/tree/main/"));
            path.is_some_and(|path| root().join(path).exists())
        }
        None => {
            target == SCHEMA
                || target.starts_with("https://")
                || target.starts_with("http://127.0.0.1:")
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let other = FILES
        .iter()
        .map(|file| file.path)
        .filter(|path| !path.ends_with(".html"));
    // The 404 page names its folder, so that it works at any path.
    let base = ["/docs/"];
    let dead = dead_links(&pages, &other.chain(base).collect());
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn dead_links_are_found() {
    let page = |html: &str| {
        BTreeMap::from([
            ("a.html", html.to_owned()),
            ("b.html", "<h2 id=\"x\">".to_owned()),
        ])
    };
    let other = BTreeSet::from(["style.css"]);
    let alive = r##"<a href="b.html#x"> <a href="#y"> <p id="y"> <link href="style.css"> <a href="https://example.com/">"##;
    assert_eq!(dead_links(&page(alive), &other), Vec::<String>::new());
    for link in [
        "b.html#y",
        "c.html",
        "#x",
        "script.js",
        "/nowhere",
        &format!("{REPOSITORY}/blob/main/nothing.md"),
    ] {
        let dead = dead_links(&page(&format!("<a href=\"{link}\">")), &other);
        assert_eq!(dead, [format!("a.html: {link}")]);
    }
}

#[test]
fn pages_load_only_files_of_the_site() {
    for (page, html) in pages() {
        let tags = html.split('<').filter(|tag| !tag.starts_with("a "));
        for tag in tags {
            let loaded = values(tag, "href").chain(values(tag, "src"));
            let outside: Vec<_> = loaded.filter(|url| url.contains("//")).collect();
            assert_eq!(outside, Vec::<String>::new(), "{page}");
        }
    }
}

/// The anchor that GitHub gives a heading, without the number that it appends if it is not the first.
fn github_anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// The headings of a page: their anchors and texts.
fn headings(html: &str) -> Vec<(String, String)> {
    let parts = (1..=6).flat_map(|level| {
        let end = format!("</h{level}>");
        let parts = html
            .match_indices(&format!("<h{level} id=\""))
            .collect::<Vec<_>>();
        parts
            .into_iter()
            .filter_map(move |(at, _)| Some((at, html[at..].split_once(&end)?.0)))
    });
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    let headings = parts.into_iter().filter_map(|(_, part)| {
        let id = values(part, "id").next()?;
        let text: String = part
            .split('>')
            .skip(1)
            .filter_map(|text| text.split('<').next())
            .collect();
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&");
        Some((id, text))
    });
    headings.collect()
}

#[test]
fn anchors_are_those_of_github() {
    let mut count = 0;
    for (page, html) in pages() {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let (_, main) = html.split_once("<main>").unwrap_or_default();
        for (id, text) in headings(main) {
            let anchor = github_anchor(&text);
            let before = seen.entry(anchor.clone()).or_default();
            let anchor = match *before {
                0 => anchor,
                number => format!("{anchor}-{number}"),
            };
            *before += 1;
            count += 1;
            assert_eq!(id, anchor, "{page}: {text}");
        }
    }
    assert!(count > 150, "{count} headings");
}

#[test]
fn every_file_in_docs_is_a_page() {
    let files = fs::read_dir(root().join("docs")).expect("docs is a folder");
    for file in files {
        let name = file.expect("docs can be read").file_name();
        let name = name.to_str().expect("names are ASCII");
        let page = name
            .strip_suffix(".md")
            .expect("docs has only Markdown files");
        let is_page = name == "SUMMARY.md" || docs_site::file(&format!("{page}.html")).is_some();
        assert!(is_page, "docs/SUMMARY.md does not list docs/{name}");
    }
}

#[test]
fn the_site_is_small() {
    let size: usize = FILES.iter().map(|file| file.gzip.len()).sum();
    assert!(size < 1024 * 1024, "{size} bytes");
}

#[test]
fn the_licenses_name_the_software_of_the_site() {
    let licenses = docs_site::file("LICENSES.txt").expect("the licenses are in the site");
    let licenses = content(licenses);
    for name in [
        "mdBook",
        "Font Awesome",
        "highlight",
        "elasticlunr",
        "mark",
        "clipboard",
    ] {
        assert!(licenses.contains(name), "{name}");
    }
    let scripts = FILES
        .iter()
        .map(|file| file.path)
        .filter(|path| path.ends_with(".js"));
    let own = ["book", "graphql", "searcher", "searchindex", "toc"];
    for script in scripts.filter_map(|path| path.rsplit('/').next()) {
        let name = script.split(['-', '.']).next().unwrap_or(script);
        assert!(own.contains(&name) || licenses.contains(name), "{script}");
    }
}
