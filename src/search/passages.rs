//! The passages of an item that show why the search found it.

use std::{borrow::Cow, sync::Arc};

use text_analysis::{Highlighter, Passage, PlainText};

use super::{compute, store::MAX_TEXT};
use crate::error::Error;

/// Maximum number of passages per item.
const MAX_PASSAGES: usize = 3;

/// A searched field of an item.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The field's name in the API.
    pub(crate) name: &'static str,
    /// The field's text.
    pub(crate) text: String,
    /// What the text is.
    pub(crate) kind: FieldKind,
}

/// What the text of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// A title or a name, which is shown as a whole.
    Title,
    /// Plain text.
    Plain,
    /// Markdown, of which the displayed text is searched.
    Markdown,
}

/// The passages of each of these items, with the names of their fields, in the order of its fields.
pub(crate) async fn passages(
    highlighter: Arc<Highlighter>,
    items: Vec<Vec<Field>>,
) -> Result<Vec<Vec<(&'static str, Passage)>>, Error> {
    compute(move || {
        let items = items.iter();
        items.map(|fields| of_item(&highlighter, fields)).collect()
    })
    .await
}

fn of_item(highlighter: &Highlighter, fields: &[Field]) -> Vec<(&'static str, Passage)> {
    let mut passages = Vec::new();
    for field in fields {
        let text = match field.kind {
            FieldKind::Markdown => PlainText::from_markdown(&field.text).into_text().into(),
            FieldKind::Title | FieldKind::Plain => Cow::Borrowed(field.text.as_str()),
        };
        let text = start(&text);
        let highlights = highlighter.highlights(text).into_iter();
        let highlights: Vec<_> = highlights
            .map(|highlight| (highlight.range, highlight.word))
            .collect();
        let is_whole = field.kind == FieldKind::Title && !highlights.is_empty();
        let of_field = match is_whole {
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
