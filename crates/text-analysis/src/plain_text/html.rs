//! Reads the HTML of a note as a browser shows it.

use std::{ops::Range, string::FromUtf8Error};

use html5gum::{Emitter, Error, State, Tokenizer, naive_next_state};

use super::writer::{Separator, Writer};

/// Elements whose content a browser does not show, or shows only if it cannot show the element itself.
const HIDDEN: [&str; 17] = [
    "annotation",
    "annotation-xml",
    "audio",
    "canvas",
    "datalist",
    "head",
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "rp",
    "script",
    "style",
    "template",
    "title",
    "video",
];

/// What separates the text before a tag from the text after it. Tags of phrases, such as `<b>`, separate nothing.
fn separator(name: &str) -> Option<Separator> {
    match name {
        "img" | "rt" | "td" | "th" => Some(Separator::Space),
        "br" | "p" => Some(Separator::Line),
        "address" | "article" | "aside" | "blockquote" | "caption" | "center" | "dd"
        | "details" | "dialog" | "div" | "dl" | "dt" | "fieldset" | "figcaption" | "figure"
        | "footer" | "form" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hgroup"
        | "hr" | "legend" | "li" | "main" | "menu" | "nav" | "ol" | "optgroup" | "option"
        | "pre" | "search" | "section" | "select" | "summary" | "table" | "tbody" | "textarea"
        | "tfoot" | "thead" | "tr" | "ul" => Some(Separator::Block),
        _ => None,
    }
}

/// Reads blocks of HTML and single tags.
#[derive(Debug, Default)]
pub(super) struct HtmlReader {
    /// The HTML that has not been read. The parser splits a block into lines.
    html: String,
    /// The parts of the HTML: where they start in it, and their ranges in the source.
    parts: Vec<(usize, Range<usize>)>,
    /// The element that hides the text.
    hidden: Option<&'static str>,
}

impl HtmlReader {
    /// Adds HTML from a range of the source. The source of a tag in a block quote has markers between its lines.
    pub(super) fn add(&mut self, html: &str, range: Range<usize>, source: &str) {
        let mut at = range.start;
        for line in html.split_inclusive('\n') {
            let rest = source.get(at..range.end).unwrap_or_default();
            // If the line is not there, the rest of the range is the source of the rest of the HTML.
            if !rest.starts_with(line) {
                at += rest.find(line.trim_end()).unwrap_or(rest.len());
            }
            let part = at..(at + line.len()).min(range.end);
            at = part.end;
            match self.parts.last_mut() {
                Some((_, last)) if last.end == part.start => last.end = part.end,
                _ => self.parts.push((self.html.len(), part)),
            }
            self.html.push_str(line);
        }
    }

    /// Writes the text of the added HTML.
    pub(super) fn read(&mut self, out: &mut Writer<'_>) {
        let html = std::mem::take(&mut self.html);
        let emitter = TextEmitter {
            reader: self,
            out,
            html: &html,
            position: 0,
            read_until: 0,
            partial: Vec::new(),
            tag: TagParts::default(),
            last_start_tag: Vec::new(),
        };
        // The reader of a string cannot fail.
        let Ok(()) = Tokenizer::new_with_emitter(html.as_str(), emitter).finish();
        self.parts.clear();
    }

    /// Whether an element hides the text that follows.
    pub(super) fn hides_text(&self) -> bool {
        self.hidden.is_some()
    }

    /// Ends the element that hides the text, even if its end tag is missing.
    pub(super) fn end_block(&mut self) {
        self.hidden = None;
    }

    /// The source of a range of the HTML.
    fn source_range(&self, html: Range<usize>) -> Range<usize> {
        let position = |at: usize| {
            let part = self.parts.partition_point(|(start, _)| *start <= at);
            let part = self.parts.get(part.saturating_sub(1));
            part.map_or(0, |(start, source)| source.start + (at - start))
        };
        let start = position(html.start);
        match html.is_empty() {
            true => start..start,
            false => start..position(html.end - 1) + 1,
        }
    }
}

/// The current tag.
#[derive(Debug, Default)]
struct TagParts {
    is_end: bool,
    name: Vec<u8>,
    attribute: Vec<u8>,
    alt: Vec<Chunk>,
}

/// A text as the tokenizer finds it: without entities, or one entity.
#[derive(Debug)]
struct Chunk {
    text: String,
    /// Where it is in the HTML.
    html: Range<usize>,
    /// Whether the HTML has the same text.
    is_verbatim: bool,
}

/// Writes the text of the tokens as the tokenizer finds it, so that each has its position.
struct TextEmitter<'r, 'o, 's> {
    reader: &'r mut HtmlReader,
    out: &'o mut Writer<'s>,
    html: &'r str,
    /// The position of the tokenizer.
    position: usize,
    /// The end of what has been written or skipped.
    read_until: usize,
    /// The start of a character that the tokenizer has split.
    partial: Vec<u8>,
    tag: TagParts,
    last_start_tag: Vec<u8>,
}

impl TextEmitter<'_, '_, '_> {
    /// A text that ends where the tokenizer reads. An entity starts where the last text ended. The tokenizer may split a
    /// character after its first byte; `None` if the rest of it follows.
    fn chunk(&mut self, text: &[u8]) -> Option<Chunk> {
        self.partial.extend(text);
        let bytes = std::mem::take(&mut self.partial);
        let incomplete = |error: FromUtf8Error| self.partial = error.into_bytes();
        let text = String::from_utf8(bytes).map_err(incomplete).ok()?;
        let start = self.position.saturating_sub(text.len());
        let is_verbatim = self.html.get(start..self.position) == Some(text.as_str());
        let start = if is_verbatim { start } else { self.read_until };
        self.read_until = self.position;
        Some(Chunk {
            text,
            html: start..self.position,
            is_verbatim,
        })
    }

    fn write(&mut self, chunk: &Chunk) {
        let mut at = chunk.html.start;
        for line in chunk.text.split_inclusive('\n') {
            // The parts of the HTML end with lines, so a line without its end is in one part.
            let shown = line.strip_suffix('\n').unwrap_or(line);
            let html = match chunk.is_verbatim {
                true => at..at + shown.len(),
                false => chunk.html.clone(),
            };
            self.out.write(shown, self.reader.source_range(html));
            if shown.len() < line.len() {
                self.out.separate(Separator::Line);
            }
            at += line.len();
        }
    }

    fn tag_ended(&mut self) {
        let name = String::from_utf8_lossy(&self.tag.name);
        let hidden = self.reader.hidden;
        match self.tag.is_end {
            true => self.reader.hidden = hidden.filter(|hidden| *hidden != name),
            false => {
                let hides = || HIDDEN.into_iter().find(|element| *element == name);
                self.reader.hidden = hidden.or_else(hides);
            }
        }
        let separator = separator(&name);
        if let Some(separator) = separator {
            self.out.separate(separator);
        }
        if name == "img" && !self.tag.is_end && !self.reader.hides_text() {
            for chunk in std::mem::take(&mut self.tag.alt) {
                self.write(&chunk);
            }
            self.out.separate(Separator::Space);
        }
        self.read_until = self.position;
    }
}

impl Emitter for TextEmitter<'_, '_, '_> {
    type Token = std::convert::Infallible;

    fn move_position(&mut self, offset: isize) {
        self.position = self.position.saturating_add_signed(offset);
    }

    fn emit_string(&mut self, text: &[u8]) {
        let chunk = self.chunk(text);
        if let Some(chunk) = chunk.filter(|_| !self.reader.hides_text()) {
            self.write(&chunk);
        }
    }

    fn init_start_tag(&mut self) {
        self.tag = TagParts::default();
    }

    fn init_end_tag(&mut self) {
        self.tag = TagParts {
            is_end: true,
            ..TagParts::default()
        };
    }

    fn push_tag_name(&mut self, name: &[u8]) {
        self.tag.name.extend(name);
    }

    fn init_attribute(&mut self) {
        self.tag.attribute.clear();
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        self.tag.attribute.extend(name);
    }

    fn init_attribute_value(&mut self) {
        self.read_until = self.position;
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        if self.tag.attribute == b"alt" {
            let chunk = self.chunk(value);
            self.tag.alt.extend(chunk);
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.tag_ended();
        self.last_start_tag.clear();
        if self.tag.is_end {
            return None;
        }
        self.last_start_tag.extend(&self.tag.name);
        // The content of `<script>` and the like is not HTML.
        naive_next_state(&self.last_start_tag)
    }

    fn emit_current_comment(&mut self) {
        self.read_until = self.position;
    }

    fn emit_current_doctype(&mut self) {
        self.read_until = self.position;
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.tag.is_end && !self.tag.name.is_empty() && self.tag.name == self.last_start_tag
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn set_last_start_tag(&mut self, name: Option<&[u8]>) {
        self.last_start_tag = name.unwrap_or_default().to_vec();
    }

    fn pop_token(&mut self) -> Option<Self::Token> {
        None
    }

    fn emit_eof(&mut self) {}
    fn emit_error(&mut self, _: Error) {}
    fn init_comment(&mut self) {}
    fn init_doctype(&mut self) {}
    fn set_self_closing(&mut self) {}
    fn set_force_quirks(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
}
