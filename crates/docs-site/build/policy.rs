//! The Content-Security-Policy of the site: everything comes from its origin. Inline scripts and styles of mdBook are allowed
//! by the hashes of their texts, so that no other inline script or style runs.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

/// The inline scripts and styles of the site.
#[derive(Default)]
pub(crate) struct Inline {
    scripts: BTreeSet<String>,
    styles: BTreeSet<String>,
}

impl Inline {
    /// Adds those of a page.
    pub(crate) fn add_page(&mut self, html: &str) {
        self.scripts
            .extend(between(html, "<script>", "</script>").map(hash));
        self.styles
            .extend(between(html, " style=\"", "\"").map(hash));
    }

    /// Adds the styles that a script sets as attributes.
    pub(crate) fn add_script(&mut self, script: &str) {
        self.styles
            .extend(between(script, ".setAttribute('style', '", "'").map(hash));
    }

    /// The policy. Browsers without JavaScript show the list of contents in a frame.
    pub(crate) fn policy(&self) -> String {
        let (scripts, styles) = (listed(&self.scripts), listed(&self.styles));
        format!(
            "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-hashes'{styles}; img-src 'self' data:; \
             frame-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
        )
    }
}

fn listed(hashes: &BTreeSet<String>) -> String {
    hashes
        .iter()
        .map(|hash| format!(" 'sha256-{hash}'"))
        .collect()
}

fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

/// The texts between these marks.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(start).skip(1);
    parts.filter_map(move |part| part.split_once(end).map(|(inside, _)| inside))
}
