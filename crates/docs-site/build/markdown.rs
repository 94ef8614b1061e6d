//! Edits Markdown as text: the destinations of its links, and the infos of its code blocks.

use std::ops::Range;

use mdbook_markdown::{
    MarkdownOptions, new_cmark_parser,
    pulldown_cmark::{CodeBlockKind, Event, LinkType, Tag},
};

use crate::Failure;

/// The destinations of inline links and images, in order.
///
/// # Errors
/// A reference to a link that is defined elsewhere in the text: only inline links can be edited.
pub(crate) fn links(text: &str) -> Result<Vec<(Range<usize>, String)>, Failure> {
    let mut found = Vec::new();
    for (event, range) in events(text) {
        let (kind, destination) = match event {
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                ..
            }) => (link_type, dest_url),
            Event::Start(Tag::Image {
                link_type,
                dest_url,
                ..
            }) => (link_type, dest_url),
            _ => continue,
        };
        match kind {
            LinkType::Autolink | LinkType::Email => {}
            LinkType::Inline => {
                let written = text[range.clone()].rfind(&format!("]({destination}"));
                let at =
                    written.ok_or_else(|| format!("cannot find the destination {destination}"))?;
                let start = range.start + at + "](".len();
                found.push((start..start + destination.len(), destination.into_string()));
            }
            _ => {
                return Err(
                    format!("{destination} must be the destination of an inline link").into(),
                );
            }
        }
    }
    Ok(found)
}

/// What is written after the fences of code blocks, in order.
pub(crate) fn infos(text: &str) -> Vec<(Range<usize>, String)> {
    let fences = events(text).filter_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => Some((range, info)),
        _ => None,
    });
    let written = fences.filter(|(_, info)| !info.is_empty());
    let found = written.filter_map(|(range, info)| {
        let start = range.start + text[range].find(&*info)?;
        Some((start..start + info.len(), info.into_string()))
    });
    found.collect()
}

fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let mut options = MarkdownOptions::default();
    options.smart_punctuation = false;
    new_cmark_parser(text, &options).into_offset_iter()
}

/// The text with each of these ranges replaced.
pub(crate) fn replaced(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let (mut result, mut end) = (String::with_capacity(text.len()), 0);
    for (range, replacement) in edits {
        result.push_str(&text[end..range.start]);
        result.push_str(&replacement);
        end = range.end;
    }
    result + &text[end..]
}
