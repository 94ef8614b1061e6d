//! Markdown as plain text: what a reader of the rendered note sees, without markup, link targets, comments and front matter.
//!
//! HTML in the note is read by an HTML tokenizer, so its text and its entities count, and its scripts and styles do not.
//! Formulas and code stay as they are written. Never fails: whatever is not Markdown is text.

use html5gum::{DefaultEmitter, Token, Tokenizer};
use pulldown_cmark::{Event, MetadataBlockKind, Options, Parser, Tag, TagEnd};

const MARKDOWN: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_MATH);
const FRONT_MATTER: Options = Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
    .union(Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS);

/// A Markdown text as plain text, with one line per paragraph, item and row.
pub fn plain_text(markdown: &str) -> String {
    let text: String = parts(markdown).collect();
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// The plain text in the parts in which it is read.
pub(super) fn parts(markdown: &str) -> impl Iterator<Item = String> {
    let mut reader = Reader::default();
    let events = Parser::new_ext(without_front_matter(markdown), MARKDOWN);
    events.map(move |event| reader.read(event))
}

/// The note after its front matter (YAML between `---`, TOML between `+++`). A note may also begin with a thematic break, so the
/// first line must look like a setting.
fn without_front_matter(markdown: &str) -> &str {
    let note = markdown.trim_start_matches('\u{feff}');
    // The parser reads the whole note at once, so it is asked only if there can be front matter.
    if !note.starts_with("---") && !note.starts_with("+++") {
        return note;
    }
    let first = Parser::new_ext(note, FRONT_MATTER)
        .into_offset_iter()
        .next();
    let Some((Event::Start(Tag::MetadataBlock(kind)), range)) = first else {
        return note;
    };
    let sign = match kind {
        MetadataBlockKind::YamlStyle => ':',
        MetadataBlockKind::PlusesStyle => '=',
    };
    let setting = note.lines().nth(1).unwrap_or_default();
    match setting.contains(sign) || setting.starts_with('#') {
        true => &note[range.end..],
        false => note,
    }
}

/// Reads the events of a note.
#[derive(Default)]
struct Reader {
    /// The HTML block that is being read. The parser splits it into lines.
    block: Option<String>,
    /// The element of which the text is not shown. A block of Markdown ends it, even if its end tag is missing.
    hidden: Option<&'static str>,
}

impl Reader {
    fn read(&mut self, event: Event<'_>) -> String {
        match event {
            Event::Start(Tag::HtmlBlock) => self.block = Some(String::new()),
            Event::End(TagEnd::HtmlBlock) => {
                let html = self.block.take().unwrap_or_default();
                let text = self.read_html(&html) + "\n";
                self.hidden = None;
                return text;
            }
            Event::Html(html) => match &mut self.block {
                Some(block) => block.push_str(&html),
                None => return self.read_html(&html),
            },
            Event::InlineHtml(html) => return self.read_html(&html),
            Event::End(_) if ends_line(&event) => {
                self.hidden = None;
                return "\n".to_owned();
            }
            _ if self.hidden.is_some() => {}
            Event::Text(text)
            | Event::Code(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => return text.into_string(),
            Event::SoftBreak | Event::End(TagEnd::TableCell) => return " ".to_owned(),
            Event::HardBreak | Event::Rule => return "\n".to_owned(),
            _ => {}
        }
        String::new()
    }

    fn read_html(&mut self, html: &str) -> String {
        let mut emitter = DefaultEmitter::default();
        // The content of `<script>` and the like is not HTML.
        emitter.naively_switch_states(true);
        let mut text = String::new();
        for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
            match token {
                Token::StartTag(tag) => {
                    let name = String::from_utf8_lossy(&tag.name);
                    self.hidden = self.hidden.or_else(|| hidden_element(&name));
                    text.push_str(separator(&name));
                }
                Token::EndTag(tag) => {
                    let name = String::from_utf8_lossy(&tag.name);
                    self.hidden = self.hidden.filter(|hidden| *hidden != name);
                    text.push_str(separator(&name));
                }
                Token::String(shown) if self.hidden.is_none() => {
                    text.push_str(&String::from_utf8_lossy(&shown));
                }
                _ => {}
            }
        }
        text
    }
}

fn ends_line(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::End(
            TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::TableHead
                | TagEnd::TableRow
        )
    )
}

/// Elements of which a browser does not show the text.
fn hidden_element(name: &str) -> Option<&'static str> {
    let hidden = ["script", "style", "template", "title", "iframe", "noframes"];
    hidden.into_iter().find(|element| *element == name)
}

/// What separates the text before a tag from the text after it. Tags of phrases, such as `<b>`, separate nothing.
fn separator(name: &str) -> &'static str {
    match name {
        "br" | "td" | "th" => " ",
        "address" | "article" | "aside" | "blockquote" | "caption" | "dd" | "details" | "div"
        | "dl" | "dt" | "fieldset" | "figcaption" | "figure" | "footer" | "form" | "h1" | "h2"
        | "h3" | "h4" | "h5" | "h6" | "header" | "hr" | "legend" | "li" | "main" | "nav" | "ol"
        | "p" | "pre" | "section" | "summary" | "table" | "tbody" | "tfoot" | "thead" | "tr"
        | "ul" => "\n",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_omitted_and_words_stay_separate() {
        let note = "# Eigenvalues\n\nA *scalar* $\\lambda$ with [a link](https://example.com):\n\n- one\n- `two`\n\n\
                    | a | b |\n|---|---|\n| 1 | 2 |\n\n<b>bold</b>";
        assert_eq!(
            plain_text(note),
            "Eigenvalues\nA scalar \\lambda with a link:\none\ntwo\na b\n1 2\nbold"
        );
    }

    #[test]
    fn html_is_read_as_a_browser_shows_it() {
        for (note, expected) in [
            ("one<br>two<br/>three", "one two three"),
            ("<div>Hello <b>wor</b>ld</div>", "Hello world"),
            ("H<sub>2</sub>O and AT&amp;T", "H2O and AT&T"),
            ("<p>a &lt;tag&gt; &amp; caf&eacute;</p>", "a <tag> & café"),
            (
                "<details><summary>Proof</summary>By *induction*</details>",
                "Proof\nBy *induction*",
            ),
            ("<details>\n\nBy *induction*\n\n</details>", "By induction"),
            ("<ul><li>a<li>b</ul>", "a\nb"),
            ("<table><tr><td>1</td><td>2</td></tr></table>", "1  2"),
            ("<!-- hidden -->shown", "shown"),
            ("<!-- hidden\n\nstill hidden -->\n\nshown", "shown"),
            (
                "<script>\nlet a = '</b>';\n\nb()\n</script>\n\nshown",
                "shown",
            ),
            ("a <script>b()</script> c", "a  c"),
            ("<style>p { color: red }</style>\n\nshown", "shown"),
            ("<img src=x alt='a picture'> shown", "shown"),
            ("Use the <title> element.\n\nSecond", "Use the\nSecond"),
            ("<textarea>Hello</textarea>", "Hello"),
            ("1 < 2 and <unknown>kept</unknown>", "1 < 2 and kept"),
        ] {
            assert_eq!(plain_text(note), expected, "{note}");
        }
    }

    #[test]
    fn front_matter_is_omitted_and_thematic_breaks_are_not_front_matter() {
        for (note, expected) in [
            ("---\ntitle: X\ntags: [a]\n---\n\n# Heading", "Heading"),
            ("\u{feff}---\r\ntitle: X\r\n---\r\ntext", "text"),
            ("---\n# a comment\na: 1\n...\ntext", "text"),
            ("+++\ntitle = 'X'\n+++\ntext", "text"),
            ("---\nfirst\n\n---\n\nsecond", "first\nsecond"),
            ("---\nfirst\n---", "first"),
            ("text\n\n---\na: b\n---\n", "text\na: b"),
        ] {
            assert_eq!(plain_text(note), expected, "{note}");
        }
    }
}
