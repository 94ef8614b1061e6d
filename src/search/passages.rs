//! The passages of an item that show why the search found it.

use text_analysis::{Highlighter, Passage};

use super::store::MAX_TEXT;

/// Maximum number of passages per item.
const MAX_PASSAGES: usize = 3;

/// A searched field of an item.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The field's name in the API.
    pub(crate) name: &'static str,
    /// The field's plain text.
    pub(crate) text: String,
    /// Whether it is shown as a whole: a title or a name.
    pub(crate) whole: bool,
}

/// The passages of an item, with the names of their fields, in the order of its fields.
pub(crate) fn passages(
    highlighter: &Highlighter,
    fields: &[Field],
) -> Vec<(&'static str, Passage)> {
    let mut passages = Vec::new();
    for field in fields {
        let text = start(&field.text);
        let highlights = highlighter.highlights(text).into_iter();
        let highlights: Vec<_> = highlights
            .map(|highlight| (highlight.range, highlight.word))
            .collect();
        let of_field = match field.whole && !highlights.is_empty() {
            true => vec![Passage::whole(text, &highlights)],
            false => text_analysis::passages(text, &highlights, MAX_PASSAGES - passages.len()),
        };
        passages.extend(of_field.into_iter().map(|passage| (field.name, passage)));
        if passages.len() == MAX_PASSAGES {
            break;
        }
    }
    passages
}

fn start(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT);
    end.map_or(text, |(at, _)| &text[..at])
}
