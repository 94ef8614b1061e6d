//! The plain text of notes, and its positions in their source.

use super::PlainText;

/// The plain text with `¶` for the separator of blocks, after checking its map.
fn shown(markdown: &str) -> String {
    let plain = PlainText::from_markdown(markdown);
    check_map(markdown, &plain);
    plain.text().replace('\u{2029}', "¶")
}

/// Each character's source is in bounds, between characters, and not before that of the character before it.
pub(super) fn check_map(markdown: &str, plain: &PlainText) {
    let mut last = 0..0;
    for (start, character) in plain.text().char_indices() {
        let source = plain.source_range(start..start + character.len_utf8());
        assert!(markdown.get(source.clone()).is_some(), "{source:?}");
        assert!(last.start <= source.start && last.end <= source.end);
        last = source;
    }
}

fn check(cases: &[(&str, &str)]) {
    for (markdown, expected) in cases {
        assert_eq!(shown(markdown), *expected, "{markdown:?}");
    }
}

#[test]
fn markup_is_omitted_and_words_stay_separate() {
    let note = "# Eigenvalues\n\nA *scalar* $\\lambda$ with [a link](https://example.com):\n\n- one\n- `two`\n\n\
                | a | b |\n|---|---|\n| 1 | 2 |\n\n<b>bold</b>";
    assert_eq!(
        shown(note),
        "Eigenvalues¶A scalar \\lambda with a link:¶one¶two¶a b¶1 2¶bold"
    );
}

#[test]
fn html_is_read_as_a_browser_shows_it() {
    check(&[
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>Hello <b>wor</b>ld</div>", "Hello world"),
        ("H<sub>2</sub>O and AT&amp;T", "H2O and AT&T"),
        ("<p>a &lt;tag&gt; &amp; caf&eacute;</p>", "a <tag> & café"),
        (
            "<details><summary>Proof</summary>By *induction*</details>",
            "Proof¶By *induction*",
        ),
        ("<details>\n\nBy *induction*\n\n</details>", "By induction"),
        ("<ul><li>a<li>b</ul>", "a¶b"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
        ("<!-- hidden -->shown", "shown"),
        ("<!-- hidden\n\nstill hidden -->\n\nshown", "shown"),
        (
            "<script>\nlet a = '</b>';\n\nb()\n</script>\n\nshown",
            "shown",
        ),
        ("a <script>b()</script> c", "a  c"),
        ("<style>p { color: red }</style>\n\nshown", "shown"),
        ("Use the <title> element.\n\nSecond", "Use the\nSecond"),
        ("<textarea>Hello</textarea>", "Hello"),
        ("1 < 2 and <unknown>kept</unknown>", "1 < 2 and kept"),
        ("<p>infor-\nmation</p>", "infor-\nmation"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<div>\n   a\n\tb   \n</div>", "a\nb"),
        ("<p title='x'>a</p>\n<!-- c -->\n<p>b</p>", "a\nb"),
        ("<noscript><p>Enable it</p></noscript>\n\nshown", "shown"),
        ("x<sup>2</sup> and log<sub>10</sub>y", "x2 and log10y"),
        ("<kbd>Ctrl</kbd>+<kbd>C</kbd>", "Ctrl+C"),
        ("un<wbr>break<b>able</b>", "unbreakable"),
        (
            "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字</ruby>",
            "漢 kan 字",
        ),
        (
            "<video src=v.mp4>Your browser is old</video>\n\nafter",
            "after",
        ),
        ("<dl><dt>Term<dd>Meaning</dl>", "Term¶Meaning"),
        ("<h2 id=x>Head</h2>Text", "Head¶Text"),
        ("<a href='https://e.com/path' title=tip>label</a>", "label"),
        ("<div data-x=\"a > b\">c</div>", "c"),
        ("<!DOCTYPE html>\n<p>doc</p>", "doc"),
        (
            "> <div>quoted\n> block</div>\n> after",
            "quoted\nblock¶after",
        ),
        ("- <p>one\n  two</p>\n- three", "one\ntwo¶three"),
        ("<select><option>A<option>B</select>", "A¶B"),
        ("<math><mi>x</mi><annotation>\\xi</annotation></math>", "x"),
        ("a<!-- b -->c", "ac"),
        ("<div>a &unknown; b &#x41; &#66;</div>", "a &unknown; b A B"),
        ("<div>&NotEqualTilde;&nbsp;x</div>", "≂̸\u{a0}x"),
        ("<div\nclass='a'>b</div>", "b"),
        ("<p>\r\none\r\ntwo\r\n</p>\r\n", "one\ntwo"),
        ("<script>never closed\n\nstill", ""),
        ("</div>stray", "stray"),
        ("<div><é and &語; and &Aß", "<é and &語; and &Aß"),
        ("<p>a\r\n\r\n<p>b", "a\nb"),
    ]);
}

#[test]
fn inline_markup_joins_words() {
    check(&[
        ("the eigen**value** theorem", "the eigenvalue theorem"),
        ("un*frigging*believable", "unfriggingbelievable"),
        ("a [lin](u)[ear](v) map", "a linear map"),
        (
            "[**bold** link][ref] x\n\n[ref]: http://e.com 'T'",
            "bold link x",
        ),
        ("~~old~~new and ~one~", "oldnew and one"),
        ("`co`de", "code"),
        ("``a ` b``", "a ` b"),
        ("foo\\*bar\\_baz", "foo*bar_baz"),
        ("<https://example.com/a?b=c>", "https://example.com/a?b=c"),
        ("<me@example.com>", "me@example.com"),
        ("see www.example.com", "see www.example.com"),
        ("[[Page]] and [[Page|label]]", "Page and label"),
        ("[text](http://e.com/a_(b) \"title\")", "text"),
        ("[not a link] and [x](", "[not a link] and [x]("),
    ]);
}

#[test]
fn entities_are_decoded() {
    check(&[
        ("R&amp;D", "R&D"),
        ("caf&eacute; &#x03bb; &#955;", "café λ λ"),
        ("a&nbsp;b", "a\u{a0}b"),
        ("&nbsp;\n&nbsp;a", "a"),
        ("`&amp;`", "&amp;"),
        ("    &amp; indented", "&amp; indented"),
        ("&amp;lt;", "&lt;"),
        ("&hearts;&nosuch;", "♥&nosuch;"),
        ("soft&shy;hyphen", "soft\u{ad}hyphen"),
        ("&#0; &#xD800;", "\u{fffd} \u{fffd}"),
    ]);
}

#[test]
fn blocks_and_lines_are_separate() {
    check(&[
        ("one\ntwo", "one\ntwo"),
        ("one  \ntwo\\\nthree", "one\ntwo\nthree"),
        ("one\n\ntwo", "one\ntwo"),
        ("one\r\ntwo\r\n\r\nthree", "one\ntwo\nthree"),
        ("Heading\n===\ntext", "Heading¶text"),
        ("a\n\n---\n\nb", "a¶b"),
        ("> a\n> > b\n\nc", "a¶b¶c"),
        ("1. a\n   - b\n2. c", "a¶b¶c"),
        ("- a\n\n  b\n- c", "a\nb¶c"),
        ("- [ ] open\n- [x] done", "open¶done"),
        (
            "```rust\nfn a() {\n    b();\n\n}\n```\nc",
            "fn a() {\nb();\n}¶c",
        ),
        ("\tone\n\n\ttwo", "one\ntwo"),
        ("~~~\n<b>&amp;</b>\n~~~", "<b>&amp;</b>"),
        (
            "| a b | c |\n|:--|--:|\n| d\\|e | `f\\|g` |\n| h |",
            "a b c¶d|e f|g¶h",
        ),
        ("| a |\n|---|\n| x<br>y |", "a¶x\ny"),
        ("Term\n: Meaning\n: Other", "Term¶Meaning¶Other"),
        ("> [!NOTE]\n> Text of it", "Text of it"),
        (
            "> [!WARNING] own title\n> text",
            "[!WARNING] own title\ntext",
        ),
        ("# A {#a}\n\nb", "A¶b"),
        ("## A *b* {#x .y k=v} ##", "A b"),
        ("# The set {1, 2}", "The set {1, 2}"),
        ("# Only k {k=v}", "Only k {k=v}"),
        ("# {#id}\n\nb", "b"),
        ("Setext {.cls}\n---\n", "Setext"),
    ]);
}

#[test]
fn hyphens_at_line_ends_stay_at_line_ends() {
    check(&[
        ("> infor-\n> mation", "infor-\nmation"),
        ("- infor-\n  mation", "infor-\nmation"),
        ("infor-\n\nmation", "infor-\nmation"),
        ("infor-<br>mation", "infor-\nmation"),
        ("> infor\u{ad}\n> mation", "infor\u{ad}\nmation"),
        ("infor¬\nmation", "infor¬\nmation"),
        ("infor-\n\u{c}mation", "infor-\nmation"),
        ("- un-\n- re-\n- dis-", "un-¶re-¶dis-"),
        ("| pre- |\n|---|\n| fix |", "pre-¶fix"),
        ("# Sub-\n\nheading", "Sub-¶heading"),
    ]);
}

#[test]
fn words_continue_on_the_next_line_and_not_in_the_next_block() {
    for (markdown, expected) in [
        ("> infor-\n> mation", &["information"][..]),
        ("- infor-\n  mation", &["information"]),
        ("infor-\n\nmation", &["information"]),
        ("<div>infor-<br>mation</div>", &["information"]),
        ("- un-\n- re-", &["un", "re"]),
        (
            "| pre- | x |\n|---|---|\n| fix | y |",
            &["pre", "x", "fix", "y"],
        ),
        ("the eigen**value**", &["the", "eigenvalue"]),
        ("H<sub>2</sub>O", &["h2o"]),
    ] {
        let plain = PlainText::from_markdown(markdown);
        let words = crate::tokens(plain.text()).map(|token| token.word);
        assert_eq!(words.collect::<Vec<_>>(), expected, "{markdown:?}");
    }
}

#[test]
fn formulas_stay_as_written() {
    check(&[
        ("Let $a_1 < b_2$ and $c*d*e$.", "Let a_1 < b_2 and c*d*e."),
        ("$$\\sum_{i}\n  x_i$$", "\\sum_{i}\nx_i"),
        ("> $$a\n> b$$", "a\nb"),
        ("the $x$-axis", "the x-axis"),
        ("it costs $5", "it costs $5"),
        ("x^2 + y^2 = z^2", "x^2 + y^2 = z^2"),
    ]);
}

#[test]
fn footnotes_are_read_without_their_labels() {
    check(&[
        (
            "word[^a], next\n\n[^a]: The note\n    goes on",
            "word, next¶The note\ngoes on",
        ),
        ("undefined[^b]", "undefined[^b]"),
    ]);
}

#[test]
fn definitions_of_links_are_hidden() {
    check(&[
        ("[a]: http://e.com\n'title'\n\ntext", "text"),
        ("[a]: <http://e.com>\n[b]: /x\n", ""),
        ("text\n\n[//]: # (a comment)", "text"),
    ]);
}

#[test]
fn descriptions_of_images_are_read() {
    check(&[
        ("![A *fine* diagram](d.png \"tip\")", "A fine diagram"),
        ("a![b](c.png)d", "a b d"),
        ("<img src=x alt='a picture'> shown", "a picture shown"),
        ("x<img alt=\"R&amp;D\" title=t>y", "x R&D y"),
        ("<img alt=caf&eacute;é&é>", "caféé&é"),
        ("> <img alt='one\n> two'>", "one\ntwo"),
        ("![](x.png)", ""),
        ("[![build](b.svg)](http://ci)", "build"),
    ]);
}

#[test]
fn front_matter_is_omitted_and_thematic_breaks_are_not_front_matter() {
    check(&[
        ("---\ntitle: X\ntags: [a]\n---\n\n# Heading", "Heading"),
        ("\u{feff}---\r\ntitle: X\r\n---\r\ntext", "text"),
        ("---\n# a comment\na: 1\n...\ntext", "text"),
        ("+++\ntitle = 'X'\n+++\ntext", "text"),
        ("---\ntitle: X\n\ntags:\n  - a\n---\ntext", "text"),
        ("---\nfirst\n\n---\n\nsecond", "first¶second"),
        ("---\nfirst\n---", "first"),
        ("text\n\n---\na: b\n---\n", "text¶a: b"),
        ("---\na: b\n\nnever closed", "a: b\nnever closed"),
        ("\u{feff}text", "text"),
        ("---", ""),
    ]);
}

#[test]
fn a_text_without_markup_is_itself() {
    for text in [
        "",
        "a",
        "two words",
        "行列 и ещё",
        "a\nb",
        "1 < 2, a > b & c",
        "it's 5 $",
    ] {
        assert_eq!(PlainText::from_markdown(text).text(), text);
    }
    assert_eq!(shown(" \t\n \u{a0}\n"), "");
}

#[test]
fn ranges_lead_to_the_source() {
    for (markdown, part, expected) in [
        ("the eigen**value** theorem", "eigenvalue", "eigen**value"),
        ("the eigen**value** theorem", "value", "value"),
        ("R&amp;D", "&", "&amp;"),
        ("R&amp;D", "D", "D"),
        ("<div>R&amp;D caf&eacute;s</div>", "&D", "&amp;D"),
        ("<div>R&amp;D caf&eacute;s</div>", "és", "&eacute;s"),
        ("> infor-\n> mation x", "infor-\nmation", "infor-\n> mation"),
        ("> <p>a\n> b c</p>", "b c", "b c"),
        ("> `a\n> b`", "a b", "a\n> b"),
        ("> `a\n> b`", "b", "b"),
        ("| a\\|b |\n|---|\n| `c\\|d` |", "c|d", "c\\|d"),
        (
            "a [linear](http://linear.com) map",
            "linear map",
            "linear](http://linear.com) map",
        ),
        ("``` x\nx y\n```", "x y", "x y"),
        ("x\n\n- x\n- y", "\u{2029}", "\n\n- "),
        ("---\ny: x\n---\nx", "x", "x"),
        ("$$x$$", "x", "x"),
        ("<img alt='x y' src=x>", "y", "y"),
        ("\u{feff}é x", "x", "x"),
        ("# A x {#x}", "x", "x"),
    ] {
        let plain = PlainText::from_markdown(markdown);
        let start = plain.text().find(part).expect(markdown);
        let source = plain.source_range(start..start + part.len());
        assert_eq!(&markdown[source], expected, "{markdown:?}");
    }
}

#[test]
fn ranges_outside_the_text_are_corrected() {
    let plain = PlainText::from_markdown("*é* x");
    assert_eq!(plain.text(), "é x");
    assert_eq!(plain.source_range(0..1), 1..3, "the whole character");
    assert_eq!(plain.source_range(1..99), 1..6);
    assert_eq!(plain.source_range(50..99), 6..6);
    assert_eq!(plain.source_range(2..2), 4..4);
    assert_eq!(PlainText::from_markdown("").source_range(0..9), 0..0);
}
