//! Reads the events of the Markdown parser.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{
    PlainText, front_matter,
    html::HtmlReader,
    nesting,
    writer::{Separator, Writer},
};

/// Superscripts and subscripts (`x^2^`) are not enabled: formulas such as `x^2 + y^2` would lose these characters. Attributes of
/// headings are read here, because the parser takes every pair of braces for attributes, also in `# The set {1, 2}`.
const EXTENSIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_MATH)
    .union(Options::ENABLE_GFM)
    .union(Options::ENABLE_DEFINITION_LIST)
    .union(Options::ENABLE_WIKILINKS);

/// Maximum number of languages in the list.
const MAX_CODE_LANGUAGES: usize = 16;

/// Reads a Markdown text.
pub(super) fn read(markdown: &str) -> PlainText {
    let start = front_matter::length(markdown);
    let markdown = &*nesting::bounded(markdown);
    let mut reader = Reader {
        out: Writer::new(markdown),
        html: HtmlReader::default(),
        in_html_block: false,
        heading: 0,
        code_languages: Vec::new(),
    };
    for (event, range) in Parser::new_ext(&markdown[start..], EXTENSIONS).into_offset_iter() {
        reader.read(event, range.start + start..range.end + start);
    }
    let (text, map) = reader.out.finish();
    PlainText {
        text,
        map,
        code_languages: reader.code_languages,
    }
}

struct Reader<'s> {
    out: Writer<'s>,
    html: HtmlReader,
    in_html_block: bool,
    /// The start of the current heading's text.
    heading: usize,
    code_languages: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, source: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Html(html) => self.html.add(&html, source, self.out.source()),
            Event::InlineHtml(html) => {
                self.html.add(&html, source, self.out.source());
                self.html.read(&mut self.out);
            }
            Event::SoftBreak | Event::HardBreak => self.out.separate(Separator::Line),
            Event::Rule => self.out.separate(Separator::Block),
            // Text in a block of HTML is the indentation of a line.
            _ if self.in_html_block || self.html.hides_text() => {}
            Event::Text(text) => self.out.write(&text, source),
            Event::Code(text) | Event::InlineMath(text) => self.out.write_similar(&text, source),
            Event::DisplayMath(text) => {
                self.out.separate(Separator::Line);
                self.out.write_similar(&text, source);
                self.out.separate(Separator::Line);
            }
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::HtmlBlock => self.in_html_block = true,
            Tag::Heading { .. } => self.heading = self.out.len(),
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => self.add_code_language(info),
            _ => {}
        }
        self.separate(tag.to_end());
    }

    /// The first word after the fence, as in `rust,ignore` and `{.python}`.
    fn add_code_language(&mut self, info: &str) {
        let mut words =
            info.split(|letter: char| letter.is_whitespace() || ",{}.".contains(letter));
        let language = words.find(|word| !word.is_empty());
        if let Some(language) = language
            && self.code_languages.iter().all(|known| known != language)
            && self.code_languages.len() < MAX_CODE_LANGUAGES
        {
            self.code_languages.push(language.to_owned());
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::HtmlBlock => {
                self.html.read(&mut self.out);
                self.in_html_block = false;
            }
            TagEnd::Heading(_) => {
                let heading = self.out.text_from(self.heading);
                if let Some(length) = length_before_attributes(heading) {
                    self.out.truncate(self.heading + length);
                }
            }
            _ => {}
        }
        self.separate(tag);
    }

    /// Separates an element from the text before or after it. A block also ends what an HTML element hides, even if its end
    /// tag is missing.
    fn separate(&mut self, tag: TagEnd) {
        let separator = match tag {
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link => return,
            TagEnd::Image => return self.out.separate(Separator::Space),
            TagEnd::TableCell => Separator::Space,
            TagEnd::Paragraph | TagEnd::HtmlBlock => Separator::Line,
            TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Table
            | TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::MetadataBlock(_) => Separator::Block,
        };
        self.out.separate(separator);
        self.html.end_block();
    }
}

/// The length of a heading before its attributes, such as `{#name .class key=value}`. `None` without a name or a class, so that
/// other braces stay.
fn length_before_attributes(heading: &str) -> Option<usize> {
    let (before, attributes) = heading.trim_end().strip_suffix('}')?.rsplit_once('{')?;
    let names = |attribute: &str| {
        let name = attribute.strip_prefix(['#', '.'])?;
        let is_name = |letter: char| letter.is_alphanumeric() || "-_:.".contains(letter);
        Some(name.starts_with(char::is_alphabetic) && name.chars().all(is_name))
    };
    let mut has_name = false;
    for attribute in attributes.split_whitespace() {
        match names(attribute) {
            Some(is_name) => has_name = is_name,
            None if attribute.contains('=') => {}
            None => return None,
        }
    }
    has_name.then_some(before.len())
}
